package machine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// JudgeBackend says whether packets for VIPs that load balancers at from put into
// tunnels are taken out and answered. Without from, a tunnel from anybody will do.
func JudgeBackend(b *Backend, vips, from []netip.Addr) (findings []Finding) {
	for _, what := range b.Unknown {
		findings = append(findings, note("reading", "%s: what it would have said is not judged", what))
	}
	tunnels, found := judgeTunnels(b, from)
	findings = append(findings, found...)
	for _, t := range tunnels {
		findings = append(findings, judgeTunnel(b, t, vips)...)
	}
	for _, v := range vips {
		findings = append(findings, judgeVIP(b, v, tunnels)...)
	}
	findings = append(findings, judgeARP(b, vips)...)
	for _, node := range from {
		if _, ok := b.Ways[node]; !ok && len(b.Unknown) == 0 {
			findings = append(findings, note("route", "there is none to load balancer %s: its checks get no answer", node))
		}
	}
	for _, t := range tunnels {
		if !t.Remote.IsValid() && !t.Local.IsValid() {
			findings = append(findings, note(t.Name, "takes tunnels from anybody to any address of this machine").
				advise("one for each load balancer lets nobody else reach the VIPs past the firewall: %s", script))
		}
	}
	findings = append(findings, judgeMTU(b, vips, from)...)
	return append(findings, judgeFirewall(b))
}

// script is how to mend what guideway-backend takes care of.
const script = "guideway-backend up makes it so (docs/backends.md)"

// judgeTunnels finds the interfaces that take each load balancer's packets.
func judgeTunnels(b *Backend, from []netip.Addr) (used []Tunnel, findings []Finding) {
	const topic = "tunnel"
	take := func(t Tunnel) {
		if !slices.Contains(used, t) {
			used = append(used, t)
		}
	}
	if len(from) == 0 {
		for _, t := range b.Tunnels {
			if t.Up && !t.ethernet() {
				take(t)
			}
		}
		if len(used) == 0 {
			findings = append(findings, missing(topic, "no GRE interface is up: protocol 47 is refused").advise("%s", noTunnel(b)))
		}
		return used, findings
	}
	for _, node := range from {
		t, ok := b.taker(node)
		if !ok {
			findings = append(findings, missing(topic, "no GRE interface takes packets from %s%s", node, b.almost(node)).advise("%s", noTunnel(b)))
			continue
		}
		take(t)
		who := "from it alone"
		if !t.Remote.IsValid() {
			who = "as from anybody"
		}
		findings = append(findings, fine(topic, "%s (%s) takes packets from %s, %s", t.Name, t.Kind, node, who))
	}
	return used, findings
}

func noTunnel(b *Backend) string {
	var gone []string
	for name, has := range b.Modules {
		if !has {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	if len(gone) > 0 {
		return script + "; but this kernel seems to lack " + strings.Join(gone, ", ")
	}
	return script
}

// taker is the interface that the kernel gives a node's packets to: the nearest
// match of those that are up.
func (b *Backend) taker(node netip.Addr) (best Tunnel, ok bool) {
	for _, t := range b.Tunnels {
		if strings.HasPrefix(t.Kind, "ip6") == node.Is4() || !t.Up || t.ethernet() {
			continue
		}
		switch {
		case t.Remote == node && t.Local.IsValid(), t.Remote == node && best.Remote != node,
			!t.Remote.IsValid() && !ok:
			best, ok = t, true
		}
	}
	return best, ok
}

// ethernet tells whether the tunnel is for frames: the kernel gives it no IP packets.
func (t *Tunnel) ethernet() bool {
	return strings.HasSuffix(t.Kind, "tap") || strings.Contains(t.Kind, "erspan")
}

// almost says what interface was perhaps meant for a node, and why it is none.
func (b *Backend) almost(node netip.Addr) string {
	for _, t := range b.Tunnels {
		switch {
		case t.Remote != node:
		case t.ethernet():
			return fmt.Sprintf("; %s is %s, for Ethernet frames, and here come IP packets", t.Name, t.Kind)
		case !t.Up:
			return fmt.Sprintf("; %s is down", t.Name)
		}
	}
	return ""
}

func judgeTunnel(b *Backend, t Tunnel, vips []netip.Addr) (findings []Finding) {
	if t.Key != "" {
		findings = append(findings, missing(t.Name, "expects the key %s: guidewayd sends none, and keyless packets are dropped", t.Key).advise("make it without a key: %s", script))
	}
	if t.Local.IsValid() && !slices.ContainsFunc(b.Addresses, func(a Address) bool { return a.IP == t.Local }) {
		findings = append(findings, missing(t.Name, "takes only what is sent to %s, which is no address of this machine", t.Local).advise("make it with another local address, or with none: %s", script))
	}
	four := slices.ContainsFunc(vips, netip.Addr.Is4)
	switch filter := b.effective(t.Name, "rp_filter"); {
	case four && filter == 1:
		findings = append(findings, missing(t.Name, "rp_filter is strict (1: the larger of all and its own): every IPv4 packet out of the tunnel is dropped as forged").
			advise("sysctl -w net.ipv4.conf.%s.rp_filter=2 ; or %s", t.Name, script))
	case four && filter == 2 && !t.IPv4:
		findings = append(findings, missing(t.Name, "rp_filter is loose (2), but the interface has no IPv4 address, and then it is as strict as 1: every IPv4 packet out of the tunnel is dropped").
			advise("ip addr add 192.0.0.8/32 dev %s scope host ; or %s", t.Name, script))
	case four && filter == 2:
		findings = append(findings, fine(t.Name, "rp_filter is loose: clients must be reachable by some route, as by a default route"))
	case four:
		findings = append(findings, fine(t.Name, "rp_filter is off"))
	}
	if slices.ContainsFunc(vips, netip.Addr.Is6) && b.Settings["ipv6/conf/"+t.Name+"/disable_ipv6"] == "1" {
		findings = append(findings, missing(t.Name, "IPv6 is switched off there: IPv6 packets out of the tunnel are dropped").
			advise("sysctl -w net.ipv6.conf.%s.disable_ipv6=0", t.Name))
	}
	switch {
	case t.Errors > 0:
		findings = append(findings, note(t.Name, "%d packets received, and %d errors: keys, checksums or sequence numbers that do not fit, or other than IP inside", t.Packets, t.Errors))
	case t.Packets == 0:
		findings = append(findings, note(t.Name, "nothing has come out of this tunnel yet").
			advise("guideway doctor --backend ... --probe 10 tells whether anything arrives for it"))
	default:
		findings = append(findings, fine(t.Name, "%d packets received", t.Packets))
	}
	return findings
}

func judgeVIP(b *Backend, v netip.Addr, tunnels []Tunnel) (findings []Finding) {
	topic := "VIP " + v.String()
	on := slices.IndexFunc(b.Addresses, func(a Address) bool { return a.IP == v })
	switch {
	case on < 0:
		return append(findings, missing(topic, "on no interface: packets for it are not taken").advise("ip addr add %s dev lo ; or %s", netip.PrefixFrom(v, v.BitLen()), script))
	case !b.Addresses[on].Up:
		return append(findings, missing(topic, "on %s, which is down", b.Addresses[on].Interface).advise("ip link set %s up", b.Addresses[on].Interface))
	}
	findings = append(findings, fine(topic, "on %s", b.Addresses[on].Interface))
	var ports []string
	for _, l := range b.Listening {
		// A socket of IPv6 on all addresses takes IPv4 as well, as a rule.
		if l.Addr() == v || l.Addr().IsUnspecified() && (l.Addr().Is6() || v.Is4()) {
			if p := fmt.Sprint(l.Port()); !slices.Contains(ports, p) {
				ports = append(ports, p)
			}
		}
	}
	if len(ports) == 0 {
		return append(findings, note(topic, "no TCP service listens on it, or on all addresses").advise("clients' SYNs are answered with resets, unless it serves UDP alone"))
	}
	return append(findings, fine(topic, "TCP services listen on port %s", strings.Join(ports, ", ")))
}

// judgeARP looks whether somebody on the wire can learn the VIP from here.
func judgeARP(b *Backend, vips []netip.Addr) []Finding {
	if !slices.ContainsFunc(vips, netip.Addr.Is4) {
		return nil
	}
	const topic = "ARP"
	if ignore, announce := b.effective("all", "arp_ignore"), b.effective("all", "arp_announce"); ignore == 0 || announce < 2 {
		return []Finding{note(topic, "this machine answers ARP for its VIPs on every interface (arp_ignore %d), or names them in its questions (arp_announce %d)", ignore, announce).
			advise("where a VIP's subnet is on the wire, it takes the whole VIP so, past the load balancers:\nsysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 ; or %s", script)}
	}
	return []Finding{fine(topic, "nobody learns a VIP from this machine")}
}

// What a tunnel adds, in bytes: RFC 2784 over RFC 791 and RFC 8200.
const (
	overhead4 = 20 + 4
	overhead6 = 40 + 4
	usualMTU  = 1500
)

// judgeMTU looks whether clients are asked for segments that fit into the tunnel.
func judgeMTU(b *Backend, vips, from []netip.Addr) (findings []Finding) {
	const topic = "MTU"
	overhead := 0
	for _, node := range from {
		add := overhead4
		if node.Is6() {
			add = overhead6
		}
		if w, ok := b.Ways[node]; ok && w.MTU < usualMTU+add {
			overhead = max(overhead, add)
		}
	}
	if overhead == 0 {
		return nil // it fits, or nobody said from where
	}
	for _, family := range []string{"IPv4", "IPv6"} {
		six := family == "IPv6"
		if !slices.ContainsFunc(vips, func(v netip.Addr) bool { return v.Is6() == six }) {
			continue
		}
		headers := 40 // IP and TCP
		if six {
			headers = 60
		}
		fits := usualMTU - overhead - headers
		if mss := b.MSS[family]; mss == 0 || mss > fits {
			findings = append(findings, note(topic, "load balancers are behind an MTU of less than %d, and %s clients are not asked for smaller segments", usualMTU+overhead, family).
				advise("their full-size segments then cost an ICMP error, which some never hear. Raise the MTU on the way, or: ip route change default ... advmss %d", fits))
		} else {
			findings = append(findings, fine(topic, "%s clients are asked for segments of %d bytes at most, which fit into the tunnel", family, mss))
		}
	}
	return findings
}

func judgeFirewall(b *Backend) Finding {
	const topic = "firewall"
	switch {
	case len(b.Firewall) > 0 && !b.LetsGRE:
		return note(topic, "%s drops what no rule lets in, and no rule speaks of GRE (protocol 47)", strings.Join(b.Firewall, ", ")).
			advise("nft: ip protocol gre ip saddr LOAD-BALANCER accept; and what comes in by the tunnel interface to the VIP's ports")
	case len(b.Firewall) > 0:
		return fine(topic, "%s drops what no rule lets in; a rule lets GRE in", strings.Join(b.Firewall, ", "))
	}
	return fine(topic, "none is seen that drops by default; one before this machine is not to be seen from here")
}
