package config

// warnPorts tells of what a port asks for and does not get.
func (d *draft) warnPorts(r *report) {
	for _, p := range d.ports {
		if !p.HasNextHop && p.Kernel == "" {
			r.warn(p.nameAt, "port %q has neither kernel nor next_hop_mac: no next hop is known there, so no tunnel leaves by it. Set kernel = \"gw-%.12s\" to have next hops learnt, or next_hop_mac to the router's address", p.Name, p.Name)
		}
		if p.HasNextHop && len(p.gateways) > 0 {
			r.warn(p.gateways[0].at, "port.gateways: all that leaves by port %q goes to its next_hop_mac: this does nothing", p.Name)
		}
		if p.Kernel == "" {
			if p.kernelRateAt != (pos{}) {
				r.warn(p.kernelRateAt, "port.kernel_rate: port %q has no kernel interface: this does nothing", p.Name)
			}
			continue
		}
		if len(p.addresses) == 0 {
			r.warn(p.kernelAt, "port.kernel: port %q has no addresses, and so %q has none: nobody reaches this node there, and IPv4 next hops are not learnt", p.Name, p.Kernel)
		}
		// Up to here the excess is room for tunnels, and nobody sends this node
		// itself as much.
		if p.MTU > usualMTU+greIPv6 {
			r.warn(p.mtuAt, "port %q: mtu is %d, but that of %q, a TAP, is %d: longer packets for this node itself are dropped, those for VIPs are not", p.Name, p.MTU, p.Kernel, p.KernelMTU())
		}
	}
}

// warnFragments tells of fragments that are right on one node only.
func (d *draft) warnFragments(c *Config, r *report) {
	if len(d.fragments.nodes) > 0 {
		return
	}
	for _, v := range d.vips {
		if v.Fragments && c.Node.serves(v.Shard) {
			r.warn(v.fragmentsAt, "vip.fragments: [fragments] has no nodes: where packets for vip %q come to several nodes, pieces of one datagram may go to different backends. List every node, or this one alone if there is no other", v.Name)
			return
		}
	}
}
