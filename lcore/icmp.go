package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// related marks an item that follows a flow without being part of it: it
// neither makes nor changes nor refreshes an entry of the connection table.
const related conntrack.Event = 0xff

// icmp finds out what becomes of an ICMP packet to a VIP: an error follows its
// flow, an echo request is dealt with as the VIP's icmp_echo says, and nothing
// else has anywhere to go.
func (w *Worker) icmp(f *pmd.Frame, frame []byte, it *item, h *packet.Headers, p passage) Verdict {
	switch {
	case !w.snapshot.Serves(&it.key):
		return NotVIP
	case packet.ICMPError(frame, h):
		return w.relate(f, frame, it, h, p)
	case p.marks&redirected != 0:
		return BadRedirect
	case packet.EchoRequest(frame, h):
		return w.echo(f, frame, it, h)
	}
	return ICMPDropped
}

// echo answers an echo request in its own buffer, or makes it an item for the
// backend that the client's address and the VIP select.
func (w *Worker) echo(f *pmd.Frame, frame []byte, it *item, h *packet.Headers) Verdict {
	mode, service := w.snapshot.Echo(&it.key)
	switch mode {
	case fib.EchoAnswer:
		packet.AnswerEcho(frame, h)
		f.Trim(int(h.End)) // the padding is the request's
		w.emit(int(it.port), f, EchoAnswered)
		return gone
	case fib.EchoForward:
		it.service, it.event = service, related
		it.l3, it.Len, it.TOS = h.L3, h.End-h.L3, h.TOS
		return Unset
	}
	return ICMPDropped
}

// relate fills it from an ICMP error, or hands it to the core whose connection
// table has the flow. An error about a packet that a backend sent comes to the
// VIP, the packet's source; it goes to the backend that has the flow inside, as
// that flow's own packets do. What is quoted must be from the address that the
// error is sent to: nobody can steer an error into another VIP's flows.
func (w *Worker) relate(f *pmd.Frame, frame []byte, it *item, h *packet.Headers, p passage) Verdict {
	var q packet.Headers
	if !packet.Quoted(frame, h, &q) {
		return ICMPUnreadable
	}
	hi, lo := it.key.DstHi, it.key.DstLo
	it.key.ReadQuoted(frame, &q)
	if it.key.DstHi != hi || it.key.DstLo != lo {
		return ICMPMismatch
	}
	if v := w.match(it, h); v != Unset {
		return v
	}
	it.event = related
	it.marks |= quoting
	if home := w.home(p.port, &it.key, w.conntrack.Hash(&it.key)); home != w.index && p.marks&steered == 0 {
		return w.hand(home, f, passage{port: p.port, marks: p.marks | steered})
	}
	return Unset
}

// relay sends copies of an ICMP error whose flow this node does not know to the
// other nodes, marked, so that they go no further: one that knows it forwards
// it, and the rest drop it.
func (w *Worker) relay(it *item) {
	nodes := len(w.owners.Nodes())
	if !w.program.ICMP.Relay || nodes < 2 || !w.relays.pass(w.now) {
		return
	}
	original := w.rx.Frames[it.at].Bytes()[it.l3:][:it.Len]
	for node := range nodes {
		way := w.snapshot.Node(node, it.key.IPv6)
		if way.Ways == 0 { // this node itself, and those that cannot be reached
			continue
		}
		if !w.newFrames(1) {
			return
		}
		f := w.fresh.Frames[0]
		w.fresh.N = 0
		if !f.Recut(0, len(original)) {
			w.drop(f, NoFrame)
			continue
		}
		copy(f.Bytes(), original)
		w.wrap(f, shape{inner: it.Len, tos: it.TOS, hash: it.hash, port: it.port, verdict: Relayed}, way.Way(it.hash))
	}
}

// newFrames makes n frames, which fresh then holds, or none.
func (w *Worker) newFrames(n int) bool {
	if n > pmd.MaxBurst || w.ports[0].Queue.Alloc(&w.fresh, n) != n {
		return false
	}
	w.counters.made += uint64(n)
	return true
}
