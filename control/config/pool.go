package config

import (
	"fmt"
	"net/netip"
)

// Pool is a set of backends, its own and those of the pools that it includes.
type Pool struct {
	Name     string
	Check    string    // "": the backends count as healthy
	Include  []string  // names of other pools, in the order of the file
	Backends []Backend // its own only, in the order of the file; [Config.Backends] resolves
}

// Backend is one machine that takes packets out of the tunnel.
type Backend struct {
	Address netip.Addr
	Weight  uint32 // 1..65535, relative to the other backends of the VIP
	State   State
}

// State is what the operator wants of a backend.
type State uint8

const (
	StateUp    State = iota // serves, if it is healthy
	StateDrain              // keeps its flows, gets no new ones
	StateOff                // gets nothing, as if it were not in the file
)

var stateNames = []string{"up", "drain", "off"}

func (s State) String() string { return stateNames[s] }

// Weights of backends. The default leaves room below it and above.
const (
	maxWeight     = 65535
	defaultWeight = 100
)

type poolDraft struct {
	Pool
	nameAt, checkAt pos
	include         []located[string]
	backends        []located[Backend]
	clean           bool // every backend and include was understood
}

func (d *poolDraft) pool() Pool {
	p := d.Pool
	p.Include, p.Backends = plain(d.include), plain(d.backends)
	return p
}

func readPool(s *section) poolDraft {
	p := poolDraft{}
	p.Name = must(s, "name", "VIPs refer to the pool by it", label)
	p.Check = read(s, "check", "", optional(label))
	p.include, p.clean = list(s, "include", label)
	seen := map[netip.Addr]pos{}
	backends := s.each("backends", func(b *section) {
		one := readBackend(b)
		at := b.place("address")
		if unique(&s.r.report, seen, one.Address, at, "pool.backends: the address %s") {
			p.backends = append(p.backends, located[Backend]{one, at})
		}
	})
	p.clean = p.clean && backends
	included := map[string]pos{}
	for _, i := range p.include {
		unique(&s.r.report, included, i.v, i.at, "pool.include: %q")
	}
	p.nameAt, p.checkAt = s.place("name"), s.place("check")
	return p
}

func readBackend(s *section) Backend {
	return Backend{
		Address: must(s, "address", "an IPv4 or IPv6 address", host),
		Weight:  read(s, "weight", defaultWeight, weight),
		State:   read(s, "state", StateUp, oneOf[State](stateNames)),
	}
}

func weight(v *value) (uint32, error) {
	n, err := number[uint32](1, maxWeight)(v)
	if v.kind == kindInteger && v.text == "0" {
		return 0, fmt.Errorf("%w; for no new flows, set state = \"drain\"", err)
	}
	return n, err
}
