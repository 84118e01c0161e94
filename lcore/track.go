package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
)

// track gives each item its tunnel: by the connection table, or for a new flow
// by the service's Maglev table, and remembers it.
func (w *Worker) track() {
	now := conntrack.Ticks(w.rx.Now)
	services, endpoints := w.counters.services, w.counters.endpoints
	for i := range w.items[:w.n] {
		it := &w.items[i]
		e := w.endpoint(it, now)
		if e == nil || e.Ways == 0 {
			it.tunnel = noTunnel
			w.drop(w.rx.Frames[it.at], NoBackend)
			continue
		}
		it.tunnel = e.Way(it.hash)
		service := &services[it.service]
		service.packets++
		service.bytes += uint64(it.inner)
		endpoints[e.Value.ID()]++
	}
}

// endpoint returns the endpoint for an item, or nil where its service has none.
//
// A remembered endpoint is kept while it serves, and while it drains unless
// the packet opens a new connection. What is remembered of an endpoint that is
// down or gone (its id's generation differs) is selected anew.
func (w *Worker) endpoint(it *item, now conntrack.Tick) *fib.Endpoint {
	at, known := w.conntrack.Find(&it.key, it.hash, now)
	if known {
		e, valid := w.snapshot.Endpoint(fib.Value(w.conntrack.Value(at)), it.service)
		if valid && (e.State == fib.Serving || e.State == fib.Draining && it.event != conntrack.Syn) {
			if it.event != related {
				w.conntrack.Touch(at, now, it.event)
			}
			return e
		}
	}
	return w.selectEndpoint(it, at, known, now)
}

// selectEndpoint picks an endpoint from the service's table and, if the packet
// is the flow's own, remembers it: in the entry at, if the flow has one.
func (w *Worker) selectEndpoint(it *item, at conntrack.Slot, known bool, now conntrack.Tick) *fib.Endpoint {
	value := w.snapshot.Service(it.service).Pick(&it.key)
	e, ok := w.snapshot.Endpoint(value, it.service)
	if !ok {
		return nil
	}
	switch {
	case it.event == related:
	case known:
		w.conntrack.Replace(at, uint32(value), now, it.event)
	default:
		w.conntrack.Insert(&it.key, it.hash, uint32(value), now, it.event)
	}
	return e
}
