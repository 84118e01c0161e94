package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// readPool reads source_pool. The backends see each of its addresses as one
// more sender of tunnels, so that what they and the network spread by outer
// addresses alone is spread more evenly.
func (n *nodeDraft) readPool(s *section) {
	pool, _ := list(s, "source_pool", poolPrefix)
	for _, p := range pool {
		into := &n.SourcePool4
		if p.v.Addr().Is6() {
			into = &n.SourcePool6
		}
		if i := slices.IndexFunc(n.pool, func(q located[netip.Prefix]) bool { return q.v.Overlaps(p.v) }); i >= 0 {
			s.r.fault(p.at, "node.source_pool: %s and %s, on line %d, share addresses: write each once", prefixText(p.v), prefixText(n.pool[i].v), n.pool[i].at.line)
			continue
		}
		n.pool = append(n.pool, p)
		before := len(*into)
		for a := p.v.Addr(); p.v.Contains(a); a = a.Next() {
			*into = append(*into, a)
		}
		if count := len(*into); before <= MaxSources && count > MaxSources {
			s.r.fault(p.at, "node.source_pool: up to here these are %d %s addresses: at most %d", count, family(p.v.Addr()), MaxSources)
		}
		if !n.Source(p.v.Addr()).IsValid() && n.clean {
			s.r.fault(p.at, "node.source_pool: %s is %s, and node.source has no %s address: add one, for what is not of a flow", prefixText(p.v), family(p.v.Addr()), family(p.v.Addr()))
		}
	}
	slices.SortFunc(n.SourcePool4, netip.Addr.Compare)
	slices.SortFunc(n.SourcePool6, netip.Addr.Compare)
}

// poolPrefix accepts some addresses of this node. All of a prefix are meant,
// the first and the last of an IPv4 one too: each is a host route to this node,
// there is no subnet on which they would be the network or broadcast address.
func poolPrefix(v *value) (netip.Prefix, error) {
	p, err := target(v)
	if err != nil {
		return netip.Prefix{}, err
	}
	if free := p.Addr().BitLen() - p.Bits(); free > 6 { // 1<<6 is MaxSources
		return netip.Prefix{}, fmt.Errorf("%s has more than %d addresses: write a prefix of /%d or longer", p, MaxSources, p.Addr().BitLen()-6)
	}
	for a := p.Addr(); p.Contains(a); a = a.Next() {
		if err := unicast(a); err != nil {
			return netip.Prefix{}, err
		}
	}
	return p, nil
}

// prefixText writes one address without its length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// linkPool holds the pool against what others have, and against the subnets
// that this node is in. Backends and gateways look for themselves: see own.
func (d *draft) linkPool(r *report, own map[netip.Addr]string) {
	for _, v := range d.vips {
		if !v.Prefix.IsValid() || !v.Prefix.IsSingleIP() || own[v.Prefix.Addr()] == "" {
			continue
		}
		for _, p := range d.node.pool {
			if p.v.Contains(v.Prefix.Addr()) {
				r.fault(p.at, "node.source_pool: %s holds %s, the address of vip %q: what comes back about the tunnels would go to its backends", prefixText(p.v), v.Prefix.Addr(), v.Name)
			}
		}
	}
	for _, p := range d.node.pool {
		for _, port := range d.ports {
			for _, a := range port.addresses {
				if what, end := reserved(a.v, p.v); end.IsValid() {
					r.fault(p.at, "node.source_pool: %s holds %s, the %s address of port %q: hosts there drop what comes from it, so leave it out", prefixText(p.v), end, what, port.Name)
				}
			}
		}
	}
}

// reserved gives the address of a subnet that no host of it has, network or
// broadcast, if it lies in pool.
func reserved(subnet, pool netip.Prefix) (what string, a netip.Addr) {
	first := subnet.Masked().Addr()
	if !first.Is4() || subnet.Bits() > 30 { // RFC 3021: two hosts need neither
		return "", netip.Addr{}
	}
	if pool.Contains(first) {
		return "network", first
	}
	last := first.As4()
	for i, host := 0, ^uint32(0)>>subnet.Bits(); i < 4; i++ {
		last[i] |= byte(host >> (24 - 8*i))
	}
	if a := netip.AddrFrom4(last); pool.Contains(a) {
		return "broadcast", a
	}
	return "", netip.Addr{}
}
