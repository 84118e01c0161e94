package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/prefetch"
)

// parse turns the frames of the burst into items: those that belong to a
// service, with their flow key and hash. The rest is dropped with a verdict.
// It ends by prefetching the connection table's lines.
func (w *Worker) parse(port int) {
	vlan := w.ports[port].VLAN
	table, items, lines := w.conntrack, &w.items, &w.lines
	n := 0
	var bytes uint64
	var h packet.Headers
	for i, f := range w.rx.Frames[:w.rx.N] {
		frame := f.Bytes()
		bytes += uint64(len(frame))
		it := &items[n]
		var v Verdict
		if vlan == 0 && f.Plain() && it.key.ReadCommon(frame, &h) {
			v = w.match(it, &h)
		} else {
			v = w.classify(f, frame, vlan, it, &h)
		}
		if v == EchoAnswered {
			w.answers.Add(f) // counted when it is sent
			continue
		}
		if v != Unset {
			w.drop(f, v)
			continue
		}
		it.at = uint16(i)
		it.hash = table.Hash(&it.key)
		lines[n] = table.Line(&it.key, it.hash)
		n++
	}
	w.n, w.rx.N = n, 0
	w.counters.receivedBytes += bytes
	prefetch.Lines(lines, n)
}

// classify fills it from a frame of whatever shape. It returns Unset for a
// packet to forward, else the verdict that ends its way.
func (w *Worker) classify(f *pmd.Frame, frame []byte, vlan uint16, it *item, h *packet.Headers) Verdict {
	if f.Segments() != 1 {
		return MultiSegment
	}
	result := packet.Parse(frame, vlan, h)
	if result != packet.Whole && result != packet.Fragment {
		return parseVerdicts[result]
	}
	if f.IPChecksumBad() {
		return BadChecksum
	}
	it.key.Read(frame, h)
	if result == packet.Fragment {
		return w.unlessNotVIP(it, FragmentDropped)
	}
	switch h.Proto {
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return w.icmp(f, frame, it, h)
	case packet.ProtoGRE, packet.ProtoIPIP, packet.ProtoIPv6:
		return w.unlessNotVIP(it, Tunnelled)
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
