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
	n := 0
	var bytes uint64
	for i, f := range w.rx.Frames[:w.rx.N] {
		bytes += uint64(f.Len())
		it := &w.items[n]
		if v := w.classify(f, vlan, it); v != Unset {
			w.drop(f, v)
			continue
		}
		it.at = uint16(i)
		it.hash = w.conntrack.Hash(&it.key)
		w.lines[n] = w.conntrack.Line(&it.key, it.hash)
		n++
	}
	w.n, w.rx.N = n, 0
	w.counters.receivedBytes += bytes
	prefetch.Lines(&w.lines, n)
}

// classify fills it from a frame. It returns Unset for a packet to forward,
// else the verdict that ends its way.
func (w *Worker) classify(f *pmd.Frame, vlan uint16, it *item) Verdict {
	if f.Segments() != 1 {
		return MultiSegment
	}
	var h packet.Headers
	frame := f.Bytes()
	common := vlan == 0 && it.key.ReadCommon(frame, &h)
	result := packet.Whole
	if !common {
		result = packet.Parse(frame, vlan, &h)
		if result != packet.Whole && result != packet.Fragment {
			return parseVerdicts[result]
		}
		it.key.Read(frame, &h)
	}
	if f.IPChecksumBad() {
		return BadChecksum
	}
	if result == packet.Fragment {
		return w.unlessNotVIP(it, FragmentDropped)
	}
	id := w.snapshot.Lookup(&it.key)
	switch h.Proto {
	case packet.ProtoTCP:
		it.event = tcpEvent(h.TCPFlags)
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return w.unlessNotVIP(it, ICMPDropped)
	case packet.ProtoGRE, packet.ProtoIPIP, packet.ProtoIPv6:
		return w.unlessNotVIP(it, Tunnelled)
	default:
		it.event = conntrack.Data
	}
	switch id {
	case fib.NotVIP:
		return NotVIP
	case fib.NoService:
		return NoService
	}
	it.service = uint16(id)
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

// tcpEvent tells what a TCP segment from the client does to its connection.
func tcpEvent(flags uint8) conntrack.Event {
	switch {
	case flags&(packet.TCPFin|packet.TCPRst|packet.TCPSyn) == 0:
		return conntrack.Data
	case flags&(packet.TCPFin|packet.TCPRst) != 0:
		return conntrack.Fin
	case flags&packet.TCPAck == 0:
		return conntrack.Syn
	}
	return conntrack.Data
}
