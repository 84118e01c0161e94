package plan

import (
	"net/netip"
	"slices"

	"guideway/fragments"
	"guideway/maglev/fib"
)

// A fleet is what owners of datagrams follow from.
type fleet struct {
	nodes []fragments.Node // by address
	self  netip.Addr
}

func (f fleet) equal(o fleet) bool { return f.self == o.self && slices.Equal(f.nodes, o.nodes) }

// addNodes decides who owns which datagram, and finds the tunnels to the other
// nodes.
func (b *builder) addNodes() error {
	f := b.fleet()
	b.plan.fleet = f
	if p := b.in.Previous; p != nil && p.fleet.equal(f) {
		b.plan.Owners = p.Owners // making them takes milliseconds
	} else {
		var err error
		if b.plan.Owners, err = fragments.NewOwners(f.nodes, f.self); err != nil {
			return err
		}
	}
	nodes := b.plan.Owners.Nodes()
	b.nodes = make([]fib.NodeSpec, len(nodes))
	for ordinal, node := range nodes {
		if node == f.self {
			continue
		}
		// From the address in the list and no other: the mark counts only if
		// it comes from there.
		sources := []netip.Addr{f.self}
		four := b.addTunnels(sources, fib.TunnelSpec{Dst: node, Marked: true})
		six := b.addTunnels(sources, fib.TunnelSpec{Dst: node, Marked: true, InnerIPv6: true})
		b.nodes[ordinal] = fib.NodeSpec{Tunnel4: four.Tunnel, Tunnel6: six.Tunnel, Ways: four.Ways}
	}
	return nil
}

// fleet returns the list of nodes with what is known of them. This node lives,
// whatever is said of it.
func (b *builder) fleet() fleet {
	var f fleet
	if self, found := b.in.Config.Fragments.Node(b.in.Config.Node.Name); found {
		f.self = self.Address
	}
	for _, n := range b.in.Config.Fragments.Nodes {
		down := n.Address != f.self && b.in.Down != nil && b.in.Down(n.Address)
		f.nodes = append(f.nodes, fragments.Node{Addr: n.Address, Down: down})
	}
	slices.SortFunc(f.nodes, func(a, b fragments.Node) int { return a.Addr.Compare(b.Addr) })
	return f
}
