package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// Tracing says which packets are traced (section 4.2 of the paper): those whose
// mark begins with Knock. They are forwarded like any others; what became of
// each is told to the control plane, which judges the rest of the mark.
type Tracing struct {
	Knock uint64 // not known to strangers, so that they cannot use up Rate
	Rate  int    // so many a second on each core; 0: none is looked for
}

// A Trace is what became of one traced packet on one core. It holds no pointer.
type Trace struct {
	CPU        int
	Generation uint64    // of the snapshot that the core worked by
	Verdict    Verdict   // Unset: Held
	Held       bool      // it waits for its datagram's first fragment, and is told of again
	Steered    bool      // another core handed it over
	Redirected bool      // another node sent it here; where that core took the tunnel off, only this says so
	Service    int       // id of the service that it is for; -1: none, or not this core's to say
	Was        fib.Value // endpoint that the connection table had for its flow; 0: none, or it was not asked

	came, sent       [packet.TracedFrame]byte
	cameLen, sentLen uint8
}

// Came returns the frame as it came to the core, without its Ethernet header if
// it was held before.
func (t *Trace) Came() []byte { return t.came[:t.cameLen] }

// Sent returns the frame as it was to be sent, as far as a tunnel's headers
// reach in any case; nothing if it was not.
func (t *Trace) Sent() []byte { return t.sent[:t.sentLen] }

// pending is the trace of a frame of the burst at hand.
type pending struct {
	Trace
	frame *pmd.Frame // nil: it is this core's no more
	box   *pmd.Burst // that it is in to be sent, at place at
	at    int
}

// maxTraces is how many frames of one burst are traced.
const maxTraces = burst

// tracer is what a core needs to trace. Only tracing and n are looked at while
// there is nothing to trace: once a burst, and where a packet's way ends other
// than in a tunnel.
type tracer struct {
	tracing bool
	n       int // of list
	knock   uint64
	limit   limit
	list    [maxTraces]pending
}

// set begins to trace what t says.
func (t *tracer) set(to Tracing) {
	t.tracing, t.knock, t.limit = to.Rate > 0, to.Knock, newLimit(to.Rate)
}

// spotAll finds the traced packets of the burst. What it costs the others is
// the look at a length.
func (w *Worker) spotAll() {
	for _, f := range w.rx.Frames[:w.rx.N] {
		w.spot(f, 0)
	}
}

// spot begins a trace if a frame's packet, which has come with marks, is to be
// traced.
func (w *Worker) spot(f *pmd.Frame, marks uint8) {
	if packet.TracedLen(f.Len()) {
		w.begin(f, marks)
	}
}

func (w *Worker) begin(f *pmd.Frame, marks uint8) {
	t, b := &w.trace, f.Bytes()
	if packet.MarkKnock(packet.Mark(b)) != t.knock {
		return
	}
	if t.n == 0 {
		w.complete() // what ends by that is not to end this trace
	}
	if t.n == maxTraces || !t.limit.pass(w.now) {
		w.counters.tracesLimited++
		return
	}
	p := &t.list[t.n]
	t.n++
	p.frame, p.box = f, nil
	p.CPU, p.Generation, p.Verdict = w.cpu, w.snapshot.Generation, Unset
	p.Steered, p.Redirected = marks&steered != 0, marks&redirected != 0
	p.Held, p.Service, p.Was = false, -1, 0
	p.cameLen, p.sentLen = uint8(copy(p.came[:], b)), 0
}

// of returns the trace of a frame, or nil.
func (t *tracer) of(f *pmd.Frame) *pending {
	for i := range t.list[:t.n] {
		if p := &t.list[i]; p.frame == f {
			return p
		}
	}
	return nil
}

// ended notes that a frame is not this core's any more, and why.
func (t *tracer) ended(f *pmd.Frame, v Verdict) {
	if p := t.of(f); p != nil {
		p.frame, p.Verdict = nil, v
	}
}

// waits notes that a frame is held.
func (t *tracer) waits(f *pmd.Frame) {
	if p := t.of(f); p != nil {
		p.frame, p.Held = nil, true
	}
}

// follows notes the service of a fragment that goes where its datagram goes.
func (t *tracer) follows(f *pmd.Frame, service uint16) {
	if p := t.of(f); p != nil {
		p.Service = int(service)
	}
}

// leaves notes that a frame is to be sent, as the one at the given place of a
// box.
func (t *tracer) leaves(f *pmd.Frame, v Verdict, box *pmd.Burst, at int) {
	if p := t.of(f); p != nil {
		p.Verdict, p.box, p.at = v, box, at
		p.sentLen = uint8(copy(p.sent[:], f.Bytes()))
	}
}

// left notes that the device took so many frames of a box, and what became of
// the others.
func (t *tracer) left(box *pmd.Burst, taken int, v Verdict) {
	for i := range t.list[:t.n] {
		if p := &t.list[i]; p.box == box {
			if p.at >= taken {
				p.Verdict = v
			}
			p.frame, p.box = nil, nil
		}
	}
}

// noteEntries notes what is known of the traced items before track changes it.
func (w *Worker) noteEntries() {
	now := conntrack.Ticks(w.now)
	for i := range w.items[:w.n] {
		it := &w.items[i]
		if p := w.trace.of(w.rx.Frames[it.at]); p != nil {
			p.Service = int(it.service)
			if at, known := w.conntrack.Find(&it.key, it.hash, now); known {
				p.Was = fib.Value(w.conntrack.Value(at))
			}
		}
	}
}

// noteOut notes which traced frames encap has put into their tunnels.
func (w *Worker) noteOut() {
	for port := range w.out {
		out := &w.out[port]
		for at, f := range out.Frames[:out.N] {
			w.trace.leaves(f, Forwarded, out, at)
		}
	}
}

// noteLost notes that the dropped frames from the given one on, which waited
// until now, are given up.
func (w *Worker) noteLost(from int, v Verdict) {
	for _, f := range w.drops.Frames[from:w.drops.N] {
		w.spot(f, 0)
		w.trace.ended(f, v)
	}
}

// tell tells the control plane what became of the burst's traced frames. What
// another core goes on with is that one's to tell of.
func (w *Worker) tell() {
	for i := range w.trace.list[:w.trace.n] {
		p := &w.trace.list[i]
		switch {
		case p.Verdict == HandedOver || p.Verdict == Unset && !p.Held:
		case w.mail.traces.give(&p.Trace):
			w.counters.traced++
		default:
			w.counters.tracesLimited++
		}
		p.frame, p.box = nil, nil
	}
	w.trace.n = 0
}
