package config

import (
	"net/netip"
	"slices"
	"strconv"
)

const (
	greIPv4 = 20 + 4 // outer IPv4 header and GRE without options (RFC 2784)
	greIPv6 = 40 + 4

	minMTU6 = 1280 // RFC 8200, 5: what every path carries
)

// clients says who sends what goes into some tunnels, for what becomes of what
// does not fit.
type clients struct {
	ipv4Fragment, ipv4Drop bool // IPv4, by too_big
	ipv6                   bool
}

func (c *clients) add(v *vipDraft) {
	ipv4 := v.Prefix.Addr().Is4()
	c.ipv6 = c.ipv6 || !ipv4
	c.ipv4Fragment = c.ipv4Fragment || ipv4 && v.TooBig == TooBigFragment
	c.ipv4Drop = c.ipv4Drop || ipv4 && v.TooBig == TooBigDrop
}

// tunnels are those that leave by one port to one kind of destination.
type tunnels struct {
	port int
	ipv6 bool // outside
	node bool // to another node, not to a backend
}

func (t tunnels) what() string {
	switch {
	case t.node:
		return "fragments to other nodes"
	case t.ipv6:
		return "packets to IPv6 backends"
	}
	return "packets to IPv4 backends"
}

func (t tunnels) overhead() int {
	if t.ipv6 {
		return greIPv6
	}
	return greIPv4
}

// warnMTU tells where full-size packets will not fit once they are in the
// tunnel, and what becomes of them.
func (d *draft) warnMTU(r *report) {
	all := d.allTunnels()
	bring := d.bring(all)
	warned := map[int]int{} // port: overhead
	for i, p := range d.ports {
		for _, t := range []tunnels{{i, false, false}, {i, true, false}, {i, false, true}, {i, true, true}} {
			from, over := all[t], t.overhead()
			fits := p.MTU - over
			if from == nil || fits >= bring || t.node && warned[i] >= over {
				continue
			}
			warned[i] = over
			r.warn(p.mtuAt, "port %q: mtu %d leaves no room for the tunnel: of %s those over %d bytes do not fit (GRE adds %d): %s. Set mtu = %d here and on the way there%s",
				p.Name, p.MTU, t.what(), fits, over, from.lose(fits), bring+over, t.instead(bring-fits))
		}
	}
}

// bring is the size of the largest packets that clients bring: 1500 bytes, or
// the mtu of the ports that they come by, if that is less. These are the ports
// that no tunnel to a backend leaves by, if there are such.
func (d *draft) bring(all map[tunnels]*clients) int {
	outside, largest := 0, 0
	for i, p := range d.ports {
		largest = max(largest, p.MTU)
		if all[tunnels{port: i}] == nil && all[tunnels{port: i, ipv6: true}] == nil {
			outside = max(outside, p.MTU)
		}
	}
	if outside == 0 {
		outside = largest
	}
	return min(usualMTU, outside)
}

// lose says what becomes of packets of more bytes than fit.
func (c *clients) lose(fits int) string {
	told, rest := "", ""
	switch {
	case c.ipv6 && (c.ipv4Fragment || c.ipv4Drop):
		told = "DF packets and IPv6 get ICMP with MTU"
	case c.ipv6:
		told = "senders get ICMPv6 with MTU"
	default:
		told = "DF packets get ICMP with MTU"
	}
	switch {
	case c.ipv4Fragment && c.ipv4Drop:
		rest = ", others go in fragments or are dropped (vip.too_big)"
	case c.ipv4Fragment:
		rest = ", others go in fragments"
	case c.ipv4Drop:
		rest = ", others are dropped (vip.too_big)"
	}
	if c.ipv6 && fits < minMTU6 {
		rest += ", and longer IPv6 packets are lost for good, as no sender goes below 1280 (RFC 8200, 5)"
	}
	return told + " " + strconv.Itoa(fits) + rest
}

// instead is what helps where the mtu cannot be had. vip.mss does not: it is for
// what the backends send, and their own MSS for what they get.
func (t tunnels) instead(lack int) string {
	if t.node {
		return ""
	}
	return ", or have the backends announce an MSS that is " + strconv.Itoa(lack) + " less"
}

// allTunnels gives the tunnels of this node, with those who send.
func (d *draft) allTunnels() map[tunnels]*clients {
	all := map[tunnels]*clients{}
	ways := map[netip.Addr][]int{}
	add := func(c clients, dst netip.Addr, node bool) {
		if ways[dst] == nil {
			ways[dst] = d.waysTo(dst)
		}
		for _, port := range ways[dst] {
			t := tunnels{port, dst.Is6(), node}
			if all[t] == nil {
				all[t] = &clients{}
			}
			all[t].join(c)
		}
	}
	byPools := map[string]*clients{} // VIPs with the same backends are looked at once
	fragments := clients{}
	for i := range d.vips {
		v := &d.vips[i]
		if !d.node.serves(v.Shard) {
			continue
		}
		key := poolsKey(v.Pools)
		if byPools[key] == nil {
			byPools[key] = &clients{}
		}
		byPools[key].add(v)
		if v.Fragments {
			fragments.add(v)
		}
	}
	for key, c := range byPools {
		for _, b := range d.resolved[key] {
			if b.State != StateOff {
				add(*c, b.Address, false)
			}
		}
	}
	for _, n := range d.fragments.nodes {
		if n.Name != d.node.Name && fragments != (clients{}) {
			add(fragments, n.Address, true)
		}
	}
	return all
}

func (c *clients) join(o clients) {
	c.ipv4Fragment = c.ipv4Fragment || o.ipv4Fragment
	c.ipv4Drop = c.ipv4Drop || o.ipv4Drop
	c.ipv6 = c.ipv6 || o.ipv6
}

// waysTo gives the ports that a tunnel may leave by, as far as the file tells:
// the one with dst on its longest subnet; or those that learn next hops and
// have a gateway of dst's family; or the first with a fixed next hop. Where the
// kernel's routes alone decide it is the port with the largest mtu, so as not to
// cry wolf.
func (d *draft) waysTo(dst netip.Addr) []int {
	leads := func(p portDraft) bool { return p.HasNextHop || p.Kernel != "" }
	anyLeads := slices.ContainsFunc(d.ports, leads) // if not, that is warned of, and mended before this is
	onLink, length, fixed, largest := -1, -1, -1, -1
	var gateways []int
	for i, p := range d.ports {
		if anyLeads && !leads(p) {
			continue
		}
		for _, a := range p.Addresses {
			if a.Masked().Contains(dst) && a.Bits() > length {
				onLink, length = i, a.Bits()
			}
		}
		if p.HasNextHop && fixed < 0 {
			fixed = i
		}
		if largest < 0 || p.MTU > d.ports[largest].MTU {
			largest = i
		}
		if !p.HasNextHop && slices.ContainsFunc(p.Gateways, func(g netip.Addr) bool { return g.Is4() == dst.Is4() }) {
			gateways = append(gateways, i)
		}
	}
	switch {
	case onLink >= 0:
		return []int{onLink}
	case gateways != nil:
		return gateways
	case fixed >= 0:
		return []int{fixed}
	}
	return []int{largest}
}
