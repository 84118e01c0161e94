package config

import (
	"cmp"
	"net/netip"
	"slices"
)

// claim is one range of ports that a VIP takes.
type claim struct {
	first, last int
	vip         *vipDraft
	at          pos
}

// overlaps reports VIPs that claim the same packets. One that is more specific
// than the other may lie within it: a longer prefix in a shorter one, a named
// protocol in any, a narrower range of ports in a wider one. Only those that
// this node serves are looked at: two shards may well serve one address.
func (d *draft) overlaps(r *report) {
	type place struct {
		prefix   netip.Prefix
		protocol Protocol
	}
	claims := map[place][]claim{}
	pinged := map[netip.Prefix]*vipDraft{}
	for i := range d.vips {
		v := &d.vips[i]
		if !v.Prefix.IsValid() || !d.node.serves(v.Shard) {
			continue
		}
		if first := pinged[v.Prefix]; first == nil {
			pinged[v.Prefix] = v
		} else if first.ICMPEcho != v.ICMPEcho {
			r.fault(v.echoAt, "vip %q: icmp_echo is %q here and %q in vip %q (line %d), which has the same address: a ping names no port, so they must agree",
				v.Name, v.ICMPEcho, first.ICMPEcho, first.Name, first.echoAt.line)
		}
		at := place{v.Prefix, v.Protocol}
		if v.Ports == nil {
			claims[at] = append(claims[at], claim{0, 65535, v, v.portsAt})
		}
		for _, p := range v.ports {
			claims[at] = append(claims[at], claim{int(p.v.First), int(p.v.Last), v, p.at})
		}
	}
	for _, list := range claims {
		nested(r, list)
	}
}

// nested reports the claims of one place that neither lie apart nor one within
// the other. It sweeps over them from the lowest port, the widest first, with
// the stack of those that are still open.
func nested(r *report, list []claim) {
	slices.SortStableFunc(list, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last), a.at.compare(b.at))
	})
	var open []claim
	for _, c := range list {
		for len(open) > 0 && open[len(open)-1].last < c.first {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			o := open[len(open)-1]
			equal := o.first == c.first && o.last == c.last
			if (equal || o.last < c.last) && o.vip != c.vip {
				report := c
				if c.at.compare(o.at) < 0 {
					report, o = o, c
				}
				r.fault(report.at, "vip %q and vip %q (line %d) both claim %s, protocol %s, port %s", report.vip.Name, o.vip.Name,
					o.at.line, c.vip.Prefix, c.vip.Protocol, shared(c, o))
			}
		}
		open = append(open, c)
	}
}

// shared names the ports that two claims have in common.
func shared(a, b claim) string {
	first, last := max(a.first, b.first), min(a.last, b.last)
	if first == 0 {
		return "any"
	}
	return PortRange{uint16(first), uint16(last)}.String()
}
