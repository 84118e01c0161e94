package lcore

import (
	"guideway/fragments"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// A piece is one fragment of the burst on its way to its datagram.
type piece struct {
	fragments.Piece
	hash  uint64    // of Piece.Key: which core, which way
	value fib.Value // of a first fragment: what was chosen for its flow
	item  int16     // of a first fragment: index of its item; noItem: value is known
	at    uint8     // index of the frame in the burst
	kind  fragments.Kind
	tos   uint8
	port  uint8
	marks uint8
	l3    uint16
	inner uint16
}

const noItem = -1

// fragment finds out where a fragment for a VIP is to be: on the node that owns
// its datagram; there, a first one on its flow's core to be scheduled, then like
// the others on the core where the pieces of the datagram meet. If that is here,
// it is noted among the pieces, and a first fragment that is to be scheduled
// becomes an item as well: only then is the answer Unset.
func (w *Worker) fragment(f *pmd.Frame, frame []byte, it *item, h *packet.Headers, p passage) Verdict {
	if !w.snapshot.Fragments(&it.key) {
		return w.unlessNotVIP(it, FragmentDropped)
	}
	pc := &w.pieces[w.np]
	pc.kind = fragments.Read(frame, h, &pc.Piece)
	if v := kindVerdicts[pc.kind]; v != Unset {
		return v
	}
	pc.l3, pc.inner, pc.tos, pc.port, pc.marks = h.L3, h.End-h.L3, h.TOS, p.port, p.marks
	pc.hash = w.conntrack.Hash(&pc.Key)
	if p.marks&redirected == 0 {
		if node, self := w.owners.Owner(&pc.Key); !self {
			return w.redirect(f, pc, node, h.IPv6)
		}
	}
	pc.at, pc.item, pc.value = it.at, noItem, p.value
	if pc.kind == fragments.First && p.marks&decided == 0 {
		it.key.Read(frame, h)
		if v := w.match(it, h); v != Unset {
			return v
		}
		if !w.snapshot.Service(it.service).Fragments {
			return FragmentDropped
		}
		it.hash = w.conntrack.Hash(&it.key)
		if home := w.home(p.port, &it.key, it.hash); home != w.index && p.marks&steered == 0 {
			return w.hand(home, f, passage{port: p.port, marks: p.marks | steered})
		}
		it.marks |= first
		pc.item = int16(w.n)
		w.np++
		return Unset
	}
	if meet := w.picked(pc.hash); meet != w.index && p.marks&steered == 0 {
		return w.hand(meet, f, passage{port: p.port, marks: p.marks | steered})
	}
	w.np++
	return gone
}

// redirect sends a fragment to the node that owns its datagram, marked, so that
// it is not sent on from there.
func (w *Worker) redirect(f *pmd.Frame, pc *piece, node int, ipv6 bool) Verdict {
	way := w.snapshot.Node(node, ipv6)
	if way.Ways == 0 {
		return NoNextHop
	}
	s := shape{l3: pc.l3, inner: pc.inner, tos: pc.tos, port: pc.port, marks: pc.marks, hash: pc.hash, split: true, verdict: Redirected}
	if fits := w.snapshot.Narrowest(ipv6); s.inner > fits && whole(f.Bytes()[s.l3:]) {
		// The owner may find that it does not fit, and knows no way back to the
		// sender: what it came from there is this node.
		return w.tellTooBig(f, s, fits)
	}
	w.wrap(f, s, way.Way(pc.hash))
	return gone
}

// unwrapped takes the tunnel off what came to this node's own address in a
// marked one, and classifies what is inside; Unset verdicts are as those of
// classify. It returns NotVIP for what is not from a node of ours.
func (w *Worker) unwrapped(f *pmd.Frame, frame []byte, it *item, h *packet.Headers, p passage) Verdict {
	if p.marks&redirected != 0 || it.key.DstHi != w.self.hi || it.key.DstLo != w.self.lo || it.key.IPv6 != w.self.ipv6 {
		return NotVIP
	}
	inner, how := w.owners.Redirected(frame, h)
	switch how {
	case fragments.Redirected:
	case fragments.Stranger:
		return Stranger
	case fragments.BadMark:
		return BadRedirect
	default:
		return NotVIP
	}
	fragments.Unwrap(f, h, inner, w.ports[p.port].VLAN)
	p.marks |= redirected
	it.marks |= redirected
	return w.classify(f, it, h, p)
}

// kindVerdicts gives the verdict for each kind of fragment that is refused.
var kindVerdicts = [fragments.Kinds]Verdict{
	fragments.BadExtent: FragmentBadExtent,
	fragments.TooShort:  FragmentTooShort,
	fragments.Overlay:   FragmentOverlay,
	fragments.BadChain:  FragmentBadChain,
}
