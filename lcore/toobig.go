package lcore

import (
	"guideway/maglev/packet"
	"guideway/pmd"
)

// tooBig deals with a packet that does not fit its tunnel: what may be
// fragmented is, before it goes into the tunnel (RFC 4459, 3.4: no backend has to
// put tunnelled packets together), and of what may not be the sender is told.
func (w *Worker) tooBig(f *pmd.Frame, s shape, tunnel uint32) {
	v := TooBig
	switch {
	case whole(f.Bytes()[s.l3:]):
		v = w.tellTooBig(f, s, w.snapshot.Tunnel(tunnel).MaxInner)
	case s.split:
		v = w.split(f, s, tunnel)
	}
	if v != gone {
		w.drop(f, v)
	}
}

// whole tells whether a packet must stay as it is: IPv6, or Don't Fragment.
func whole(ip []byte) bool { return ip[0]>>4 == 6 || ip[ipv4Flags]&dontFragment != 0 }

// Don't Fragment, RFC 791, 3.1, in the byte of the flags.
const (
	ipv4Flags    = 6
	dontFragment = 0x40
)

// split cuts an IPv4 packet into fragments that fit tunnel t and sends each in
// it. The first stays in the frame; the others are made.
func (w *Worker) split(f *pmd.Frame, s shape, tunnel uint32) Verdict {
	ip := f.Bytes()[s.l3:][:s.inner]
	pieces, ok := packet.FragmentIPv4(ip, int(w.snapshot.Tunnel(tunnel).MaxInner))
	if !ok || !w.newFrames(pieces.N-1) {
		return TooBig
	}
	made := w.fresh.N
	w.fresh.N = 0
	for i, g := range w.fresh.Frames[:made] {
		if !g.Recut(0, pieces.Len(i+1)) || !pieces.Put(g.Bytes(), ip, i+1) {
			g.Recut(0, 0) // the buffer is too small
		}
	}
	part := s
	part.inner = uint16(pieces.First(ip))
	w.wrap(f, part, tunnel) // ip is not ours any more
	part.l3 = 0
	for _, g := range w.fresh.Frames[:made] {
		if part.inner = uint16(g.Len()); part.inner == 0 {
			w.drop(g, NoFrame)
			continue
		}
		w.wrap(g, part, tunnel)
	}
	return gone
}
