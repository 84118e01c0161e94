package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// parse turns the frames of the burst into items: those that belong to a
// service, with their flow key and hash. The rest goes elsewhere, or is dropped
// with a verdict.
func (w *Worker) parse(port int) {
	p := &w.ports[port]
	came := passage{port: uint8(port)}
	w.n = 0
	var last destination
	for at := 0; at < w.rx.N; at++ {
		if p.VLAN == 0 {
			from := w.n
			at = w.usual(at, uint8(port), &last)
			if p.Steer {
				w.spread(from)
			}
			if at == w.rx.N {
				break
			}
		}
		f, it := w.rx.Frames[at], &w.items[w.n]
		it.at, it.port, it.marks = uint8(at), uint8(port), 0
		if v := w.classify(f, it, &w.headers, came); v != Unset {
			w.decline(f, it, v, &w.headers)
			continue
		}
		w.admit(it)
		if p.Steer {
			w.spread(w.n - 1)
		}
	}
	w.rx.N = 0
}

// usual makes items of the frames from one on, up to the first that has not the
// shape that nearly every packet has, or is for no service. It returns the index of
// that frame, and of none the length of the burst. What it does is what classify
// would do; it calls next to nothing, so that what it works with stays in
// registers.
func (w *Worker) usual(at int, port uint8, last *destination) int {
	table := w.conntrack
	seed := table.Seed()
	frames := w.rx.Frames[at:w.rx.N]
	items, lines := w.items[w.n:][:len(frames)], w.lines[w.n:][:len(frames)]
	for i, f := range frames {
		it := &items[i]
		if !f.Plain() {
			frames = frames[:i]
			break
		}
		hash, ok := it.key.ReadCommon(f.Bytes(), seed, &it.Common)
		if !ok || !last.is(&it.key) && !last.find(w.snapshot, &it.key) {
			frames = frames[:i]
			break
		}
		it.hash, it.service, it.l3, it.at = hash, last.service, packet.EthernetLen, uint8(at+i)
		it.event, it.port, it.marks = tcpEvents[it.TCPFlags], port, 0
		lines[i] = table.Line(&it.key, hash)
	}
	w.n += len(frames)
	return at + len(frames)
}

// A destination is that of the packet before, and its service: a burst has far
// more packets than destinations.
type destination struct {
	hi, lo  uint64
	rest    uint32 // port, family and protocol; 0: none, for nothing is of protocol 0
	service uint16
}

func restOf(k *flow.Key) uint32 {
	rest := k.Ports<<16 | uint32(k.Proto)
	if k.IPv6 {
		rest |= 1 << 8
	}
	return rest
}

// find makes d that of a key, and tells whether it has a service.
func (d *destination) find(s *fib.Snapshot, k *flow.Key) bool {
	id := s.Lookup(k)
	if id < 0 {
		return false
	}
	d.hi, d.lo, d.rest, d.service = k.DstHi, k.DstLo, restOf(k), uint16(id)
	return true
}

// is tells whether a key has that destination.
func (d *destination) is(k *flow.Key) bool {
	return (d.lo^k.DstLo)|(d.hi^k.DstHi)|uint64(d.rest^restOf(k)) == 0
}

// admit makes the item at the end, which classify has filled in, one of the burst.
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
	it.l3, it.Len, it.TOS = h.L3, h.End-h.L3, h.TOS
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
