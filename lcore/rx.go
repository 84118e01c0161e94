package lcore

import "guideway/pmd"

// burst is how many frames go through the stages together. With 32, what the
// stages touch of them (mbuf, headers, headroom, table line, item) fits a
// first-level cache of 32 KiB; with 64 it does not, which costs more than the
// calls into the driver save.
const burst = 32

// receive fills the burst from a port and returns how many frames came.
func (w *Worker) receive(port int) int {
	w.ports[port].Queue.Rx(&w.rx, burst)
	w.now = w.rx.Now
	if port == 0 {
		w.pace.polled(w.now)
	}
	w.counters.received += uint64(w.rx.N)
	if w.tapRx != nil {
		w.tapRx.copy(&w.rx, w.now, port)
	}
	return w.rx.N
}

// drop ends a frame's way. Frames are freed together.
func (w *Worker) drop(f *pmd.Frame, v Verdict) {
	if w.drops.N == pmd.MaxBurst {
		w.free()
	}
	if w.trace.n != 0 {
		w.trace.ended(f, v)
	}
	w.counters.verdicts[v]++
	w.drops.Add(f)
}
