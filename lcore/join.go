package lcore

import (
	"guideway/fragments"
	"guideway/maglev/fib"
	"guideway/pmd"
)

// join brings the fragments of the burst to their datagrams: first the first
// ones, whose backend is chosen by now, then the later ones, so that pieces
// which arrive together never wait.
func (w *Worker) join() {
	for i := range w.pieces[:w.np] {
		if pc := &w.pieces[i]; pc.kind == fragments.First {
			w.joinFirst(pc)
		}
	}
	for i := range w.pieces[:w.np] {
		if pc := &w.pieces[i]; pc.kind == fragments.Later {
			w.joinLater(pc)
		}
	}
	w.np = 0
}

// joinFirst forwards a first fragment to what was chosen for its flow, with all
// that waited for it; or hands it to the core where its datagram's pieces meet.
func (w *Worker) joinFirst(pc *piece) {
	f := w.rx.Frames[pc.at]
	if pc.item != noItem {
		it := &w.items[pc.item]
		if it.tunnel == noTunnel {
			return // track has dropped it
		}
		it.tunnel = noTunnel // not encap's: it goes its own way from here
		if meet := w.picked(pc.hash); meet != w.index {
			if v := w.hand(meet, f, passage{value: pc.value, port: pc.port, marks: pc.marks | steered | decided}); v != gone {
				w.drop(f, v)
			}
			return
		}
	}
	value, decision := w.fragments.First(&pc.Piece, uint32(pc.value), w.now, &w.released)
	e := w.follow(value, decision)
	w.advance(pc, f, e, decision)
	for _, f := range w.released.Frames[:w.released.N] {
		if w.trace.tracing {
			w.spot(f, pc.marks)
		}
		w.advanceHeld(pc, f, e, decision)
	}
	w.released.N = 0
}

// joinLater forwards a later fragment after its first, or leaves it with the
// table until that comes.
func (w *Worker) joinLater(pc *piece) {
	f := w.rx.Frames[pc.at]
	f.Recut(int(pc.l3), int(pc.inner)) // what is held is the packet alone
	w.makeRoom()
	before := w.drops.N
	value, decision := w.fragments.Later(&pc.Piece, f, w.now, &w.drops)
	w.counters.verdicts[FragmentPushedOut] += uint64(w.drops.N - before)
	if w.trace.tracing {
		w.noteLost(before, FragmentPushedOut)
	}
	if decision == fragments.Held && w.trace.n != 0 {
		w.trace.waits(f)
	}
	if decision != fragments.Held {
		f.Recut(-int(pc.l3), int(pc.l3)+int(pc.inner)) // with what is in front of it still
		w.advance(pc, f, w.follow(value, decision), decision)
	}
}

// follow returns the endpoint that a datagram follows, or nil if there is none
// (any more).
func (w *Worker) follow(value uint32, decision fragments.Decision) *fib.Endpoint {
	if decision != fragments.Forward {
		return nil
	}
	e, valid := w.snapshot.EndpointOf(fib.Value(value))
	if !valid || e.State < fib.Draining || e.Ways == 0 {
		return nil
	}
	return e
}

// advance takes a fragment further after a decision about it.
func (w *Worker) advance(pc *piece, f *pmd.Frame, e *fib.Endpoint, decision fragments.Decision) {
	if e == nil {
		w.drop(f, lost(decision))
		return
	}
	if pc.item == noItem && pc.marks&decided == 0 { // else track has counted it, here or on the flow's core
		w.count(e, pc.inner)
	}
	if w.trace.n != 0 {
		w.trace.follows(f, e.Service)
	}
	split := w.snapshot.Service(e.Service).Refragment
	w.wrap(f, shape{l3: pc.l3, inner: pc.inner, tos: pc.tos, port: pc.port, marks: pc.marks, hash: pc.hash, split: split, verdict: Forwarded}, e.Way(pc.hash))
}

// advanceHeld takes further what was held: the packet alone, without Ethernet.
func (w *Worker) advanceHeld(first *piece, f *pmd.Frame, e *fib.Endpoint, decision fragments.Decision) {
	b := f.Bytes()
	tos := b[1]
	if b[0]>>4 == 6 {
		tos = b[0]<<4 | b[1]>>4
	}
	held := *first
	held.l3, held.inner, held.tos, held.item = 0, uint16(len(b)), tos, noItem
	held.marks &^= decided
	w.advance(&held, f, e, decision)
}

// lost is the verdict of a fragment that has nowhere to go after a decision.
func lost(d fragments.Decision) Verdict {
	if d == fragments.Forward {
		return NoBackend
	}
	return decisionVerdicts[d]
}

// decisionVerdicts gives the verdict for each decision that drops a fragment.
var decisionVerdicts = [fragments.Decisions]Verdict{
	fragments.Overlap:       FragmentOverlap,
	fragments.TooManyPieces: FragmentTooManyPieces,
	fragments.TooManyHeld:   FragmentTooManyHeld,
	fragments.TooManyBytes:  FragmentTooManyBytes,
}

// expire gives up the fragments that have waited too long. The burst at hand is
// over, so that drops is empty: the largest datagram fits, and nothing is left
// for a burst that may not come.
func (w *Worker) expire() {
	if n := w.fragments.Expire(w.now, &w.drops); n > 0 {
		w.counters.verdicts[FragmentExpired] += uint64(n)
		if w.trace.tracing {
			w.noteLost(0, FragmentExpired)
			w.tell()
		}
		w.free()
	}
}

// giveUp gives up all fragments that wait, at the end.
func (w *Worker) giveUp() {
	for n := 1; n > 0; {
		n = w.fragments.Drain(&w.drops)
		w.counters.verdicts[FragmentDrained] += uint64(n)
		w.free()
	}
}
