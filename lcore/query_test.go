package lcore

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// A flow that is asked for is found on the core that has it, with its state and
// age, and stays as it was.
func TestEntries(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 3, rxQueues: 1}, "10.0.0.1")
	whole := datagram(1, 1000, 0, 10, 1500, false)[0]
	var h packet.Headers
	var k flow.Key
	packet.Parse(whole, 0, &h)
	k.Read(whole, &h)
	f.inject(0, 0, whole)
	f.run()
	const age = 5 * time.Second
	f.nodes[0].port.Advance(int64(age))
	f.run()
	ask := func(k flow.Key) (known []Entry) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		turning := make(chan struct{})
		go func() {
			defer close(turning)
			for ctx.Err() == nil {
				for _, w := range f.nodes[0].workers {
					w.Turn()
				}
			}
		}()
		entries, err := f.nodes[0].group.Entries(ctx, &k)
		cancel()
		<-turning
		if err != nil || len(entries) != 3 {
			t.Fatalf("%d entries: %v", len(entries), err)
		}
		for _, e := range entries {
			if e.Known {
				known = append(known, e)
			}
		}
		return known
	}
	for range 2 {
		known := ask(k)
		if len(known) != 1 || known[0].Value.ID() != 1 || known[0].State != conntrack.Unconfirmed || known[0].Idle < age-2*time.Millisecond || known[0].Idle > age+time.Second {
			t.Fatalf("known: %+v", known)
		}
		if w := f.nodes[0].workers[0]; known[0].CPU != w.picked(known[0].Hash) {
			t.Errorf("on core %d, home is %d", known[0].CPU, w.picked(known[0].Hash))
		}
	}
	k.Ports++
	if known := ask(k); len(known) != 0 {
		t.Errorf("of a flow that never was: %+v", known)
	}
}

// Of cores that do not answer in time the others' entries are told all the same,
// and who is silent.
func TestEntriesOfSilentCores(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 3, rxQueues: 1}, "10.0.0.1")
	n := f.nodes[0]
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	turned := make(chan struct{})
	go func() {
		defer close(turned)
		for ctx.Err() == nil {
			n.workers[0].Turn()
			n.workers[2].Turn()
		}
	}()
	entries, err := n.group.Entries(ctx, &flow.Key{})
	<-turned
	var silent *SilentError
	if !errors.As(err, &silent) || !slices.Equal(silent.CPUs, []int{n.workers[1].cpu}) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if len(entries) != 2 || entries[0].CPU != n.workers[0].cpu || entries[1].CPU != n.workers[2].cpu {
		t.Errorf("entries %+v", entries)
	}
}

// A glance leaves the longest poll gap to who reports it.
func TestGlance(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, "10.0.0.1")
	n := f.nodes[0]
	report := func(ask func(context.Context) ([]*Report, error)) time.Duration {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		turned := make(chan struct{})
		go func() {
			defer close(turned)
			for ctx.Err() == nil {
				n.workers[0].Turn()
			}
		}()
		reports, err := ask(ctx)
		cancel()
		<-turned
		if err != nil {
			t.Fatal(err)
		}
		return reports[0].Gap
	}
	f.run()
	n.port.Advance(int64(time.Second))
	for i, ask := range []func(context.Context) ([]*Report, error){n.group.Glance, n.group.Glance, n.group.Reports} {
		if gap := report(ask); gap != time.Second {
			t.Errorf("asked for the %d. time: a gap of %v, want a second", i+1, gap)
		}
	}
	if gap := report(n.group.Reports); gap != 0 {
		t.Errorf("after it was reported: %v", gap)
	}
}
