package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
)

// track gives each item its tunnel: by the connection table, or for a new flow
// by the service's Maglev table, and remembers it.
func (w *Worker) track() {
	now := conntrack.Ticks(w.rx.Now)
	services, endpoints := w.counters.services, w.counters.endpoints
	for i := range w.items[:w.n] {
		it := &w.items[i]
		e, v := w.endpoint(it, now)
		if e == nil {
			it.tunnel = noTunnel
			w.unserved(it, v)
			continue
		}
		it.tunnel = e.Way(it.hash)
		service := &services[it.service]
		service.packets++
		service.bytes += uint64(it.inner)
		endpoints[e.Value.ID()]++
		if it.event == conntrack.Syn || it.marks&first != 0 {
			w.opens(it, e.Value)
		}
	}
}

// count counts a packet for an endpoint that track has not seen.
func (w *Worker) count(e *fib.Endpoint, bytes uint16) {
	service := &w.counters.services[e.Service]
	service.packets++
	service.bytes += uint64(bytes)
	w.counters.endpoints[e.Value.ID()]++
}

// endpoint returns the endpoint for an item, or nil and the reason.
//
// A remembered endpoint is kept while it serves, and while it drains unless
// the packet opens a new connection. What is remembered of an endpoint that is
// down or gone (its id's generation differs) is selected anew.
func (w *Worker) endpoint(it *item, now conntrack.Tick) (*fib.Endpoint, Verdict) {
	at, known := w.conntrack.Find(&it.key, it.hash, now)
	if known {
		e, valid := w.snapshot.Endpoint(fib.Value(w.conntrack.Value(at)), it.service)
		if valid && (e.State == fib.Serving || e.State == fib.Draining && it.event != conntrack.Syn) {
			if it.event != related {
				w.conntrack.Touch(at, now, it.event)
			}
			if e.Ways == 0 {
				return nil, NoNextHop
			}
			return e, Unset
		}
	}
	return w.selectEndpoint(it, at, known, now)
}

// selectEndpoint picks an endpoint from the service's table and, if the packet
// is the flow's own, remembers it: in the entry at, if the flow has one.
func (w *Worker) selectEndpoint(it *item, at conntrack.Slot, known bool, now conntrack.Tick) (*fib.Endpoint, Verdict) {
	if it.marks&quoting != 0 && !known {
		if it.marks&redirected != 0 {
			return nil, RelayUnknown // the node that relayed it has asked the table already
		}
		w.relay(it)
	}
	value := w.snapshot.Service(it.service).Pick(&it.key)
	e, ok := w.snapshot.Endpoint(value, it.service)
	if !ok {
		return nil, NoBackend
	}
	switch {
	case it.event == related:
	case known:
		w.conntrack.Replace(at, uint32(value), now, it.event)
	default:
		w.conntrack.Insert(&it.key, it.hash, uint32(value), now, it.event)
	}
	if e.Ways == 0 {
		return nil, NoNextHop
	}
	return e, Unset
}

// opens does what only the first packets of something need: a SYN's MSS is
// clamped, and a first fragment's piece learns what was chosen.
func (w *Worker) opens(it *item, value fib.Value) {
	if it.marks&first != 0 {
		w.pieces[w.pieceOf(it)].value = value
	}
	if mss := w.snapshot.Service(it.service).MSS; mss != 0 && it.event == conntrack.Syn {
		f := w.rx.Frames[it.at]
		if packet.Parse(f.Bytes(), w.ports[it.port].VLAN, &w.headers) == packet.Whole {
			packet.ClampMSS(f.Bytes(), &w.headers, mss)
		}
	}
}

// pieceOf returns the index of the piece of an item that is a first fragment.
func (w *Worker) pieceOf(it *item) int {
	for i := range w.pieces[:w.np] {
		if p := &w.pieces[i]; p.at == uint8(it.at) {
			return i
		}
	}
	panic("a first fragment without its piece")
}
