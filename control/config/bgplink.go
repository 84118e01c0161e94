package config

import "net/netip"

// linkBGP holds [bgp] against the node and the VIPs, and settles what it takes
// from them.
func (d *draft) linkBGP(r *report, own map[netip.Addr]string) {
	b := &d.bgp
	if b.present && !b.RouterID.IsValid() {
		b.RouterID = d.node.Source4
		if !d.node.Source4.IsValid() {
			r.fault(b.at, "[bgp] is missing \"router_id\": [node].source has no IPv4 address to take its place")
		}
	}
	var passive *peerDraft
	for i := range b.peers {
		p := &b.peers[i]
		if who, ours := own[p.Address]; ours {
			r.fault(p.at, "bgp.peer: %s is this node's own address (%s)", p.Address, who)
		}
		d.linkFamilies(r, p)
		switch {
		case !p.Passive:
		case passive == nil:
			passive = p
		case p.Port != passive.Port:
			r.fault(p.portAt, "bgp.peer.port: we listen for passive peers on one port only, and that is %d for %s", passive.Port, passive.Address)
		}
		b.Peers = append(b.Peers, p.Peer)
	}
	for _, a := range b.aggregate {
		if !d.anyWithin(a.v) {
			r.warn(a.at, "bgp.aggregate: no VIP of this node lies within %s: it is never announced", a.v)
		}
	}
}

// linkFamilies sees to it that routes have a next hop: those of the session's
// other family have none by themselves. A family that nobody asked for is left
// out instead.
func (d *draft) linkFamilies(r *report, p *peerDraft) {
	if !p.Address.IsValid() || !d.node.clean {
		return
	}
	wants, hop, source, name := &p.IPv6, p.NextHop6, d.node.Source6, "IPv6"
	if p.Address.Is6() {
		wants, hop, source, name = &p.IPv4, p.NextHop4, d.node.Source4, "IPv4"
	}
	if !*wants || hop.IsValid() || source.IsValid() {
		return
	}
	if !p.familiesSet {
		*wants = false
		return
	}
	r.fault(p.familiesAt, "bgp.peer.families: %s routes over a session by %s need a next hop: [node].source has no %s address, and there is no next_hop%s",
		name, family(p.Address), name, name[3:])
}

// anyWithin says whether a VIP that this node serves lies within p.
func (d *draft) anyWithin(p netip.Prefix) bool {
	for _, v := range d.vips {
		if d.node.serves(v.Shard) && v.Prefix.IsValid() && v.Prefix.Bits() > p.Bits() && p.Contains(v.Prefix.Addr()) {
			return true
		}
	}
	return false
}
