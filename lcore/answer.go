package lcore

import (
	"guideway/maglev/packet"
	"guideway/pmd"
)

// refuse answers a packet that no service of its VIP takes, as the host does
// that it thinks it talks to, so that clients fail at once and traceroute ends.
//
// A ping that comes in pieces gets no answer, but is not refused either.
func (w *Worker) refuse(f *pmd.Frame, port uint8, h *packet.Headers) Verdict {
	if h.Proto == packet.ProtoICMP || h.Proto == packet.ProtoICMPv6 {
		return NoService
	}
	if !w.program.ICMP.Refuse || !w.answer(f, port, h, packet.ICMPErrorSpec{Reason: packet.PortUnreachable}, PortRefused) {
		return NoService
	}
	return gone
}

// unserved ends the way of an item that has no endpoint. Where the service is
// down and is to say so, its sender learns that.
func (w *Worker) unserved(it *item, v Verdict) {
	f, h := w.rx.Frames[it.at], &w.headers
	if v == NoBackend && w.snapshot.Service(it.service).Unreachable && it.marks&redirected == 0 {
		switch packet.Parse(f.Bytes(), w.ports[it.port].VLAN, h) {
		case packet.Whole, packet.Fragment:
			if w.answer(f, it.port, h, packet.ICMPErrorSpec{Reason: packet.HostUnreachable}, VIPUnreachable) {
				return
			}
		}
	}
	w.drop(f, v)
}

// tellTooBig answers a packet that must not be fragmented and does not fit: its
// sender learns what would, fits bytes (RFC 1191, RFC 8201).
func (w *Worker) tellTooBig(f *pmd.Frame, s shape, fits uint16) Verdict {
	h := &w.headers
	switch packet.Parse(f.Bytes(), w.ports[s.port].VLAN, h) {
	case packet.Whole, packet.Fragment:
	default: // a held fragment: whom it came from is forgotten
		return TooBig
	}
	e := packet.ICMPErrorSpec{Reason: packet.TooBig, MTU: uint32(fits), Src: w.program.ICMP.Source4}
	if h.IPv6 {
		e.Src = w.program.ICMP.Source6
	}
	if !w.answer(f, s.port, h, e, TooBigAnswered) {
		return TooBig
	}
	return gone
}

// answer turns a frame into the ICMP error about its packet and sends it back,
// if one may be sent at all, and now.
func (w *Worker) answer(f *pmd.Frame, port uint8, h *packet.Headers, e packet.ICMPErrorSpec, v Verdict) bool {
	at, n := packet.ICMPErrorBounds(h)
	b := f.Window(at, n)
	if b == nil || !packet.MayAnswer(f.Bytes(), h) || !w.errors.pass(w.now) {
		return false
	}
	if !packet.PutICMPError(b, h, e) {
		return false
	}
	f.Recut(at, n)
	w.emit(int(port), f, v)
	return true
}
