package main

import (
	"fmt"
	"net/netip"
)

// build makes the namespaces, links, addresses and routes of t.
func build(t topology, say *narrator) error {
	b := &builder{t: t, say: say}
	buildRouter(b)
	buildClient(b)
	buildLB(b)
	for _, be := range t.built() {
		buildBackend(b, be)
	}
	return b.err
}

// buildRouter makes the router and the rack's bridge.
func buildRouter(b *builder) {
	b.host("router", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	b.ip("router", fmt.Sprintf("link add rack mtu %d type bridge", b.t.driver.fabric))
	b.ip("router", "link set rack up")
	b.address("router", "rack", toRack4, toRack6)
}

func buildClient(b *builder) {
	b.host("client")
	b.link("client", "eth0", "", "router", "client", "", b.t.driver.edge)
	b.address("client", "eth0", client4, client6)
	b.address("router", "client", toClnt4, toClnt6)
	b.gateways("client", toClnt4, toClnt6)
}

// buildLB makes the load balancer's namespace. Its port carries no kernel
// address: every packet on it is guidewayd's, which so far answers no ARP and no
// neighbour solicitation, so the router is told its MAC address.
func buildLB(b *builder) {
	b.host("lb", "net.ipv6.conf.default.disable_ipv6=1")
	b.link("lb", "wan", lbMAC, "router", "lb", routerMAC, b.t.driver.fabric)
	b.address("router", "lb", toLB4, toLB6)
	for _, a := range []netip.Prefix{lb4, lb6} {
		b.ip("router", fmt.Sprintf("neigh replace %s lladdr %s dev lb nud permanent", a.Addr(), lbMAC))
	}
	for _, v := range vips {
		via := lb4
		if v.addr.Is6() {
			via = lb6
		}
		b.ip("router", fmt.Sprintf("route add %s/%d via %s dev lb", v.addr, v.addr.BitLen(), via.Addr()))
	}

	host, lb := b.t.mgmt()
	b.run("ip", "link", "add", "name", b.t.mgmtLink(), "type", "veth", "peer", "name", "mgmt", "netns", b.t.ns("lb"))
	b.run("ip", "addr", "add", host.String(), "dev", b.t.mgmtLink())
	b.run("ip", "link", "set", b.t.mgmtLink(), "up")
	b.address("lb", "mgmt", lb)
	b.ip("lb", "link set mgmt up")
}

// buildBackend makes one server as every server behind a DSR load balancer is
// made: the VIPs on lo, and silence about them towards the rack (arp_ignore,
// arp_announce), or it would steal them from the load balancer.
func buildBackend(b *builder, be backend) {
	b.host(be.name,
		"net.ipv4.conf.all.arp_ignore=1",
		"net.ipv4.conf.all.arp_announce=2",
	)
	b.link(be.name, "eth0", "", "router", be.name, "", b.t.driver.fabric)
	b.ip("router", "link set "+be.name+" master rack")
	b.address(be.name, "eth0", be.v4, be.v6)
	b.gateways(be.name, toRack4, toRack6)
	for _, v := range vips {
		b.address(be.name, "lo", netip.PrefixFrom(v.addr, v.addr.BitLen()))
	}
}
