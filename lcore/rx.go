package lcore

import "guideway/pmd"

// receive fills the burst from a port and returns how many frames came.
func (w *Worker) receive(port int) int {
	w.ports[port].Queue.Rx(&w.rx, pmd.MaxBurst)
	if port == 0 {
		w.pace.polled(w.rx.Now)
	}
	w.counters.received += uint64(w.rx.N)
	return w.rx.N
}

// drop ends a frame's way. The frames of a burst are freed together when it is
// done.
func (w *Worker) drop(f *pmd.Frame, v Verdict) {
	w.counters.verdicts[v]++
	w.drops.Add(f)
}
