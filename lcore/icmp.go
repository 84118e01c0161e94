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
func (w *Worker) icmp(f *pmd.Frame, frame []byte, it *item, h *packet.Headers) Verdict {
	switch {
	case !w.snapshot.Serves(&it.key):
		return NotVIP
	case packet.ICMPError(frame, h):
		return w.relate(frame, it, h)
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
		return EchoAnswered
	case fib.EchoForward:
		it.service, it.event = service, related
		it.l3, it.inner, it.tos = h.L3, h.End-h.L3, h.TOS
		return Unset
	}
	return ICMPDropped
}

// relate fills it from an ICMP error. An error about a packet that a backend
// sent comes to the VIP, the packet's source; it goes to the backend that has
// the flow inside, as that flow's own packets do. What is quoted must be from
// the address that the error is sent to: nobody can steer an error into
// another VIP's flows.
func (w *Worker) relate(frame []byte, it *item, h *packet.Headers) Verdict {
	var q packet.Headers
	if !packet.Quoted(frame, h, &q) {
		return ICMPUnreadable
	}
	hi, lo := it.key.DstHi, it.key.DstLo
	it.key.ReadQuoted(frame, &q)
	if it.key.DstHi != hi || it.key.DstLo != lo {
		return ICMPMismatch
	}
	v := w.match(it, h)
	it.event = related
	return v
}
