package lcore

import (
	"guideway/maglev/fib"
	"guideway/pmd"
)

// encap puts each item's packet, without its Ethernet header and padding, into
// its tunnel, and sorts the frames by egress port.
func (w *Worker) encap() {
	for at := 0; at < w.n; at++ {
		if at = w.enclose(at); at == w.n {
			break
		}
		if it := &w.items[at]; it.tunnel != noTunnel {
			w.wrap(w.rx.Frames[it.at], it.shape(w.snapshot.Service(it.service).Refragment), it.tunnel)
		}
	}
	w.n, w.rx.N = 0, 0
}

// enclose puts the items from one on into their tunnels, up to the first that has
// none or does not fit. It returns the index of that item, and of none their
// number. What it does is what wrap would do.
func (w *Worker) enclose(at int) int {
	tunnels := w.snapshot.Tunnels()
	for port := 0; ; {
		out := &w.out[port]
		n := encloseBurst(w.items[at:w.n], &w.rx.Frames, tunnels, uint16(port), out, out.N)
		out.N += n
		at += n
		if at == w.n || w.items[at].tunnel == noTunnel {
			return at
		}
		to := int(w.snapshot.Tunnel(w.items[at].tunnel).Port)
		if to == port {
			return at // too big, or no headroom
		}
		port = to
	}
}

// encloseEach puts the first items into their tunnels that are not marked
// noTunnel, fit them, and go out by the given port, and their frames into out, from
// n on, as far as that has room. It returns how many these are.
func encloseEach(items []item, frames *[pmd.MaxBurst]*pmd.Frame, tunnels []fib.Tunnel, port uint16, out *pmd.Burst, n int) int {
	items = items[:min(len(items), pmd.MaxBurst-n)]
	for i := range items {
		it := &items[i]
		if it.tunnel >= uint32(len(tunnels)) { // noTunnel too
			return i
		}
		t, f := &tunnels[it.tunnel], frames[it.at%pmd.MaxBurst]
		front := f.Front(int(it.l3))
		if it.Len > t.MaxInner || t.Port != port || front == nil || !f.Recut(int(it.l3)-int(t.Len), int(t.Len)+int(it.Len)) {
			return i
		}
		t.Write(front, it.Len, it.TOS, it.hash)
		out.Put(n+i, f)
	}
	return len(items)
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
	return shape{hash: it.hash, l3: it.l3, inner: it.Len, tos: it.TOS, port: it.port, marks: it.marks, split: split, verdict: Forwarded}
}

// wrap does encap's work for one packet that is no item, and sends it.
func (w *Worker) wrap(f *pmd.Frame, s shape, tunnel uint32) {
	t := w.snapshot.Tunnel(tunnel)
	if s.inner > t.MaxInner {
		w.tooBig(f, s, tunnel)
		return
	}
	l3, inner := int(s.l3), int(s.inner)
	front := f.Front(l3)
	if front == nil {
		w.drop(f, NoHeadroom)
		return
	}
	t.Write(front, s.inner, s.tos, s.hash)
	f.Recut(l3-int(t.Len), int(t.Len)+inner)
	w.emit(int(t.Port), f, s.verdict)
}
