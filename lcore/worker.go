// Package lcore is the packet path: one Worker polls the queues of one core
// and takes every received frame to its verdict.
//
// A burst of up to 32 frames goes through stages, each over the
// whole burst, so that the memory which the next stage needs is fetched while
// this one works. One file each, in the order of the way:
//
//  1. rx            one call into the driver fills the burst       (rx.go)
//  2. parse         bytes -> headers -> service -> flow key, hash;
//     the connection table's line is prefetched                    (parse.go,
//     destination.go; fragment.go, icmp.go: packets that are not
//     whole, or speak of others)
//  3. steer         what is another core's goes there by a ring    (steer.go,
//     ring.go), what is for no VIP to the kernel                   (kernel.go)
//  4. track         connection table, else Maglev table            (track.go)
//  5. join          fragments follow their first, or wait for it   (join.go)
//  6. encap         tunnel header from a prepared block            (encap.go;
//     toobig.go: what does not fit; answer.go: who is told)
//  7. tx            one call into the driver per egress port       (tx.go)
//  8. housekeeping  snapshot, ageing, reports, idling              (housekeeping.go)
//
// For the packets that nearly all are, the stages parse, track and encap have a loop
// each that takes them all in one go: readBurst, trackBurst, encloseBurst (burst.go).
// On amd64 these are in assembly, held by tests to readEach, trackEach and encloseEach
// beside them, which other machines run. What a loop does not take goes the long way.
//
// A full burst halts behind track if the connection table is large, and goes on when
// the next one has been parsed (forward): memory is slower than a stage.
//
// Packets that somebody wants traced go the same way; where it turns, it is
// noted (trace.go).
//
// Every frame leaves exactly once, with one [Verdict]. Frames come from ports
// and from the kernel (received), from other cores (taken), and a few are made
// here (made); what is not held by the fragment table has had its verdict:
//
//	received + taken + made == sum over verdicts + held
//
// Beside the way stands tap.go: copies of what passes behind rx or in front of tx,
// while somebody captures.
//
// Cores share nothing but the rings between them. A Worker's fields belong to
// its core, except for the few through which the control plane talks to it (see
// mailbox.go); a [Group] is the control plane's end of those.
package lcore

import (
	"time"

	"guideway/fragments"
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// A PortQueue is a core's queue on one port.
type PortQueue struct {
	Queue pmd.Queue
	VLAN  uint16 // the port's VLAN; 0: untagged

	// RSS is how the device spreads flows over the cores, queue i being that
	// of core i; nil: it does not tell, or does not.
	RSS *pmd.RSS

	// Steer says that flows are spread over the cores here, and not by the
	// device.
	Steer bool

	// KernelRate is how many frames of each class this core sends up to the
	// port's kernel interface a second; 0: there is none.
	KernelRate int
	Kernel     pmd.Queue // that interface, for the one core that serves it; else nil
}

// Config is what a Worker is made of.
type Config struct {
	CPU       int              // its core, a name for reports
	Ports     []PortQueue      // by port index, as in fib.TunnelSpec.Port; at most MaxPorts
	Conntrack *conntrack.Table // its own; all cores' tables have one seed
	Fragments *fragments.Table // its own

	// Idle, where set, is called when polling has found nothing for a while,
	// with how long to rest. Nil: the core polls all the time.
	Idle func(time.Duration)

	// Stay, where set, is called each millisecond by a loop that has its thread and
	// its processor for itself, and is to keep both: timeslice.Renew.
	Stay func()
}

// MaxPorts is how many ports a core can have: what fits a frame's passage.
const MaxPorts = 256

// A Worker is the poll loop of one core.
type Worker struct {
	batches      [2]batch     // each packet's part is on cache lines of its own: a Worker begins on one
	destinations destinations // known ones, of the program

	cpu       int
	ports     []PortQueue
	conntrack *conntrack.Table
	fragments *fragments.Table
	idle      func(time.Duration)
	stay      func()

	// The other cores: see NewGroup.
	index      int
	to, from   []*ring // by core; nil at index
	given      coreSet // who was handed something in this burst, and has not seen it
	awake      coreSet // whose rings this core looks into
	kernelCore int     // who serves the kernel's interfaces
	descended  int64   // when that core last asked them
	checked    int64   // when check last looked
	spare      int     // who got the last frame that found its core's ring full

	// What this turn works by.
	program  *Program
	snapshot *fib.Snapshot     // of program
	owners   *fragments.Owners // likewise
	self     address           // of this node among them
	counters *counters
	answered *Report // the last one asked for
	asked    *query  // the last one answered
	pong     uint32  // the last ping seen
	tap      *tap    // nil: nobody captures
	tapRx    *tap    // tap, if it is for what is received
	tapTx    *tap    // tap, if it is for what is sent

	*batch                               // at hand
	other    *batch                      // the one before, or after
	halted   bool                        // other is half way, and is to be completed
	haltFrom struct{ frames, flows int } // see forward
	now      int64                       // when the last burst was received
	headers  packet.Headers              // of the frame at hand, away from the fast path

	drops    pmd.Burst   // frames to free
	out      []pmd.Burst // tunnelled, by egress port
	others   []outbox    // all else that is sent, by port
	up       []pmd.Burst // for the kernel, by port
	down     pmd.Burst   // from the kernel
	released pmd.Burst   // held fragments whose first came
	fresh    pmd.Burst   // frames made here

	pace     pace             // turns, gaps, idling
	upLimits [][classes]limit // by port
	errors   limit            // ICMP errors sent
	relays   limit            // ICMP errors relayed
	trace    tracer

	mail mailbox // shared with the control plane
	bell bell    // shared with the other cores
}

// A batch is a burst on its way through the stages.
type batch struct {
	items  [burst]item            // frames that are still on their way
	places [burst]conntrack.Place // what track reads of each
	came   int                    // with how many frames
	n      int                    // how many items
	left   uint64                 // those that track has left to trackLate, a bit each
	later  uint64                 // likewise, whose entries may be where their places are now
	rx     pmd.Burst              // the frames
	pieces [burst]piece           // fragments among them
	np     int                    // how many pieces
	_      [cacheLine]byte
}

// An item is one frame on its way through the stages. It holds no pointer, so
// that filling it in costs the same while the garbage collector runs, and is a
// cache line.
type item struct {
	key         flow.Key
	hash        uint64 // of the key, for the connection table and the way
	flow.Common        // of the packet that goes into the tunnel
	tunnel      uint32 // index in the snapshot; noTunnel: not for encap (any more)
	service     uint16
	l3          uint16 // offset of that packet's IP header
	at          uint8  // index of the frame in the burst
	event       conntrack.Event
	port        uint8 // that it was received on
	marks       uint8 // of its passage, and first
}

const noTunnel = 1<<32 - 1

// New makes a Worker. It forwards nothing until a program is published to it.
func New(c Config) *Worker {
	if len(c.Ports) > MaxPorts {
		panic("more ports than a passage can name")
	}
	w := &Worker{
		cpu:       c.CPU,
		ports:     c.Ports,
		conntrack: c.Conntrack,
		fragments: c.Fragments,
		idle:      c.Idle,
		stay:      c.Stay,
		counters:  newCounters(0, 0),
		out:       make([]pmd.Burst, len(c.Ports)),
		others:    make([]outbox, len(c.Ports)),
		up:        make([]pmd.Burst, len(c.Ports)),
		upLimits:  apart[[classes]limit](len(c.Ports)),
	}
	for port, p := range c.Ports {
		for class := range classes {
			w.upLimits[port][class] = newLimit(p.KernelRate)
		}
	}
	w.haltFrom.frames, w.haltFrom.flows = burst, manyFlows
	w.batch, w.other = &w.batches[0], &w.batches[1]
	w.use(&emptyProgram)
	w.mail.edition.Store(&edition{program: w.program, counters: w.counters})
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

// Turn is one turn of the loop: a burst of each port, of each other core and of
// the kernel, all the way, then what is due of housekeeping. A full burst may halt half
// way, for the next turn to complete. It returns the number of frames that it found, or, if
// there were none, of those that it completed.
func (w *Worker) Turn() int {
	w.adopt()
	found := 0
	for port := range w.ports {
		if n := w.receive(port); n != 0 {
			found += n
			if w.trace.tracing {
				w.spotAll()
			}
			w.parse(port)
			w.check(port)
			w.forward(n)
		}
	}
	found += w.takeOver()
	if found == 0 {
		found = w.complete()
	}
	found += w.descend()
	w.housekeep(found)
	return found
}

// manyFlows is how many flows have a connection table of which little is in the caches:
// 5 MB of it.
const manyFlows = 1 << 17

// forward takes the burst at hand, which came with n frames, from its flow keys to the wire.
//
// What it needs of a large connection table takes longer to come from memory than a stage
// does. So where more frames are to be expected, because a burst was full, it stops half way,
// and goes on when the next burst has been received and parsed. Traced packets do not wait.
func (w *Worker) forward(n int) {
	halt := n >= w.haltFrom.frames && w.conntrack.Len() >= w.haltFrom.flows && w.trace.n == 0
	w.complete()
	if w.trace.n != 0 {
		w.noteEntries()
	}
	w.track(halt)
	if halt {
		w.came, w.halted = n, true
		w.turnOver()
		return
	}
	w.dispatch()
}

// complete takes the burst that has halted to the wire, if there is one, and returns with
// how many frames it came.
func (w *Worker) complete() int {
	if !w.halted {
		return 0
	}
	w.halted = false
	w.turnOver()
	n := w.came
	w.trackLate()
	w.dispatch()
	w.turnOver()
	return n
}

// dispatch takes the burst at hand, of which each item has its tunnel, to the wire.
func (w *Worker) dispatch() {
	w.join()
	w.encap()
	if w.trace.n != 0 {
		w.noteOut()
	}
	w.transmit()
}

// turnOver puts the other batch at hand.
func (w *Worker) turnOver() { w.batch, w.other = w.other, w.batch }

// finish forwards what has been received when the loop was told to stop, until
// the queues are empty or have been given as many turns as the largest ring
// holds bursts: a sender that goes on must not keep us here. What is between
// cores by then, or held, is for Group.Drain.
func (w *Worker) finish() {
	const turns = 8192 / burst
	for range turns {
		if w.Turn() == 0 {
			return
		}
	}
	w.complete()
}
