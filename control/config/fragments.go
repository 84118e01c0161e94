package config

import (
	"net/netip"
	"time"
)

// Fragments says how the pieces of one datagram find each other.
type Fragments struct {
	Nodes     []FragmentNode // every node of the fleet, in the order of the file
	Datagrams int            // datagrams whose backend is remembered, per core
	Held      int            // fragments that wait for their first, per core
	Timeout   time.Duration  // for how long either is kept
}

// FragmentNode is one node that fragments can be sent to.
type FragmentNode struct {
	Name    string
	Address netip.Addr
}

func readFragments(s *section) Fragments {
	f := Fragments{}
	names, addresses := map[string]pos{}, map[netip.Addr]pos{}
	s.each("nodes", func(n *section) {
		one := FragmentNode{
			Name:    must(n, "name", "the node's own [node].name", label),
			Address: must(n, "address", "where its fragments are tunnelled to", host),
		}
		unique(&s.r.report, names, one.Name, n.place("name"), "fragments.nodes: the name %q")
		unique(&s.r.report, addresses, one.Address, n.place("address"), "fragments.nodes: the address %s")
		f.Nodes = append(f.Nodes, one)
	})
	f.Datagrams = read(s, "datagrams", 1<<16, number[int](1<<6, 1<<24))
	f.Held = read(s, "held", 1<<12, number[int](1<<4, 1<<20))
	f.Timeout = read(s, "timeout", time.Second, span(100*time.Millisecond, time.Minute))
	return f
}
