// Package lcore is the packet path: one Worker polls the queues of one core
// and takes every received frame to its verdict.
//
// A burst of up to 32 frames goes through stages, each over the
// whole burst, so that the memory which the next stage needs is fetched while
// this one works. One file each, in the order of the way:
//
//  1. rx            one call into the driver fills the burst       (rx.go)
//  2. parse         bytes -> headers -> service -> flow key, hash;
//     the connection table's line is prefetched                    (parse.go)
//  3. track         connection table, else Maglev table            (track.go)
//  4. encap         tunnel header from a prepared block            (encap.go)
//  5. tx            one call into the driver per egress port       (tx.go)
//  6. housekeeping  snapshot, ageing, reports, idling              (housekeeping.go)
//
// Every frame leaves exactly once, with one [Verdict]; the sum over verdicts
// is the number of frames received.
//
// Cores share nothing. A Worker's fields belong to its core, except for the
// few through which the control plane talks to it (see mailbox.go); a [Group]
// is the control plane's end of those.
package lcore

import (
	"time"

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/pmd"
	"guideway/pmd/prefetch"
)

// A PortQueue is a core's queue on one port.
type PortQueue struct {
	Queue pmd.Queue
	VLAN  uint16 // the port's VLAN; 0: untagged
}

// Config is what a Worker is made of.
type Config struct {
	CPU       int              // its core, a name for reports
	Ports     []PortQueue      // by port index, as in fib.TunnelSpec.Port
	Conntrack *conntrack.Table // its own

	// Idle, where set, is called when polling has found nothing for a while,
	// with how long to rest. Nil: the core polls all the time.
	Idle func(time.Duration)
}

// A Worker is the poll loop of one core.
type Worker struct {
	cpu       int
	ports     []PortQueue
	conntrack *conntrack.Table
	idle      func(time.Duration)

	snapshot *fib.Snapshot // the one this turn works by
	counters *counters
	answered *Report // the last one asked for

	rx      pmd.Burst             // the burst at hand
	items   [burst]item           // its frames that are still on their way
	n       int                   // how many items
	lines   [prefetch.Max]uintptr // what the next stage reads
	drops   pmd.Burst             // frames to free
	out     []pmd.Burst           // by egress port
	answers pmd.Burst             // to what came on the port at hand
	pace    pace                  // turns, gaps, idling

	mail mailbox // shared with the control plane
}

// An item is one frame on its way through the stages. It holds no pointer, so
// that filling it in costs the same while the garbage collector runs.
type item struct {
	key     flow.Key
	hash    uint64 // of the key, for the connection table
	tunnel  uint32 // index in the snapshot; noTunnel: dropped on the way
	at      uint16 // index of the frame in the burst
	service uint16
	l3      uint16 // offset of the inner IP header
	inner   uint16 // its packet's length in bytes, without the frame's padding
	tos     uint8
	event   conntrack.Event
}

const noTunnel = 1<<32 - 1

// New makes a Worker. It forwards nothing until a snapshot is published to it.
func New(c Config) *Worker {
	empty, err := fib.Build(fib.Spec{})
	if err != nil {
		panic("the empty snapshot does not build: " + err.Error())
	}
	w := &Worker{
		cpu:       c.CPU,
		ports:     c.Ports,
		conntrack: c.Conntrack,
		idle:      c.Idle,
		snapshot:  empty,
		counters:  newCounters(0, 0),
		out:       make([]pmd.Burst, len(c.Ports)),
	}
	w.mail.edition.Store(&edition{snapshot: w.snapshot, counters: w.counters})
	return w
}

// Run polls until Stop, then forwards what is still in the receive queues and
// returns. It runs on a goroutine locked to a thread on the worker's core.
func (w *Worker) Run() {
	for !w.mail.stop.Load() {
		w.Turn()
	}
	w.finish()
}

// Turn is one turn of the loop: a burst of each port, all the way, then what
// is due of housekeeping. It returns the number of frames received.
func (w *Worker) Turn() int {
	w.adopt()
	received := 0
	for port := range w.ports {
		n := w.receive(port)
		if n == 0 {
			continue
		}
		received += n
		w.parse(port)
		w.track()
		w.encap()
		w.transmit(port)
	}
	w.housekeep(received)
	return received
}

// finish forwards what has been received when the loop was told to stop, until
// the queues are empty or have been given as many turns as the largest ring
// holds bursts: a sender that goes on must not keep us here.
func (w *Worker) finish() {
	const turns = 8192 / burst
	for range turns {
		if w.Turn() == 0 {
			return
		}
	}
}
