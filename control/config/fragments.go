package config

import (
	"net/netip"
	"slices"
	"time"

	"guideway/fragments"
)

// Fragments says how the pieces of one datagram find each other.
type Fragments struct {
	Nodes     []FragmentNode // every node of the fleet, in the order of the file; this one is among them, unless there are none
	Datagrams int            // datagrams whose backend is remembered, per core
	Held      int            // fragments that wait for their first, per core
	Bytes     int            // of those, per core
	Timeout   time.Duration  // for how long either is kept
	Probe     time.Duration  // from one probe of another node to the next
}

// FragmentNode is one node that fragments can be sent to.
type FragmentNode struct {
	Name    string
	Address netip.Addr
}

// Node gives the node of that name, if it is in the list.
func (f Fragments) Node(name string) (FragmentNode, bool) {
	i := slices.IndexFunc(f.Nodes, func(n FragmentNode) bool { return n.Name == name })
	if i < 0 {
		return FragmentNode{}, false
	}
	return f.Nodes[i], true
}

// maxNodes is up to where package fragments gives each node the same share of
// datagrams within 1 %.
const maxNodes = 655

type fragmentsDraft struct {
	Fragments
	nodes                        []nodeEntry
	clean                        bool // every node was understood
	nodesAt, datagramsAt, heldAt pos
}

// nodeEntry is a FragmentNode with its places.
type nodeEntry struct {
	FragmentNode
	nameAt, addressAt pos
}

func readFragments(s *section) fragmentsDraft {
	f := fragmentsDraft{}
	names, addresses := map[string]pos{}, map[netip.Addr]pos{}
	f.clean = s.each("nodes", func(n *section) {
		one := nodeEntry{
			FragmentNode: FragmentNode{
				Name:    must(n, "name", "the node's own [node].name", label),
				Address: must(n, "address", "where its fragments are tunnelled to", host),
			},
			nameAt: n.place("name"), addressAt: n.place("address"),
		}
		unique(&s.r.report, names, one.Name, one.nameAt, "fragments.nodes: the name %q")
		unique(&s.r.report, addresses, one.Address, one.addressAt, "fragments.nodes: the address %s")
		f.nodes = append(f.nodes, one)
		f.Nodes = append(f.Nodes, one.FragmentNode)
	})
	if n := len(f.nodes); n > maxNodes {
		s.r.fault(f.nodes[maxNodes].nameAt, "fragments.nodes: %d nodes: at most %d get even shares", n, maxNodes)
	}
	f.Datagrams = read(s, "datagrams", 1<<16, number[int](1<<6, fragments.MaxDatagrams))
	f.Held = read(s, "held", 1<<12, number[int](1<<4, fragments.MaxHeld))
	f.Bytes = int(read(s, "bytes", 8<<20, size(1<<20, 16<<30)))
	f.Timeout = read(s, "timeout", time.Second, span(100*time.Millisecond, time.Minute))
	f.Probe = read(s, "probe", 200*time.Millisecond, span(50*time.Millisecond, 10*time.Second))
	f.nodesAt, f.datagramsAt, f.heldAt = s.place("nodes"), s.place("datagrams"), s.place("held")
	return f
}
