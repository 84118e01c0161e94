package config

import (
	"net/netip"
)

// linkNodes holds the list of nodes against this one. A redirected fragment
// goes from the address that the list has for one node to that of another, and
// is taken only if it does (docs/fragments.md); so the list must be right about
// this node, and of one family.
func (d *draft) linkNodes(r *report, own map[netip.Addr]string) {
	f := &d.fragments
	if !d.node.named {
		return // which entry is ours is not known
	}
	self, _ := f.Node(d.node.Name)
	if !self.Address.IsValid() && len(f.nodes) > 0 && f.clean {
		var names []string
		for _, n := range f.nodes {
			names = append(names, n.Name)
		}
		r.fault(f.nodesAt, "fragments.nodes: this node, %q ([node].name), is not among them: the list is of every node, this one too%s", d.node.Name, didYouMean(d.node.Name, names))
	}
	vips, backends := map[netip.Addr]string{}, map[netip.Addr]pos{}
	for _, v := range d.vips {
		if v.Prefix.IsValid() && v.Prefix.IsSingleIP() {
			vips[v.Prefix.Addr()] = v.Name
		}
	}
	for _, p := range d.pools {
		for _, b := range p.backends {
			backends[b.v.Address] = b.at
		}
	}
	for _, n := range f.nodes {
		if !n.Address.IsValid() {
			continue // reported already
		}
		who, ours := own[n.Address]
		ours = ours && who != "[node].source_pool"
		backend, serves := backends[n.Address]
		switch {
		case n.Name == d.node.Name && !ours && d.clean():
			r.fault(n.addressAt, "fragments.nodes: %s is not an address of this node: write one of [node].source or port.addresses, which the others reach it by", n.Address)
		case n.Name != d.node.Name && who != "":
			r.fault(n.addressAt, "fragments.nodes: %s is this node's own address (%s), but the entry is of %q", n.Address, who, n.Name)
		case vips[n.Address] != "":
			r.fault(n.addressAt, "fragments.nodes: %s is the address of vip %q, which is on every node: write the node's own", n.Address, vips[n.Address])
		case serves && !ours:
			r.fault(n.addressAt, "fragments.nodes: %s is a backend, on line %d: a node takes no packets as one", n.Address, backend.line)
		case self.Address.IsValid() && n.Address.Is4() != self.Address.Is4():
			r.fault(n.addressAt, "fragments.nodes: %s is %s, and this node's address in the list, %s, is %s: fragments go from the one to the other, so all must be of one family",
				n.Address, family(n.Address), self.Address, family(self.Address))
		}
	}
}

// clean tells that this node's own addresses were all understood.
func (d *draft) clean() bool {
	ok := d.node.clean
	for _, p := range d.ports {
		ok = ok && p.clean
	}
	return ok
}
