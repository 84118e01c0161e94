package lcore

// transmit hands the burst's frames over: those on their way to their egress
// ports, the dropped ones to their pools.
func (w *Worker) transmit() {
	for port := range w.out {
		b := &w.out[port]
		if b.N == 0 {
			continue
		}
		offered := b.N
		sent := w.ports[port].Queue.Tx(b)
		w.counters.verdicts[Forwarded] += uint64(sent)
		w.counters.verdicts[TxFull] += uint64(offered - sent)
	}
	if w.drops.N != 0 {
		// Frames know their pool: any queue of the driver frees them.
		w.ports[0].Queue.Free(&w.drops)
	}
}
