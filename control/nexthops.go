package control

import (
	"net/netip"
	"slices"

	"guideway/control/config"
	"guideway/control/kernel"
	"guideway/control/plan"
)

// nextHops answers the planner's question by what the kernel knows: where its
// route to a destination leads, if that is through a port; else to the ports'
// gateways, as many as can be reached. Only next hops with a known link address
// count.
func nextHops(c *config.Config, v *kernel.View) func(netip.Addr) []plan.NextHop {
	ports := map[string]int{}
	for i, p := range c.Ports {
		if p.Kernel != "" {
			ports[p.Kernel] = i
		}
	}
	usable := func(hops []kernel.NextHop) (usable []plan.NextHop) {
		for _, h := range hops {
			if port, ok := ports[h.Interface]; ok && h.State.Usable() {
				usable = append(usable, plan.NextHop{Port: port, MAC: h.MAC, Weight: h.Weight})
			}
		}
		return usable
	}
	return func(dst netip.Addr) []plan.NextHop {
		if hops := v.NextHops(dst); len(hops) > 0 {
			return usable(hops) // none, if none is resolved: gateways are not for what the kernel knows better
		}
		var all []plan.NextHop
		for _, gateway := range gateways(c, dst) {
			all = append(all, usable(v.NextHops(gateway))...)
		}
		return all
	}
}

// gateways returns the ports' gateways of dst's family.
func gateways(c *config.Config, dst netip.Addr) (gateways []netip.Addr) {
	for _, p := range c.Ports {
		for _, g := range p.Gateways {
			if p.Kernel != "" && g.Is4() == dst.Is4() {
				gateways = append(gateways, g)
			}
		}
	}
	return gateways
}

// wanted returns the addresses whose next hops the kernel is to keep resolved:
// those of tunnels, and the gateways to them.
func wanted(c *config.Config, destinations []netip.Addr) []netip.Addr {
	all := slices.Clone(destinations)
	for _, p := range c.Ports {
		if p.Kernel != "" {
			all = append(all, p.Gateways...)
		}
	}
	return all
}
