package lcore

import "guideway/pmd"

// An outbox is frames for one port with a verdict each, which they have when
// the device takes them.
type outbox struct {
	frames   pmd.Burst
	verdicts [pmd.MaxBurst]Verdict
}

// emit puts a frame among those for a port.
func (w *Worker) emit(port int, f *pmd.Frame, v Verdict) {
	o := &w.others[port]
	if o.frames.N == pmd.MaxBurst {
		w.post(port)
	}
	if w.trace.n != 0 {
		w.trace.leaves(f, v, &o.frames, o.frames.N)
	}
	o.verdicts[o.frames.N] = v
	o.frames.Add(f)
}

// transmit hands the burst's frames over: those in tunnels and all others to
// their ports, what the kernel is to have to it, what other cores are to have to
// them, the dropped ones to their pools.
func (w *Worker) transmit() {
	for port := range w.ports {
		w.send(port)
		w.post(port)
		w.lift(port)
	}
	w.show()
	if w.drops.N != 0 {
		w.free()
	}
	if w.trace.n != 0 {
		w.tell()
	}
}

// send hands the tunnelled frames to a port.
func (w *Worker) send(port int) {
	b := &w.out[port]
	if b.N == 0 {
		return
	}
	if w.tapTx != nil {
		w.tapTx.copy(b, w.now, port)
	}
	offered := b.N
	sent := w.ports[port].Queue.Tx(b)
	w.counters.verdicts[Forwarded] += uint64(sent)
	w.counters.verdicts[TxFull] += uint64(offered - sent)
	if w.trace.n != 0 {
		w.trace.left(b, sent, TxFull)
	}
}

// post hands the other frames to a port.
func (w *Worker) post(port int) {
	o := &w.others[port]
	if o.frames.N == 0 {
		return
	}
	if w.tapTx != nil {
		w.tapTx.copy(&o.frames, w.now, port)
	}
	offered := o.frames.N
	sent := w.ports[port].Queue.Tx(&o.frames)
	for _, v := range o.verdicts[:sent] {
		w.counters.verdicts[v]++
	}
	w.counters.verdicts[TxFull] += uint64(offered - sent)
	if w.trace.n != 0 {
		w.trace.left(&o.frames, sent, TxFull)
	}
}

// free gives the dropped frames back. They know their pool: any queue of the
// driver frees them.
func (w *Worker) free() { w.ports[0].Queue.Free(&w.drops) }

// makeRoom frees the dropped frames if they fill half a burst, for those that
// add many at once.
func (w *Worker) makeRoom() {
	if w.drops.N > pmd.MaxBurst/2 {
		w.free()
	}
}
