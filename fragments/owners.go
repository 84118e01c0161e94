package fragments

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"guideway/maglev"
	"guideway/maglev/flow"
)

// slots is the size of the owners' table, the same on every node: within 1 %
// of even shares for up to 655 nodes.
const slots = 65537

// seed is that of the hash that picks a datagram's owner: the fractional parts
// of the square roots of 7, 11 and 13, which follow those of flow.Selection.
// It is fixed, as that is, because all nodes must agree; it is another, so that
// the datagrams that a node owns are any ones to the tables of its services.
var seed = flow.Seed{A: 0xa54ff53a5f1d36f1, B: 0x510e527fade682d1, C: 0x9b05688c2b3e6c1f}

// A Node is one load balancer of the fleet.
type Node struct {
	Addr netip.Addr // where it takes redirected fragments; one address, of either family
	Down bool       // it does not answer
}

// Owners says which node a datagram belongs to. All nodes that have the same
// list and see the same nodes down say the same. It is immutable, for any
// number of readers.
//
// Every slot of the hash has an order of preference over all nodes, and belongs
// to the first that is not down: first comes the node that a Maglev table over
// the whole list, down or not, gives it; then the others by rendezvous hashing.
// When a node is lost only its own datagrams change owners, spread over all the
// rest; when it comes back exactly those return. That holds for any number of
// nodes down, which a second Maglev table over the living would not give:
// losing one more node would move some datagrams of those lost before.
type Owners struct {
	slots  []uint16 // ordinals
	nodes  []netip.Addr
	words  []address // of nodes; ascending
	self   int
	digest uint64
}

// An address is an address as flow.Words has it.
type address struct {
	hi, lo uint64
	ipv6   bool
}

// NewOwners makes the owners of the node whose address is self. The nodes are
// the whole list, in any order; each address is in it once, and self is. This
// node counts as living whatever the list says. An empty list is a node on its
// own: it owns everything, and self does not matter.
func NewOwners(nodes []Node, self netip.Addr) (*Owners, error) {
	if len(nodes) == 0 {
		return &Owners{slots: []uint16{0}}, nil
	}
	members := make([]maglev.Member, len(nodes))
	for i, n := range nodes {
		members[i] = maglev.Member{Addr: n.Addr, Weight: 1}
	}
	table, err := maglev.Build(members, slots)
	if err != nil {
		return nil, fmt.Errorf("fragments: nodes: %w", err)
	}
	o := &Owners{slots: slices.Clone(table.Slots()), self: -1, digest: table.Digest()}
	self = self.Unmap()
	for i, m := range table.Members() {
		hi, lo, ipv6 := flow.Words(m.Addr)
		o.nodes = append(o.nodes, m.Addr)
		o.words = append(o.words, address{hi, lo, ipv6})
		if m.Addr == self {
			o.self = i
		}
	}
	if o.self < 0 {
		return nil, errors.New("fragments: nodes: this node, " + self.String() + ", is not among them")
	}
	down := make([]bool, len(nodes))
	for _, n := range nodes {
		i, _ := slices.BinarySearchFunc(o.nodes, n.Addr.Unmap(), netip.Addr.Compare)
		down[i] = n.Down && i != o.self
	}
	for slot, owner := range o.slots {
		if down[owner] {
			o.slots[slot] = o.next(slot, down)
		}
	}
	return o, nil
}

// next returns the living node that a slot prefers to all but its Maglev
// table's choice.
func (o *Owners) next(slot int, down []bool) (node uint16) {
	var highest uint64
	for i, a := range o.words {
		// The hash of the node's address together with the slot's number.
		k := flow.Key{SrcHi: a.hi, SrcLo: a.lo, DstLo: uint64(slot), IPv6: true}
		if score := k.Hash(&seed); !down[i] && score >= highest {
			node, highest = uint16(i), score
		}
	}
	return node
}

// Owner returns the ordinal of the node that a datagram belongs to, and whether
// that is this node. Of k, the key of a flow, of a fragment, or of a datagram,
// the addresses count, and for IPv4 the protocol (the paper's 3-tuple). IPv6
// fragments need not agree about the protocol.
func (o *Owners) Owner(k *flow.Key) (node int, self bool) {
	t := flow.Key{SrcHi: k.SrcHi, SrcLo: k.SrcLo, DstHi: k.DstHi, DstLo: k.DstLo, IPv6: k.IPv6}
	if !k.IPv6 {
		t.Proto = k.Proto
	}
	slot, _ := bits.Mul64(t.Hash(&seed), uint64(len(o.slots)))
	node = int(o.slots[slot])
	return node, node == o.self
}

// Nodes returns the nodes' addresses by ordinal, which is in order of address.
// Read-only.
func (o *Owners) Nodes() []netip.Addr { return o.nodes }

// Self returns this node's ordinal; 0 of a node on its own.
func (o *Owners) Self() int { return o.self }

// Digest returns 64 bits that are the same on two nodes if they have the same
// list, whatever each takes for down; zero of a node on its own.
func (o *Owners) Digest() uint64 { return o.digest }

// Shares returns how many of the hash's slots each node owns, by ordinal.
func (o *Owners) Shares() []int {
	shares := make([]int, max(len(o.nodes), 1))
	for _, node := range o.slots {
		shares[node]++
	}
	return shares
}

// Others tells whether k's source is another node, down or not.
func (o *Owners) Others(k *flow.Key) bool { return o.other(k.SrcHi, k.SrcLo, k.IPv6) }

// other tells whether an address, as flow.Words has it, is that of another
// node, down or not: what comes from it shows that it lives.
func (o *Owners) other(hi, lo uint64, ipv6 bool) bool {
	i, found := slices.BinarySearchFunc(o.words, address{hi, lo, ipv6}, address.compare)
	return found && i != o.self
}

// compare orders addresses as netip.Addr.Compare does: IPv4 first.
func (a address) compare(b address) int {
	switch {
	case a == b:
		return 0
	case a.ipv6 != b.ipv6:
		if b.ipv6 {
			return -1
		}
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	}
	return 1
}
