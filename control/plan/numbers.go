package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"guideway/maglev/fib"
)

// numbers keeps the ids of services and endpoints over reloads: what stays
// keeps its id, so that connections and counters stay with it.
//
// The ids in use are those of the previous plan's VIPs. VIPs and backends are
// asked for in the order that plans have them, so that finding what a VIP had
// is a walk along two sorted lists; what is passed by is free again, but only
// for the next plan: no id changes its holder from one plan to the next
// without a plan in between that does not have it.
//
// An endpoint's id is used again only after at least quarantine others have
// been freed after it, and with the next generation: a connection table's
// entry for the former holder could match the new one only after
// quarantine * fib.MaxGenerations changes within the entry's lifetime. (Where
// all of fib.MaxEndpoints are taken, the quarantine is as long as it can be.)
type numbers struct {
	generation uint64    // of the plan that is being made
	vips       []VIP     // of the previous plan, from the next one asked for on
	backends   []Backend // likewise, of the VIP that was asked for last

	services  ids[uint16]
	endpoints ids[fib.Value]
}

// ids are the numbers of one kind that have been given at all.
type ids[T any] struct {
	end   int // one more than the highest
	free  []T // not in use, oldest first; a Value's generation is the former holder's
	freed []T // in use by the previous plan and not by this one
}

const quarantine = 1024

// nextNumbers goes on from a previous plan, or from what another process has
// left, and leaves that as it is.
func nextNumbers(previous *Plan, left *Numbers, generation uint64) *numbers {
	if previous == nil && left != nil {
		return left.next(generation)
	}
	if previous == nil {
		return &numbers{generation: generation, endpoints: ids[fib.Value]{end: 1}} // id 0 is no endpoint
	}
	n := previous.ids
	return &numbers{
		generation: generation,
		vips:       previous.VIPs,
		services:   ids[uint16]{end: n.services.end, free: slices.Clip(n.services.free)},
		endpoints:  ids[fib.Value]{end: n.endpoints.end, free: slices.Clip(n.endpoints.free)},
	}
}

// service returns the id of a VIP and the generation of the plan that gave it.
// VIPs are asked for by name, in order.
func (n *numbers) service(name string) (id uint16, born uint64, err error) {
	n.passBackends()
	for len(n.vips) > 0 && n.vips[0].Name < name {
		n.passVIP()
	}
	if len(n.vips) > 0 && n.vips[0].Name == name {
		v := &n.vips[0]
		n.vips, n.backends = n.vips[1:], v.Backends
		return v.Service, v.Born, nil
	}
	s := &n.services
	switch {
	case len(s.free) > 0:
		id, s.free = s.free[0], s.free[1:]
	case s.end < fib.MaxServices:
		id = uint16(s.end)
		s.end++
	default:
		return 0, 0, fmt.Errorf("more than %d VIPs", fib.MaxServices)
	}
	return id, n.generation, nil
}

// endpoint returns the number of a backend of the VIP that was asked for last,
// and the generation of the plan that gave it. Backends are asked for by
// address, in order.
func (n *numbers) endpoint(backend netip.Addr) (v fib.Value, born uint64, err error) {
	for len(n.backends) > 0 && n.backends[0].Address.Less(backend) {
		n.passBackend()
	}
	if len(n.backends) > 0 && n.backends[0].Address == backend {
		b := &n.backends[0]
		n.backends = n.backends[1:]
		return b.Endpoint, b.Born, nil
	}
	e := &n.endpoints
	switch {
	case len(e.free) > quarantine || e.end > fib.MaxEndpoints && len(e.free) > 0:
		v, e.free = e.free[0], e.free[1:]
		v = fib.MakeValue(v.ID(), v.Generation()+1)
	case e.end <= fib.MaxEndpoints:
		v = fib.MakeValue(uint32(e.end), 0)
		e.end++
	default:
		return 0, 0, fmt.Errorf("more than %d backends over all VIPs", fib.MaxEndpoints)
	}
	return v, n.generation, nil
}

// passVIP frees what a VIP had that is no more.
func (n *numbers) passVIP() {
	v := &n.vips[0]
	n.vips, n.backends = n.vips[1:], v.Backends
	n.services.freed = append(n.services.freed, v.Service)
	n.passBackends()
}

// passBackends frees the rest of what a VIP had.
func (n *numbers) passBackends() {
	for len(n.backends) > 0 {
		n.passBackend()
	}
}

func (n *numbers) passBackend() {
	n.endpoints.freed = append(n.endpoints.freed, n.backends[0].Endpoint)
	n.backends = n.backends[1:]
}

// finish frees what was not asked for at all.
func (n *numbers) finish() {
	n.passBackends()
	for len(n.vips) > 0 {
		n.passVIP()
	}
	n.services.finish()
	n.endpoints.finish()
	n.vips, n.backends = nil, nil // hold on to nothing of the previous plan
}

func (i *ids[T]) finish() { i.free, i.freed = append(i.free, i.freed...), nil }
