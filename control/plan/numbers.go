package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"guideway/maglev/fib"
)

// numbers keeps the ids of services and endpoints over reloads: what stays
// keeps its id, so that connections and counters stay with it.
//
// An endpoint's id is used again only after at least quarantine others have
// been freed after it, and with the next generation: a connection table's
// entry for the former holder could match the new one only after
// quarantine * fib.MaxGenerations changes within the entry's lifetime.
type numbers struct {
	serviceIDs  map[string]serviceID
	endpointIDs map[endpointKey]fib.Value

	freeServices  []uint16    // oldest first
	freeEndpoints []fib.Value // oldest first; the generation is the former holder's
	lastService   int         // one more than the highest id ever given
	lastEndpoint  int         // likewise

	seenServices  map[string]bool // in this build; the rest is retired
	seenEndpoints map[endpointKey]bool
}

type serviceID struct {
	id   uint16
	born uint64 // generation of the snapshot that gave it the id
}

type endpointKey struct {
	vip     string
	backend netip.Addr
}

const quarantine = 1024

// nextNumbers begins with what the previous plan ended with. The previous plan
// is left as it is.
func nextNumbers(previous *Plan) *numbers {
	n := &numbers{
		serviceIDs:    map[string]serviceID{},
		endpointIDs:   map[endpointKey]fib.Value{},
		lastEndpoint:  1, // id 0 is no endpoint
		seenServices:  map[string]bool{},
		seenEndpoints: map[endpointKey]bool{},
	}
	if previous != nil {
		p := previous.ids
		n.serviceIDs, n.endpointIDs = maps.Clone(p.serviceIDs), maps.Clone(p.endpointIDs)
		n.freeServices, n.freeEndpoints = slices.Clone(p.freeServices), slices.Clone(p.freeEndpoints)
		n.lastService, n.lastEndpoint = p.lastService, p.lastEndpoint
	}
	return n
}

// service returns the id of a VIP.
func (n *numbers) service(name string, generation uint64) (uint16, error) {
	n.seenServices[name] = true
	if s, ok := n.serviceIDs[name]; ok {
		return s.id, nil
	}
	s := serviceID{born: generation}
	switch {
	case len(n.freeServices) > 0:
		s.id, n.freeServices = n.freeServices[0], n.freeServices[1:]
	case n.lastService < fib.MaxServices:
		s.id = uint16(n.lastService)
		n.lastService++
	default:
		return 0, fmt.Errorf("more than %d VIPs", fib.MaxServices)
	}
	n.serviceIDs[name] = s
	return s.id, nil
}

// born returns the generation of the snapshot that gave the VIP its id.
func (n *numbers) born(name string) uint64 { return n.serviceIDs[name].born }

// endpoint returns the number of a backend in a VIP.
func (n *numbers) endpoint(vip string, backend netip.Addr) (fib.Value, error) {
	key := endpointKey{vip, backend}
	n.seenEndpoints[key] = true
	if v, ok := n.endpointIDs[key]; ok {
		return v, nil
	}
	var v fib.Value
	switch {
	case len(n.freeEndpoints) > quarantine || n.lastEndpoint > fib.MaxEndpoints && len(n.freeEndpoints) > 0:
		v, n.freeEndpoints = n.freeEndpoints[0], n.freeEndpoints[1:]
		v = fib.MakeValue(v.ID(), v.Generation()+1)
	case n.lastEndpoint <= fib.MaxEndpoints:
		v = fib.MakeValue(uint32(n.lastEndpoint), 0)
		n.lastEndpoint++
	default:
		return 0, fmt.Errorf("more than %d backends over all VIPs", fib.MaxEndpoints)
	}
	n.endpointIDs[key] = v
	return v, nil
}

// retire frees the ids of all that was not asked for in this build, in an
// order that does not depend on the maps'.
func (n *numbers) retire() {
	var services []uint16
	for name, s := range n.serviceIDs {
		if !n.seenServices[name] {
			services = append(services, s.id)
			delete(n.serviceIDs, name)
		}
	}
	var endpoints []fib.Value
	for key, v := range n.endpointIDs {
		if !n.seenEndpoints[key] {
			endpoints = append(endpoints, v)
			delete(n.endpointIDs, key)
		}
	}
	slices.Sort(services)
	slices.Sort(endpoints)
	n.freeServices = append(n.freeServices, services...)
	n.freeEndpoints = append(n.freeEndpoints, endpoints...)
	n.seenServices, n.seenEndpoints = nil, nil
}

// services returns one more than the highest service id in use.
func (n *numbers) services() int { return n.lastService }

// endpoints returns one more than the highest endpoint id in use.
func (n *numbers) endpoints() int { return n.lastEndpoint }
