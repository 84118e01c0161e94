package lcore

import (
	"net/netip"
	"sync/atomic"

	"guideway/fragments"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
)

// A Program is all that cores forward by. It is never changed.
type Program struct {
	Snapshot *fib.Snapshot
	Owners   *fragments.Owners // which node a datagram belongs to, its nodes being the Snapshot's; nil: this one
	ICMP     ICMP
	Tracing  Tracing
}

// ICMP says how a node speaks up about packets that it does not forward.
type ICMP struct {
	// Source4 and Source6 are the addresses that errors about packets of
	// either family come from; the zero Addr: the VIP that the packet was for.
	Source4, Source6 netip.Addr

	Rate   int  // errors that a core sends a second, and as many that it relays
	Relay  bool // errors about flows that this node does not know go to the other nodes
	Refuse bool // packets that no service of their VIP takes are answered with port unreachable
}

// An address is one in the words of a flow.Key.
type address struct {
	hi, lo uint64
	ipv6   bool
}

// A mailbox is all that a core and the control plane share. The core looks
// into it once a turn: loads and stores, no read-modify-write, no waiting.
type mailbox struct {
	_       [cacheLine]byte         // the core's own fields stay on lines of their own
	edition atomic.Pointer[edition] // writer: control; reader: core
	ask     atomic.Pointer[Report]  // writer: control; reader: core, which answers each pointer once
	query   atomic.Pointer[query]   // writer: control; reader: core, which answers each pointer once
	tap     atomic.Pointer[tap]     // writer: control; reader: core, which says when it has let go of the last
	stop    atomic.Bool             // writer: control; reader: core
	ping    atomic.Uint32           // writer: control; reader: core
	_       [cacheLine]byte
	echo    atomic.Uint64 // writer: core; reader: control
	pong    atomic.Uint32 // the last ping seen. writer: core; reader: control
	_       [cacheLine]byte
	traces  traceRing
	_       [cacheLine]byte
}

const cacheLine = 64

// An edition is a program with counters that are large enough for it.
type edition struct {
	program  *Program
	counters *counters // zero, until the core takes it over; its own from then on
	fresh    fresh     // whose counters begin at zero

	services, endpoints int // that counters have room for
}

// fresh are the ids that have come to name another service or endpoint than in
// the snapshot that the core works by.
type fresh struct {
	services, endpoints []uint32
}

// emptyProgram is what a core works by before it is given one.
var emptyProgram = func() Program {
	snapshot, err := fib.Build(fib.Spec{})
	if err != nil {
		panic("the empty snapshot does not build: " + err.Error())
	}
	return Program{Snapshot: snapshot}
}()

// adopt takes over what has been published since the last turn, and echoes it.
func (w *Worker) adopt() {
	if ping := w.mail.ping.Load(); ping != w.pong {
		w.pong = ping
		w.mail.pong.Store(ping)
	}
	if t := w.mail.tap.Load(); t != nil || w.tap != nil {
		w.keepTap(t)
	}
	e := w.mail.edition.Load()
	if e.program == w.program {
		return
	}
	w.complete()
	if e.counters != w.counters {
		e.counters.copyFrom(w.counters)
		w.counters = e.counters
	}
	w.counters.reset(e.fresh)
	w.use(e.program)
	w.mail.echo.Store(e.program.Snapshot.Generation)
}

// use makes p what this core works by.
func (w *Worker) use(p *Program) {
	if w.program == nil || p.ICMP.Rate != w.program.ICMP.Rate {
		w.errors, w.relays = newLimit(p.ICMP.Rate), newLimit(p.ICMP.Rate)
	}
	if w.program == nil || p.Tracing != w.program.Tracing {
		w.trace.set(p.Tracing)
	}
	w.program, w.snapshot, w.owners = p, p.Snapshot, p.Owners
	w.destinations = destinations{}
	if w.owners == nil {
		w.owners = alone
	}
	w.self = address{}
	if nodes := w.owners.Nodes(); len(nodes) > 0 {
		w.self.hi, w.self.lo, w.self.ipv6 = flow.Words(nodes[w.owners.Self()])
	}
}

// alone owns every datagram.
var alone = func() *fragments.Owners {
	o, err := fragments.NewOwners(nil, netip.Addr{})
	if err != nil {
		panic("the owners of one node: " + err.Error())
	}
	return o
}()
