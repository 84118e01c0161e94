package lcore

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd/memport"
)

// newHaltRig is a worker whose full bursts halt.
func newHaltRig(t *testing.T, backends ...string) *rig {
	r := newRig(t, memport.Config{MTU: 1600}, backends...)
	r.worker.haltFrom.flows = 0
	return r
}

// injectFlows gives the port so many packets, of a flow each.
func (r *rig) injectFlows(from, n int) {
	for i := range n {
		r.port.Inject(0, tcp4(from+i, ack, 0))
	}
}

func (r *rig) wantSent(when string, want int) {
	r.t.Helper()
	if sent := len(r.port.Sent(0)); sent != want {
		r.t.Errorf("%s: %d packets were sent, want %d", when, sent, want)
	}
}

// A full burst halts, and is completed by whatever comes next.
func TestHalt(t *testing.T) {
	r := newHaltRig(t, "10.0.0.1")
	turn := func(want int) {
		t.Helper()
		if n := r.worker.Turn(); n != want {
			t.Errorf("a turn of %d packets, want %d", n, want)
		}
	}
	r.injectFlows(0, burst-1)
	turn(burst - 1)
	r.wantSent("no full burst", burst-1)

	r.injectFlows(0, burst)
	turn(burst)
	r.wantSent("a full burst", 0)
	turn(burst)
	r.wantSent("nothing behind it", burst)
	turn(0)

	r.injectFlows(0, 2*burst+1)
	turn(burst)
	r.wantSent("two and one packet", 0)
	turn(burst)
	r.wantSent("the second", burst)
	turn(1)
	r.wantSent("the last packet", burst+1)

	r.injectFlows(0, burst)
	turn(burst)
	r.port.Advance(housekeepingPeriod)
	r.injectFlows(0, burst)
	turn(burst)
	r.wantSent("housekeeping", 2*burst)

	r.injectFlows(0, burst)
	turn(burst)
	r.world.add("10.0.0.2")
	r.publish()
	r.worker.adopt()
	r.wantSent("another program", burst)

	r.worker.haltFrom.flows = r.worker.conntrack.Len() + 1
	r.injectFlows(0, burst)
	turn(burst)
	r.wantSent("few flows", burst)
	r.worker.haltFrom.flows = 0

	for range burst {
		r.port.Inject(0, make([]byte, 60)) // is for nobody
	}
	turn(burst)
	turn(burst)
	r.account()

	r.injectFlows(0, burst)
	turn(burst)
	r.group.Stop()
	r.worker.Run()
	r.wantSent("the end", burst)
	r.worker.ports[0].Queue = loopPort(1<<10, 2*burst).Queue(0)
	r.worker.Run() // leaves what comes without end
	r.account()
}

// What is between cores when they end is forwarded, even if it fills a burst.
func TestDrainCompletes(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 2, rxQueues: 1, halts: true}, "10.0.0.1")
	n := f.nodes[0]
	for i := range burst {
		f.inject(0, 0, datagram(1, 1000+i, 0, 10, 1500, false)...)
	}
	n.workers[0].Turn()
	n.workers[0].Turn()
	handed := int(n.workers[0].counters.verdicts[HandedOver])
	if !n.group.Drain() || handed == 0 {
		t.Errorf("%d packets were handed over, and did not come to an end", handed)
	}
	if sent := len(n.port.Sent(1)); sent != handed {
		t.Errorf("%d of %d packets were sent", sent, handed)
	}
}

// A report that is asked for while a burst has halted counts each frame's end.
func TestHaltedIsReported(t *testing.T) {
	r := newHaltRig(t, "10.0.0.1")
	for _, ask := range []func() *Report{
		func() *Report {
			done := make(chan []*Report)
			go func() {
				reports, err := r.group.Reports(context.Background())
				if err != nil {
					t.Error(err)
				}
				done <- reports
			}()
			for {
				select {
				case reports := <-done:
					return reports[0]
				default:
					r.injectFlows(0, burst)
					r.worker.Turn()
				}
			}
		},
		func() *Report { return r.group.Final()[0] },
	} {
		r.injectFlows(0, burst)
		r.worker.Turn()
		report := ask()
		sum := uint64(0)
		for _, n := range report.Verdicts {
			sum += n
		}
		if sum != report.Received || sum == 0 {
			t.Errorf("received %d, ended %d", report.Received, sum)
		}
	}
}

// Packets of a flow leave in the order they came in, and for one backend, wherever its entry
// is in the connection table, and whatever else is in the burst.
func TestHaltKeepsOrder(t *testing.T) {
	r := newHaltRig(t, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	const flows = 250
	table, err := conntrack.New(conntrack.Config{
		Flows: flows, Seed: flow.Seed{A: 1, B: 2, C: 3},
		Timeouts: conntrack.Timeouts{TCPNew: time.Hour, TCPEstablished: time.Hour, TCPClosing: time.Hour, UDP: time.Hour, Other: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.worker.conntrack = table
	random := rand.New(rand.NewPCG(1, 1))
	next := map[uint16]uint32{}
	sent := map[uint16]uint32{}
	backend := map[uint16]uint32{}
	late := 0
	for step := range 4000 {
		for range random.IntN(3 * burst) {
			n := random.IntN(flows)
			flags := uint8(ack)
			switch random.IntN(40) {
			case 0:
				flags = packet.TCPFin | ack
			case 1:
				flags = packet.TCPRst
			}
			p := tcp4(n, flags, 4)
			binary.BigEndian.PutUint32(p[54:], next[uint16(n)])
			next[uint16(n)]++
			r.port.Inject(0, p)
		}
		if step == 2000 { // and nothing moves by that
			r.world.add("10.0.0.4")
			r.publish()
		}
		for range 1 + random.IntN(4) {
			r.worker.Turn()
			if r.worker.halted && r.worker.other.left|r.worker.other.later != 0 {
				late++
			}
		}
		if step == 3999 {
			for r.worker.Turn() != 0 {
			}
		}
		for _, f := range r.port.Sent(0) {
			ip := f[14+fib.GREOverhead4:]
			port, number, to := binary.BigEndian.Uint16(ip[20:]), binary.BigEndian.Uint32(ip[40:]), binary.BigEndian.Uint32(f[14+16:])
			if number != sent[port] {
				t.Fatalf("step %d: packet %d of flow %d left as number %d", step, number, port, sent[port])
			}
			if was, known := backend[port]; known && was != to {
				t.Fatalf("step %d: flow %d went from backend %x to %x", step, port, was, to)
			}
			sent[port]++
			backend[port] = to
		}
	}
	for n, want := range next {
		if sent[n] != want {
			t.Errorf("%d of %d packets of flow %d left", sent[n], want, n)
		}
	}
	if s := table.Stats(); late < 500 || s.Full != 0 || s.Evictions != 0 {
		t.Errorf("in %d turns something was left for later: %+v", late, s)
	}
	if c := r.worker.counters; c.services[0].packets != c.verdicts[Forwarded] {
		t.Errorf("%d packets were counted, and %d sent", c.services[0].packets, c.verdicts[Forwarded])
	}
}

// A burst with a packet to be traced does not halt, and neither it nor one that has halted
// before is told of wrongly.
func TestTraceBesideHalted(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1, halts: true}, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	f.trace(tracing)
	w, port := f.nodes[0].workers[0], f.nodes[0].port
	w.Turn() // and housekeeping has been done
	for i := range 100 {
		f.inject(0, 0, datagram(i, 1000, 0, 10, 1500, false)...)
		w.Turn()
		if sent := len(port.Sent(0)); sent != 0 || !w.halted {
			t.Fatalf("%d packets were sent by a burst that is to halt", sent)
		}
		frame := marked(i, 2000, 0, false, false)[0]
		f.inject(0, 0, frame)
		w.Turn()
		sent, traces := port.Sent(0), f.traces()
		if len(sent) != 2 || len(traces) != 1 || w.halted {
			t.Fatalf("%d packets were sent, %d told of", len(sent), len(traces))
		}
		if tr := &traces[0]; tr.Verdict != Forwarded || !bytes.Equal(tr.Came(), frame) || !bytes.Equal(tr.Sent(), sent[1]) {
			t.Fatalf("%v\ncame %x\nsent %x\nis   %x", tr.Verdict, tr.Came(), tr.Sent(), sent[1])
		}
	}
	f.shut()
}
