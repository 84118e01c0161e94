package lcore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/pmd/memport"
)

// turning lets the workers turn while do runs.
func turning(workers []*Worker, do func()) {
	stop := make(chan struct{})
	var turned sync.WaitGroup
	turned.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, w := range workers {
				w.Turn()
			}
		}
	})
	do()
	close(stop)
	turned.Wait()
}

// tapWith begins to copy frames of a node whose workers are at rest.
func (n *testNode) tapWith(t testing.TB, c TapConfig) *Tap {
	t.Helper()
	var tap *Tap
	var err error
	turning(n.workers, func() { tap, err = n.group.Tap(t.Context(), c) })
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

func (n *testNode) untap(t testing.TB, tap *Tap) {
	t.Helper()
	var err error
	turning(n.workers, func() { err = tap.Close(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
}

// copies takes what there is to be had.
func copies(tap *Tap) (list []Copy) {
	for {
		c, ok := tap.Next()
		if !ok {
			return list
		}
		c.Data = bytes.Clone(c.Data)
		list = append(list, c)
	}
}

// wantCopies compares with frames, which were copied whole.
func wantCopies(t *testing.T, what string, got []Copy, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d copies, want %d", what, len(got), len(want))
	}
	for i, c := range got {
		if !bytes.Equal(c.Data, want[i]) || c.Total != len(want[i]) {
			t.Errorf("%s: copy %d is %x of %d bytes, want %x", what, i, c.Data, c.Total, want[i])
		}
	}
}

// Everything that a port receives is copied as it came, and everything that it
// sends as it leaves: in tunnels, cut, answered, the kernel's, redirected by
// another core. The same frames leave as without a tap.
func TestTap(t *testing.T) {
	run := func(config *TapConfig) (in, out [][]byte, got []Copy) {
		f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1, kernel: true, vlan: 42}, "10.0.0.1", "10.0.0.2")
		n := f.nodes[0]
		var tap *Tap
		if config != nil {
			tap = n.tapWith(t, *config)
		}
		closed := datagram(1, 1000, 0, 30, 1500, false)[0]
		copy(closed[26:], []byte{198, 51, 100, 9}) // its checksum is not looked at
		closed[23] = 6                             // TCP, which no service takes
		in = [][]byte{tagged(arp(), 42), tagged(datagram(1, 1000, 0, 1460, 1500, false)[0], 42), tagged(datagram(1, 1000, 0, 100, 1500, true)[0], 42), tagged(closed, 42), {1, 2, 3}}
		for _, piece := range datagram(3, 1003, 7, 4000, 1500, false) {
			in = append(in, tagged(piece, 42))
		}
		f.inject(0, 0, in...)
		n.tap.Inject(0, foreign(22))
		f.run()
		out = f.take()
		if tap != nil {
			n.untap(t, tap)
			got = copies(tap)
			for port, missed := range tap.Missed() {
				if missed != 0 {
					t.Errorf("port %d: %d missed", port, missed)
				}
			}
		}
		f.shut()
		return in, out, got
	}
	_, without, _ := run(nil)
	if len(without) < 8 {
		t.Fatalf("only %d frames were sent", len(without))
	}
	in, out, got := run(&TapConfig{Snap: 2000, Slots: 64})
	wantCopies(t, "received", got, in)
	wantSame(t, out, without)
	_, out, got = run(&TapConfig{Sent: true, Snap: 2000, Slots: 64})
	wantCopies(t, "sent", got, out)
	wantSame(t, out, without)
	first := func(frame []byte) bool { return len(frame) > 34 && frame[16] == 8 && frame[33] == 1 } // the client 198.51.100.1
	_, _, got = run(&TapConfig{Match: first, Snap: 60, Slots: 64})
	if len(got) != 1 || !bytes.Equal(got[0].Data, in[1][:60]) || got[0].Total != len(in[1]) {
		t.Errorf("of a filter: %d copies, the first %+v", len(got), got)
	}
}

func wantSame(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("with a tap %d frames leave, without %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("with a tap frame %d is %x, without %x", i, got[i], want[i])
		}
	}
}

// What finds no slot is counted and goes its way; slots that are taken are used
// again.
func TestTapIsFull(t *testing.T) {
	r := newRig(t, memport.Config{Frames: 256}, "10.0.0.1")
	n := &testNode{workers: []*Worker{r.worker}, group: r.group}
	tap := n.tapWith(t, TapConfig{Snap: 100, Slots: 20}) // 16
	for round := range 3 {
		var in [][]byte
		for i := range 50 {
			in = append(in, tcp4(100*round+i, syn, i%8))
		}
		r.port.SetNow(r.port.Now() + 1000)
		if sent := r.forward(in...); len(sent) != len(in) {
			t.Fatalf("%d of %d frames were sent", len(sent), len(in))
		}
		got := copies(tap)
		wantCopies(t, "the first", got, in[:16])
		for _, c := range got {
			if c.Now != r.port.Now() || c.Port != 0 {
				t.Fatalf("at %d, port %d; want %d and 0", c.Now, c.Port, r.port.Now())
			}
		}
		if missed := tap.Missed(); len(missed) != 1 || missed[0] != uint64((round+1)*34) {
			t.Errorf("missed: %v", missed)
		}
	}
	n.untap(t, tap)
	r.forward(tcp4(1, ack, 1))
	if got := copies(tap); len(got) != 0 || r.worker.tap != nil || r.worker.tapRx != nil {
		t.Errorf("closed, it copies: %v", got)
	}
}

// Copies of several cores come in the order of time. One that falls behind is
// waited for, within bounds.
func TestTapOrdersCores(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 3, rxQueues: 3}, "10.0.0.1")
	n := f.nodes[0]
	tap := n.tapWith(t, TapConfig{Snap: 2000, Slots: 1024})
	turn := func(cores ...int) {
		for _, core := range cores {
			n.workers[core].Turn()
		}
	}
	numbered := func(list []Copy) (ports []int) {
		for _, c := range list {
			ports = append(ports, int(binary.BigEndian.Uint16(c.Data[34:])))
		}
		return ports
	}
	for i := range 30 {
		n.port.Advance(100)
		f.inject(0, i*i%3, datagram(1, i, 0, 10, 1500, false)...)
		turn(0, 1, 2)
	}
	f.run()
	for i, port := range numbered(copies(tap)) {
		if port != i {
			t.Fatalf("copy %d is of frame %d", i, port)
		}
	}

	// Core 2 is away: what came after its last turn may not be the oldest.
	f.inject(0, 2, datagram(1, 101, 0, 10, 1500, false)...)
	n.port.Advance(100)
	f.inject(0, 0, datagram(1, 100, 0, 10, 1500, false)...)
	turn(0, 0, 1, 1)
	if got := copies(tap); len(got) != 0 {
		t.Fatalf("not waited for core 2: %v", numbered(got))
	}
	turn(2, 2)
	if got := fmt.Sprint(numbered(copies(tap))); got != "[100 101]" {
		t.Errorf("then came %s", got)
	}

	// It stays away.
	n.port.Advance(100)
	f.inject(0, 2, datagram(1, 103, 0, 10, 1500, false)...)
	f.inject(0, 0, datagram(1, 102, 0, 10, 1500, false)...)
	turn(0)
	n.port.Advance(patience + 1)
	turn(0, 1, 0)
	if got := fmt.Sprint(numbered(copies(tap))); got != "[102]" {
		t.Errorf("core 2 holds up the others: %s", got)
	}
	f.run()
	if got := fmt.Sprint(numbered(copies(tap))); got != "[103]" {
		t.Errorf("of the late core came %s", got)
	}
	n.untap(t, tap)
	f.shut()
}

// A core that does not answer is named, and does nothing when it comes back.
func TestTapOfAStalledCore(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 2, rxQueues: 2}, "10.0.0.1")
	n := f.nodes[0]
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	var tap *Tap
	var err error
	turning(n.workers[:1], func() { tap, err = n.group.Tap(soon(), TapConfig{Snap: 100, Slots: 64}) })
	if tap != nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cores [1]") {
		t.Fatalf("core 1 stands: %v, %v", tap, err)
	}
	f.run()
	if n.workers[0].tap != nil || n.workers[1].tap != nil {
		t.Error("a tap that did not come about is there")
	}

	tap = n.tapWith(t, TapConfig{Snap: 100, Slots: 64})
	if _, err := n.group.Tap(t.Context(), TapConfig{Snap: 1, Slots: 1}); !errors.Is(err, ErrTapped) {
		t.Errorf("a second tap: %v", err)
	}
	turning(n.workers[1:], func() { err = tap.Close(soon()) })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cores [0]") {
		t.Errorf("core 0 stands: %v", err)
	}
	next := n.tapWith(t, TapConfig{Sent: true, Snap: 100, Slots: 64}) // core 0 comes back to this one
	if err := tap.Close(t.Context()); err != nil {
		t.Errorf("closed again: %v", err)
	}
	f.inject(0, 0, datagram(1, 1, 0, 10, 1500, false)...)
	f.run()
	f.inject(0, 1, datagram(1, 1, 0, 10, 1500, false)...)
	f.run()
	n.untap(t, next)
	if got := copies(next); len(got) != 2 {
		t.Errorf("%d copies of 2 frames", len(got))
	}
	if got := copies(tap); len(got) != 0 {
		t.Errorf("the closed tap has %d copies", len(got))
	}
	f.shut()
}

// Taps come and go while cores run: each copy is of one frame, none twice, and
// as many as matched are copied or missed.
func TestTapBesideRunningCores(t *testing.T) {
	port := memport.New(memport.Config{Queues: 2, MTU: 1600, Frames: 4096})
	var workers []*Worker
	for i := range 2 {
		workers = append(workers, New(Config{CPU: i, Conntrack: newTable(t), Fragments: newPieces(t), Ports: []PortQueue{{Queue: port.Queue(i)}}}))
	}
	g := NewGroup(workers...)
	p := newWorld("10.0.0.1").program(t)
	g.Publish(p)
	var running sync.WaitGroup
	for _, w := range workers {
		running.Go(w.Run)
	}
	even := func(frame []byte) bool { return frame[35]&1 == 0 }
	const rounds, perRound = 30, 200
	for round := range rounds {
		tap, err := g.Tap(t.Context(), TapConfig{Match: even, Snap: 1600, Slots: 32})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		for i := range perRound {
			frame := tcp4(round*perRound+i, syn, i%1000)
			if want[string(frame)] = 0; even(frame) {
				want[string(frame)] = 1
			}
			port.Inject(i%2, frame)
		}
		got := 0
		take := func() {
			for c, ok := tap.Next(); ok; c, ok = tap.Next() {
				if want[string(c.Data)]--; want[string(c.Data)] < 0 {
					t.Fatalf("round %d: copied for nothing: %x", round, c.Data)
				}
				got++
			}
		}
		for port.Pending(0)+port.Pending(1) > 0 {
			take()
		}
		if err := tap.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		take()
		if missed := tap.Missed()[0]; got+int(missed) != perRound/2 {
			t.Fatalf("round %d: %d copies and %d missed, of %d", round, got, missed, perRound/2)
		}
		port.Sent(0)
		port.Sent(1)
	}
	g.Stop()
	running.Wait()
	for _, r := range g.Final() {
		var sum uint64
		for _, n := range r.Verdicts {
			sum += n
		}
		if sum != r.Received {
			t.Errorf("core %d: received %d, verdicts %d", r.CPU, r.Received, sum)
		}
	}
}

func TestTappedTurnDoesNotAllocate(t *testing.T) {
	for _, sent := range []bool{false, true} {
		r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
		n := &testNode{workers: []*Worker{r.worker}, group: r.group}
		tap := n.tapWith(t, TapConfig{Sent: sent, Match: func(frame []byte) bool { return frame[12] == 8 }, Snap: 100, Slots: 1024})
		r.worker.ports[0].Queue = loopPort(64, 64).Queue(0)
		if n := testing.AllocsPerRun(100, func() { r.worker.Turn() }); n != 0 {
			t.Errorf("a turn allocates %v times", n)
		}
		if n := len(copies(tap)); n < 1000 {
			t.Errorf("%d copies", n)
		}
	}
}

// BenchmarkTap is BenchmarkTurn while frames are copied: all of 64 bytes, and
// none, and all while nobody takes the copies.
func BenchmarkTap(b *testing.B) {
	for _, sent := range []bool{false, true} {
		for _, c := range []struct {
			name  string
			match func([]byte) bool
			take  bool
		}{
			{"all", nil, true},
			{"none", func(frame []byte) bool { return frame[12] != 8 }, true},
			{"full", nil, false},
		} {
			b.Run(fmt.Sprintf("sent=%v/%s", sent, c.name), func(b *testing.B) {
				r := newRig(b, memport.Config{}, "10.0.0.1", "10.0.0.2", "10.0.0.3")
				table, err := conntrack.New(conntrack.Config{Flows: 1 << 17, Seed: flow.Seed{A: 1, B: 2, C: 3}, Timeouts: conntrack.Timeouts{TCPNew: time.Hour, TCPEstablished: time.Hour, TCPClosing: time.Hour, UDP: time.Hour, Other: time.Hour}})
				if err != nil {
					b.Fatal(err)
				}
				r.worker.conntrack = table
				n := &testNode{workers: []*Worker{r.worker}, group: r.group}
				tap := n.tapWith(b, TapConfig{Sent: sent, Match: c.match, Snap: 1522, Slots: 4096})
				r.worker.ports[0].Queue = loopPort(1<<16, 64).Queue(0)
				packets := 0
				for b.Loop() {
					packets += r.worker.Turn()
					if k := tap.cores[0]; c.take {
						k.drop(k.waiting())
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
			})
		}
	}
}
