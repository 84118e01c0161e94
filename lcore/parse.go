package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/prefetch"
)

// parse turns the frames of the burst into items: those that belong to a
// service, with their flow key and hash. The rest goes elsewhere, or is dropped
// with a verdict.
func (w *Worker) parse(port int) {
	w.n = 0
	w.counters.receivedBytes += w.read(0, passage{port: uint8(port)}, w.ports[port].Steer)
	w.rx.N = 0
}

// read makes items of the burst's frames from one on, all of which came by the passage
// came. steer says that those which are another core's go there. It returns how many bytes
// the frames have.
func (w *Worker) read(at int, came passage, steer bool) (bytes uint64) {
	plain := came.marks&^steered == 0 && w.ports[came.port].VLAN == 0
	for ; at < w.rx.N; at++ {
		if plain {
			from := w.n
			n, sum := w.usual(at, came.port)
			at, bytes = at+n, bytes+sum
			if steer {
				w.spread(from)
			}
			if at == w.rx.N {
				break
			}
		}
		f, it := w.rx.Frames[at], &w.items[w.n]
		bytes += uint64(f.Len())
		it.at, it.port, it.marks = uint8(at), came.port, came.marks
		if v := w.classify(f, it, &w.headers, came); v != Unset {
			w.decline(f, it, v, &w.headers)
			continue
		}
		w.admit(it)
		if steer {
			w.spread(w.n - 1)
		}
	}
	return bytes
}

// usual makes items of the frames from one on, up to the first that has not the
// shape that nearly every packet has, or is for no service. It returns how many these
// are, and how long together. What it does is what classify would do.
func (w *Worker) usual(at int, port uint8) (n int, bytes uint64) {
	for {
		frames := w.rx.Frames[at+n : w.rx.N]
		items, places := w.items[w.n:][:len(frames)], w.places[w.n:][:len(frames)]
		read, sum := readBurst(frames, at+n, items, places, w.conntrack, &w.destinations, port)
		w.n, n, bytes = w.n+read, n+read, bytes+uint64(sum)
		if read == len(frames) || !w.learn(frames[read]) {
			return n, bytes
		}
	}
}

// readEach makes items, and says which places the connection table has for them, of
// the first frames that have the usual shape and a known destination. It returns
// how many these are, and how long together. Of the burst, the first is frame at. items and places have
// room for all.
func readEach(frames []*pmd.Frame, at int, items []item, places []conntrack.Place, table *conntrack.Table, known *destinations, port uint8) (n, bytes int) {
	seed := table.Seed()
	for i, f := range frames {
		it := &items[i]
		if !f.Plain() {
			return i, bytes
		}
		hash, ok := it.key.ReadCommon(f.Bytes(), seed, &it.Common)
		if !ok {
			return i, bytes
		}
		d := known.slot(&it.key)
		if !d.is(&it.key) {
			return i, bytes
		}
		it.hash, it.service, it.l3, it.at = hash, d.service, d.l3, uint8(at+i)
		it.event, it.port, it.marks = tcpEvents[it.TCPFlags], port, 0
		places[i] = table.Place(&it.key, hash)
		prefetch.Line(places[i].Line)
		bytes += f.Len()
	}
	return len(frames), bytes
}

// admit makes the item at the end, which classify has filled in, one of the burst.
func (w *Worker) admit(it *item) {
	it.hash = w.conntrack.Hash(&it.key)
	w.places[w.n] = w.conntrack.Place(&it.key, it.hash)
	prefetch.Line(w.places[w.n].Line)
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
