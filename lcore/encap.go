package lcore

import (
	"guideway/maglev/fib"
	"guideway/pmd"
)

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
			w.tooBig(f, it.shape(w.snapshot.Service(it.service).Refragment), it.tunnel)
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
	w.n, w.rx.N = 0, 0
}

// A shape is what is known of a packet on its way into a tunnel, for all that
// does not come as an item.
type shape struct {
	hash    uint64 // picks among a tunnel's ways
	l3      uint16
	inner   uint16
	tos     uint8
	port    uint8 // that it was received on
	marks   uint8
	split   bool // may be fragmented
	verdict Verdict
}

// shape returns what wrap would have to know of an item.
func (it *item) shape(split bool) shape {
	return shape{hash: it.hash, l3: it.l3, inner: it.inner, tos: it.tos, port: it.port, marks: it.marks, split: split, verdict: Forwarded}
}

// wrap does encap's work for one packet that is no item, and sends it.
func (w *Worker) wrap(f *pmd.Frame, s shape, tunnel uint32) {
	t := w.snapshot.Tunnel(tunnel)
	if s.inner > t.MaxInner {
		w.tooBig(f, s, tunnel)
		return
	}
	l3, inner := int(s.l3), int(s.inner)
	front := f.Window(l3-fib.TunnelBlock, fib.TunnelBlock)
	if front == nil {
		w.drop(f, NoHeadroom)
		return
	}
	t.Write(front, inner, s.tos, s.hash)
	f.Recut(l3-int(t.Len), int(t.Len)+inner)
	w.emit(int(t.Port), f, s.verdict)
}
