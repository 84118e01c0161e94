package lcore

import "guideway/maglev/fib"

// encap puts each item's packet, without its Ethernet header and padding, into
// its tunnel, and sorts the frames by egress port.
func (w *Worker) encap() {
	for i := range w.items[:w.n] {
		it := &w.items[i]
		t := it.tunnel
		if t == nil {
			continue
		}
		f := it.frame
		if it.inner > t.MaxInner {
			w.drop(f, TooBig)
			continue
		}
		// l3 and inner are within the frame: packet.Parse saw to it.
		f.Shrink(int(it.l3))
		f.Trim(int(it.inner))
		if !f.Grow(fib.TunnelBlock) {
			w.drop(f, NoHeadroom)
			continue
		}
		t.Write(f.Bytes(), int(it.inner), it.tos)
		f.Shrink(fib.TunnelBlock - int(t.Len))
		w.out[t.Port].Add(f)
	}
}
