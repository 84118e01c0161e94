package lcore

import "sync/atomic"

// traceSlots is how many traces wait for the control plane: a power of two.
const traceSlots = 64

// A traceRing carries traces from a core to the control plane: a queue of one
// giver and one taker, without locks, as ring.
type traceRing struct {
	given atomic.Uint64 // slots ever filled. writer: core; reader: control
	_     [cacheLine - 8]byte
	taken atomic.Uint64 // slots ever emptied. writer: control; reader: core
	_     [cacheLine - 8]byte
	slots [traceSlots]Trace // those from taken to given are the taker's, the rest the giver's
}

// give copies t into a slot and tells whether there was one.
func (r *traceRing) give(t *Trace) bool {
	given := r.given.Load()
	if given-r.taken.Load() == traceSlots {
		return false
	}
	r.slots[given%traceSlots] = *t
	r.given.Store(given + 1)
	return true
}

// Traces calls each with every trace that cores have told of since it was last
// called, in the order of each core; the trace is each's until it returns. One
// caller at a time.
func (g *Group) Traces(each func(*Trace)) {
	g.tracing.Lock()
	defer g.tracing.Unlock()
	for _, w := range g.workers {
		r := &w.mail.traces
		given := r.given.Load()
		for at := r.taken.Load(); at != given; at++ {
			each(&r.slots[at%traceSlots])
			r.taken.Store(at + 1)
		}
	}
}
