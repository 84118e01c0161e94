package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// parse turns the frames of the burst into items: those that belong to a
// service, with their flow key and hash. The rest goes elsewhere, or is dropped
// with a verdict.
func (w *Worker) parse(port int) {
	p := &w.ports[port]
	vlan, steer := p.VLAN, p.Steer
	table, items, lines := w.conntrack, &w.items, &w.lines
	came := passage{port: uint8(port)}
	n := 0
	var bytes uint64
	h := &w.headers
	for i, f := range w.rx.Frames[:w.rx.N] {
		frame := f.Bytes()
		bytes += uint64(len(frame))
		it := &items[n]
		it.at, it.port, it.marks = uint16(i), uint8(port), 0
		var v Verdict
		if vlan == 0 && f.Plain() && it.key.ReadCommon(frame, h) {
			v = w.match(it, h)
		} else {
			w.n = n
			v = w.classify(f, it, h, came)
		}
		if v != Unset {
			w.decline(f, it, v, h)
			continue
		}
		it.hash = table.Hash(&it.key)
		if steer && it.marks == 0 && it.event != related && w.steer(f, it) {
			continue
		}
		lines[n] = table.Line(&it.key, it.hash)
		n++
	}
	w.n, w.rx.N = n, 0
	w.counters.receivedBytes += bytes
}

// admit makes the item that resume has filled in one of the burst.
func (w *Worker) admit(it *item) {
	it.hash = w.conntrack.Hash(&it.key)
	w.lines[w.n] = w.conntrack.Line(&it.key, it.hash)
	w.n++
}

// classify fills it from a frame of whatever shape. It returns Unset for a
// packet to forward, gone for a frame that has been taken care of, else the
// verdict that ends its way.
func (w *Worker) classify(f *pmd.Frame, it *item, h *packet.Headers, p passage) Verdict {
	if f.Segments() != 1 {
		return MultiSegment
	}
	frame := f.Bytes()
	result := packet.Parse(frame, w.ports[p.port].VLAN, h)
	if result != packet.Whole && result != packet.Fragment {
		return parseVerdicts[result]
	}
	if f.IPChecksumBad() {
		return BadChecksum
	}
	it.key.Read(frame, h)
	if result == packet.Fragment {
		return w.fragment(f, frame, it, h, p)
	}
	switch h.Proto {
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return w.icmp(f, frame, it, h, p)
	case packet.ProtoGRE:
		if v := w.unwrapped(f, frame, it, h, p); v != NotVIP {
			return v
		}
		return w.unlessNotVIP(it, Tunnelled)
	case packet.ProtoIPIP, packet.ProtoIPv6:
		return w.unlessNotVIP(it, Tunnelled)
	}
	if it.marks&redirected != 0 {
		return BadRedirect // nodes send each other fragments and ICMP errors
	}
	return w.match(it, h)
}

// match finds the service of a whole packet, whose key is read, and completes
// the item. It returns Unset, or the verdict that ends the packet's way.
func (w *Worker) match(it *item, h *packet.Headers) Verdict {
	id := w.snapshot.Lookup(&it.key)
	if id < 0 {
		if id == fib.NotVIP {
			return NotVIP
		}
		return NoService
	}
	it.service, it.event = uint16(id), tcpEvents[h.TCPFlags]
	it.l3, it.inner, it.tos = h.L3, h.End-h.L3, h.TOS
	return Unset
}

// unlessNotVIP returns v for a packet to a VIP and NotVIP for any other.
func (w *Worker) unlessNotVIP(it *item, v Verdict) Verdict {
	if w.snapshot.Serves(&it.key) {
		return v
	}
	return NotVIP
}

// decline ends the way of a frame that did not become the item it, unless it is
// gone, the kernel takes it, or its sender is told.
func (w *Worker) decline(f *pmd.Frame, it *item, v Verdict, h *packet.Headers) {
	switch v {
	case gone:
		return
	case NotVIP, NotIP, GroupAddress:
		v = w.ascend(f, it.port, v, h)
	case NoService:
		if it.marks&redirected == 0 { // else it came from a node, and not from where its sender is
			v = w.refuse(f, it.port, h)
		}
	}
	if v != gone {
		w.drop(f, v)
	}
}

// tcpEvents tells what a segment from the client does to its connection, by
// its TCP flags; what is not TCP has none, and is data.
var tcpEvents = func() (events [256]conntrack.Event) {
	for flags := range events {
		switch {
		case flags&(packet.TCPFin|packet.TCPRst) != 0:
			events[flags] = conntrack.Fin
		case flags&(packet.TCPSyn|packet.TCPAck) == packet.TCPSyn:
			events[flags] = conntrack.Syn
		default:
			events[flags] = conntrack.Data
		}
	}
	return events
}()
