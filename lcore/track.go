package lcore

import (
	"math/bits"

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd/prefetch"
)

// track gives each item its tunnel: by the connection table, or for a new flow
// by the service's Maglev table, and remembers it. If the burst is to halt, it leaves items
// that take more lines of the connection table than the home line to trackLate, and asks for
// these lines; but not if something comes behind them that may change their flows.
func (w *Worker) track(halt bool) {
	now := conntrack.Ticks(w.now)
	for at := 0; at < w.n; at++ {
		n, left, later := w.known(at, 0, now)
		if left|later != 0 {
			if halt && at+n == w.n {
				w.left, w.later = left<<at, later<<at
				w.fetch(w.left | w.later)
				return
			}
			w.settle(at, left, later, now)
		}
		if at += n; at < w.n {
			w.assign(&w.items[at], now)
		}
	}
}

// fetch asks for the lines in which the entries of some items may be, far from their home lines.
func (w *Worker) fetch(which uint64) {
	for ; which != 0; which &= which - 1 {
		it := &w.items[bits.TrailingZeros64(which)]
		if lines, some := w.conntrack.Elsewhere(&it.key, it.hash); some {
			for _, line := range lines {
				prefetch.Line(line)
			}
		}
	}
}

// trackLate gives their tunnels to the items that track has left to it.
func (w *Worker) trackLate() {
	if w.left|w.later != 0 {
		w.settle(0, w.left, w.later, conntrack.Ticks(w.now))
		w.left, w.later = 0, 0
	}
}

// settle gives their tunnels to those of the items from one on that known has left, or wants
// to see later.
func (w *Worker) settle(at int, left, later uint64, now conntrack.Tick) {
	if later != 0 {
		_, more, _ := w.known(at, later, now)
		left |= more
	}
	for ; left != 0; left &= left - 1 {
		w.assign(&w.items[at+bits.TrailingZeros64(left)], now)
	}
}

// assign gives an item its tunnel, however rare the item.
func (w *Worker) assign(it *item, now conntrack.Tick) {
	e, v := w.endpoint(it, now)
	if e == nil {
		it.tunnel = noTunnel
		w.unserved(it, v)
		return
	}
	it.tunnel = e.Way(it.hash)
	w.count(e, it.Len)
	if it.event == conntrack.Syn || it.marks&first != 0 {
		w.opens(it, e.Value)
	}
}

// known is trackBurst for the items from one on. What it does for those to which it gives
// tunnels is what endpoint would do.
func (w *Worker) known(at int, again uint64, now conntrack.Tick) (n int, left, later uint64) {
	c, endpoints := w.counters, w.snapshot.All()
	services, packets := c.services[:w.snapshot.Services()], c.endpoints[:len(endpoints)] // there are as many, at least
	return trackBurst(w.items[at:w.n], w.places[at:w.n], again, w.conntrack, now, endpoints, services, packets)
}

// trackEach gives their tunnels to the items before the first with an event or a mark,
// if their flows have an entry at their places that is in order and an endpoint that
// serves, and counts them by service and endpoint. It returns how many are before that one,
// and a bit each for those that it had to leave, and for those to ask for later once more:
// their entry may be in the line beside, which is their place now and on its way here.
// These it is given as again then, to look at no others, and leaves what it does not find.
// places are those of the items' flows; services and packets have room for what endpoints
// tell of.
func trackEach(items []item, places []conntrack.Place, again uint64, table *conntrack.Table, now conntrack.Tick, endpoints []fib.Endpoint, services []serviceCounter, packets []uint64) (n int, left, later uint64) {
	which := again
	if again == 0 {
		which = 1<<len(items) - 1
	}
	for ; which != 0; which &= which - 1 {
		i := bits.TrailingZeros64(which)
		it := &items[i]
		if it.event != conntrack.Data || it.marks != 0 {
			return i, left, later
		}
		value, answer := table.HitAt(&places[i], &it.key, now, conntrack.Data)
		if answer == conntrack.Beside && again == 0 {
			prefetch.Line(places[i].Line)
			later |= 1 << i
			continue
		}
		id := fib.Value(value).ID()
		if answer != conntrack.Known || id >= uint32(len(endpoints)) {
			left |= 1 << i
			continue
		}
		e := &endpoints[id]
		if e.Value != fib.Value(value) || e.Service != it.service || e.State != fib.Serving || e.Ways == 0 {
			left |= 1 << i // what has been done is what endpoint does, or undoes
			continue
		}
		it.tunnel = e.Way(it.hash)
		service := &services[it.service]
		service.packets++
		service.bytes += uint64(it.Len)
		packets[id]++
	}
	return len(items), left, later
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
		if p := &w.pieces[i]; p.at == it.at {
			return i
		}
	}
	panic("a first fragment without its piece")
}
