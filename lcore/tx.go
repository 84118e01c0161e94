package lcore

import "guideway/pmd"

// transmit hands the burst's frames over: those on their way to their egress
// ports, answers to the port they came from, the dropped ones to their pools.
func (w *Worker) transmit(port int) {
	for egress := range w.out {
		w.send(egress, &w.out[egress], Forwarded)
	}
	w.send(port, &w.answers, EchoAnswered)
	if w.drops.N != 0 {
		// Frames know their pool: any queue of the driver frees them.
		w.ports[0].Queue.Free(&w.drops)
	}
}

// send hands frames to a port, and counts those that it takes as v.
func (w *Worker) send(port int, b *pmd.Burst, v Verdict) {
	if b.N == 0 {
		return
	}
	offered := b.N
	sent := w.ports[port].Queue.Tx(b)
	w.counters.verdicts[v] += uint64(sent)
	w.counters.verdicts[TxFull] += uint64(offered - sent)
}
