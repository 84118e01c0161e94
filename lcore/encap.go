package lcore

import "guideway/maglev/fib"

// encap puts each item's packet, without its Ethernet header and padding, into
// its tunnel, and sorts the frames by egress port.
func (w *Worker) encap() {
	for i := range w.items[:w.n] {
		it := &w.items[i]
		if it.tunnel == noTunnel {
			continue
		}
		t, f := w.snapshot.Tunnel(it.tunnel), w.rx.Frames[it.at]
		if it.inner > t.MaxInner {
			w.drop(f, TooBig)
			continue
		}
		l3, inner := int(it.l3), int(it.inner)
		front := f.Window(l3-fib.TunnelBlock, fib.TunnelBlock)
		if front == nil {
			w.drop(f, NoHeadroom)
			continue
		}
		t.Write(front, inner, it.tos, it.hash)
		f.Recut(l3-int(t.Len), int(t.Len)+inner) // within the buffer: the header just went there
		w.out[t.Port].Add(f)
	}
}
