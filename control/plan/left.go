package plan

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"guideway/maglev/fib"
)

// Numbers are all the numbers that the entries of connection tables can hold: of
// backends that a plan has, and of those that it has no more. A process that
// leaves its tables to the next leaves these with them, and a plan that goes on
// from them is the next after that process's last one, as if by a reload.
type Numbers struct {
	Endpoints []Numbered  // by VIP, then by address; no two alike
	Free      []fib.Value // not in use, oldest first; each with its former holder's generation

	// Between them the two have every id from 1 to the number of both, once.
}

// Numbered is the number of a backend of a VIP.
type Numbered struct {
	VIP     string // its name
	Backend netip.Addr
	Value   fib.Value
}

// Numbers returns those of the plan.
func (p *Plan) Numbers() Numbers {
	n := Numbers{Free: p.ids.endpoints.free}
	for i := range p.VIPs {
		for _, b := range p.VIPs[i].Backends {
			n.Endpoints = append(n.Endpoints, Numbered{p.VIPs[i].Name, b.Address, b.Endpoint})
		}
	}
	return n
}

// Check tells whether numbers that come from outside are such as a plan has.
func (n *Numbers) Check() error {
	ids := len(n.Endpoints) + len(n.Free)
	if ids > fib.MaxEndpoints {
		return fmt.Errorf("%d endpoints, more than %d", ids, fib.MaxEndpoints)
	}
	seen := make([]bool, ids+1)
	once := func(v fib.Value) bool {
		id := v.ID()
		if id == 0 || id > uint32(ids) || seen[id] {
			return false
		}
		seen[id] = true
		return true
	}
	vips := 0
	for i, e := range n.Endpoints {
		if i == 0 || n.Endpoints[i-1].VIP != e.VIP {
			vips++
		}
		if !e.Backend.IsValid() || !once(e.Value) || i > 0 && compareNumbered(n.Endpoints[i-1], e) >= 0 {
			return fmt.Errorf("endpoint %d of %d is out of order", i, ids)
		}
	}
	if vips > fib.MaxServices {
		return fmt.Errorf("%d VIPs, more than %d", vips, fib.MaxServices)
	}
	for _, v := range n.Free {
		if !once(v) {
			return errors.New("a free endpoint is there twice")
		}
	}
	return nil
}

func compareNumbered(a, b Numbered) int {
	return cmp.Or(cmp.Compare(a.VIP, b.VIP), a.Backend.Compare(b.Backend))
}

// next goes on from the numbers. Tables know nothing of services, so that those
// are numbered from the start; all that goes on is born with the plan.
func (n *Numbers) next(generation uint64) *numbers {
	next := &numbers{generation: generation, endpoints: ids[fib.Value]{end: 1 + len(n.Endpoints) + len(n.Free), free: slices.Clip(n.Free)}}
	for _, e := range n.Endpoints {
		if last := len(next.vips) - 1; last < 0 || next.vips[last].Name != e.VIP {
			next.vips = append(next.vips, VIP{Name: e.VIP, Service: uint16(len(next.vips)), Born: generation})
		}
		v := &next.vips[len(next.vips)-1]
		v.Backends = append(v.Backends, Backend{Address: e.Backend, Endpoint: e.Value, Born: generation})
	}
	next.services.end = len(next.vips)
	return next
}
