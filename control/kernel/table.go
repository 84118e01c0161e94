package kernel

import (
	"cmp"
	"net/netip"
	"slices"
)

// A Kind says what the kernel does with what matches a route. The zero value
// forwards.
type Kind uint8

// The kinds of routes in a main table, rtnetlink(7).
const (
	Unicast     Kind = iota // forwarded to a hop
	Blackhole               // dropped without a word
	Unreachable             // dropped, ICMP host unreachable
	Prohibit                // dropped, ICMP administratively prohibited
	Throw                   // looked up in the next table, which we do not have: no hop
)

var kindNames = [...]string{"unicast", "blackhole", "unreachable", "prohibit", "throw"}

// String is the kind as ip-route(8) spells it.
func (k Kind) String() string { return kindNames[k] }

// A Route is one entry of the kernel's main table.
type Route struct {
	Prefix netip.Prefix // masked
	Metric uint32       // lower wins among equal prefixes
	Kind   Kind
	Hops   []Hop // of Unicast, at least one; sorted by interface, then gateway
}

// A Hop is one way that a route leads.
type Hop struct {
	Index   int        // of the interface
	Gateway netip.Addr // of either family (RFC 8950); the zero Addr: the destination is on the link
	Weight  int        // 1..256, its share among the route's hops
	Dead    bool       // not usable, says the kernel: interface down or without carrier
}

func compareHops(a, b Hop) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), a.Gateway.Compare(b.Gateway), cmp.Compare(a.Weight, b.Weight))
}

func equalRoutes(a, b Route) bool {
	return a.Prefix == b.Prefix && a.Metric == b.Metric && a.Kind == b.Kind && slices.Equal(a.Hops, b.Hops)
}

// A table finds the routes for a destination, longest prefix first. It is
// sorted by prefix, an enclosing prefix before those inside it, and each entry
// knows the entry that encloses it: a binary search ends at the only chain of
// entries that can hold the destination. Immutable.
type table struct {
	routes []Route // as given, sorted by prefix, then metric
	nodes  []node
}

type node struct {
	prefix      netip.Prefix
	parent      int32 // the longest prefix around this one; -1: none
	first, last int32 // routes[first:last] have this prefix
}

// newTable takes the routes over and sorts them. Of several IPv6 routes with
// one prefix and metric, such as two routers' advertisements make, it makes one
// with all their hops: RFC 4311 wants a host to share its load between them.
func newTable(routes []Route) *table {
	for i := range routes {
		slices.SortFunc(routes[i].Hops, compareHops)
	}
	slices.SortStableFunc(routes, func(a, b Route) int {
		if c := comparePrefixes(a.Prefix, b.Prefix); c != 0 {
			return c
		}
		return cmp.Compare(a.Metric, b.Metric)
	})
	t := &table{routes: mergeSiblings(routes)}
	var around []int32 // the chain of nodes that enclose the present one
	for i, r := range t.routes {
		if n := len(t.nodes); n > 0 && t.nodes[n-1].prefix == r.Prefix {
			t.nodes[n-1].last++
			continue
		}
		for len(around) > 0 && !encloses(t.nodes[around[len(around)-1]].prefix, r.Prefix) {
			around = around[:len(around)-1]
		}
		parent := int32(-1)
		if len(around) > 0 {
			parent = around[len(around)-1]
		}
		around = append(around, int32(len(t.nodes)))
		t.nodes = append(t.nodes, node{prefix: r.Prefix, parent: parent, first: int32(i), last: int32(i + 1)})
	}
	return t
}

// comparePrefixes puts IPv4 before IPv6 and what encloses before what is inside.
func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

func encloses(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Contains(b.Addr()) }

func mergeSiblings(routes []Route) []Route {
	return slices.CompactFunc(mergeHops(routes), func(a, b Route) bool { return siblings(a, b) })
}

// mergeHops gives the first of a row of siblings the hops of all.
func mergeHops(routes []Route) []Route {
	first := 0
	for i := range routes {
		if i == 0 || !siblings(routes[first], routes[i]) {
			first = i
			continue
		}
		hops := slices.Concat(routes[first].Hops, routes[i].Hops)
		slices.SortFunc(hops, compareHops)
		routes[first].Hops = slices.Compact(hops)
	}
	return routes
}

func siblings(a, b Route) bool {
	return a.Prefix == b.Prefix && a.Metric == b.Metric && a.Prefix.Addr().Is6() && a.Kind == Unicast && b.Kind == Unicast
}

// match yields the routes whose prefix holds dst, which is neither zoned nor
// 4-in-6: the longest prefix first, and the lowest metric first in each.
func (t *table) match(dst netip.Addr) func(yield func(*Route) bool) {
	return func(yield func(*Route) bool) {
		// The last node that does not come after dst as a host prefix.
		i, found := slices.BinarySearchFunc(t.nodes, netip.PrefixFrom(dst, dst.BitLen()),
			func(n node, p netip.Prefix) int { return comparePrefixes(n.prefix, p) })
		if !found {
			i--
		}
		for n := int32(i); n >= 0; n = t.nodes[n].parent {
			if !t.nodes[n].prefix.Contains(dst) {
				continue
			}
			for r := t.nodes[n].first; r < t.nodes[n].last; r++ {
				if !yield(&t.routes[r]) {
					return
				}
			}
		}
	}
}
