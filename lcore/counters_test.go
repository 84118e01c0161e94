package lcore

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd/memport"
)

func vipBackend(s string) netip.Addr { return netip.MustParseAddr(s) }

func keyOf(t *testing.T, frame []byte) flow.Key {
	t.Helper()
	var h packet.Headers
	if r := packet.Parse(frame, 0, &h); r != packet.Whole {
		t.Fatalf("parse: %v", r)
	}
	var k flow.Key
	k.Read(frame, &h)
	return k
}

// Counters belong to whoever holds the id: they grow over reloads, and begin
// anew when an id has another holder, whether or not the core has seen every
// snapshot in between.
func TestCountersFollowTheHolder(t *testing.T) {
	for _, skip := range []bool{false, true} {
		r := newRig(t, memport.Config{}, "10.0.0.1")
		r.forward(tcp4(1, syn, 0), tcp4(2, syn, 0))
		v := r.world.values[vipBackend("10.0.0.1")]
		if n := r.worker.counters.endpoints[v.ID()]; n != 2 {
			t.Fatalf("endpoint counts %d, want 2", n)
		}
		r.world.add("10.0.0.2") // more endpoints: the counters move to larger arrays
		r.publish()
		r.forward(tcp4(1, ack, 0))
		if n := r.worker.counters.endpoints[v.ID()]; n != 3 {
			t.Fatalf("after a reload the endpoint counts %d, want 3", n)
		}
		// The same id, another generation.
		r.world.values[vipBackend("10.0.0.1")] = v + 1<<20
		r.world.born = 7
		r.publish()
		if !skip {
			r.forward()
			r.worker.Turn()
		}
		r.publish() // nothing new; a core may see only this one
		r.worker.Turn()
		if n := r.worker.counters.endpoints[v.ID()]; n != 0 {
			t.Errorf("skip %v: the id's new holder begins with %d", skip, n)
		}
		if n := r.worker.counters.services[0].packets; n != 0 {
			t.Errorf("skip %v: the service's new holder begins with %d", skip, n)
		}
	}
}

func TestReportCopiesWhatTheCoreCounts(t *testing.T) {
	r := newRig(t, memport.Config{}, "10.0.0.1")
	r.forward(tcp4(1, syn, 0), tcp4(1, ack, 60), []byte{1, 2, 3})
	done := make(chan *Report)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		reports, err := r.group.Reports(ctx)
		if err != nil {
			t.Error(err)
		}
		done <- reports[0]
	}()
	var got *Report
	for got == nil {
		r.worker.Turn()
		select {
		case got = <-done:
		default:
		}
	}
	if got.Received != 3 || got.Verdicts[Forwarded] != 2 || got.Verdicts[TruncatedFrame] != 1 {
		t.Errorf("received %d, verdicts %v", got.Received, got.Verdicts)
	}
	if s := got.Services[0]; s.Packets != 2 || s.Bytes != 40+100 {
		t.Errorf("service counts %+v, want 2 packets, 140 bytes", s)
	}
	if want := uint64(54 + 114 + 3); got.ReceivedBytes != want {
		t.Errorf("received %d bytes, want %d", got.ReceivedBytes, want)
	}
	if got.CPU != 3 || got.Generation != 1 || got.Conntrack.Entries != 1 {
		t.Errorf("CPU %d, generation %d, %d entries", got.CPU, got.Generation, got.Conntrack.Entries)
	}
}
