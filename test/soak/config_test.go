package soak

import (
	"fmt"
	"net/netip"
	"strings"

	"guideway/test/hostile"
)

// settings are what the configurations of the tests differ in.
type settings struct {
	number   int // of this node, from 1
	nodes    int // of the fleet
	device   string
	lcores   string
	rxQueues int
	kernel   bool
	vlan     uint16
	variant  int // what a reload changes
}

const mtu = 1500

var (
	routerMAC  = [6]byte{2, 0, 0, 0, 0, 1}
	addresses4 = func(n int) string { return fmt.Sprintf("192.0.2.%d", 10+n) }
	addresses6 = func(n int) string { return fmt.Sprintf("2001:db8::%d", 10+n) }
)

// text is the configuration: services of every kind, tables so small that they
// overflow, limits that are reached. Variants differ in what a reload may change.
func (s settings) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`[reload]`)
	line(`max_removed = "100%%"`)
	line(`[node]`)
	line(`name   = "lb%d"`, s.number)
	line(`source = [%q, %q]`, addresses4(s.number), addresses6(s.number))
	line(`[dpdk]`)
	line(`lcores = %s`, s.lcores)
	line(`memory = "256MiB"`)
	line(`huge   = false`)
	line(`idle   = "sleep"`)
	line(`[[port]]`)
	line(`name         = "wan"`)
	line(`device       = %q`, s.device)
	line(`addresses    = ["%s/24", "%s/64"]`, addresses4(s.number), addresses6(s.number))
	line(`next_hop_mac = "02:00:00:00:00:01"`)
	line(`mtu          = %d`, mtu)
	line(`vlan         = %d`, s.vlan)
	line(`rx_queues    = %d`, s.rxQueues)
	if s.kernel {
		line(`kernel       = "gw-wan"`)
		line(`kernel_rate  = 5000`)
	}
	line(`[conntrack]`)
	line(`flows_per_core = 8192`)
	line(`[metrics]`)
	line(`listen = "127.0.0.1:0"`)
	line(`[fragments]`)
	line(`datagrams = 1024`)
	line(`held      = 512`)
	line(`bytes     = "1MiB"`)
	line(`timeout   = "200ms"`)
	line(`nodes     = [`)
	for n := 1; n <= s.nodes; n++ {
		line(`  { name = "lb%d", address = %q },`, n, addresses4(n))
	}
	line(`]`)
	line(`[icmp]`)
	line(`rate        = 2000`)
	line(`source      = %q`, [...]string{"node", "vip"}[s.variant&1])
	line(`closed_port = %q`, [...]string{"unreachable", "drop"}[s.variant>>1&1])
	state := func(backend int) string { // one drains, one is off, and every eighth time all are
		switch {
		case s.variant%8 == 7:
			return "drain"
		case s.variant%5 == backend:
			return "off"
		case s.variant%3 == backend:
			return "drain"
		}
		return "up"
	}
	for family, pattern := range map[string]string{"four": "10.0.0.%d", "six": "2001:db8:b::%d"} {
		line(`[[pool]]`)
		line(`name     = %q`, family)
		line(`backends = [`)
		for backend := range backends {
			line("  { address = %q, state = %q },", fmt.Sprintf(pattern, 1+backend), state(backend))
		}
		line(`]`)
	}
	vip := func(name, address, protocol, pool string, more ...string) {
		line("[[vip]]\nname = %q\naddress = %q\nprotocol = %q\npools = [%q]\ntable_size = 1009", name, address, protocol, pool)
		for _, m := range more {
			line("%s", m)
		}
	}
	const fragments, every = `fragments = true`, `ports = ["any"]`
	vip("web", web, "tcp", "four", `ports = ["80", "1000-2000"]`, `mss = 1300`, `icmp_echo = "forward"`, fragments)
	vip("web6", web6, "tcp", "six", `ports = ["80"]`, `mss = 1280`, `when_down = "unreachable"`)
	vip("dns", dns, "udp", "four", every, fragments, fmt.Sprintf(`too_big = %q`, [...]string{"fragment", "drop"}[s.variant>>2&1]))
	vip("sctp", dns, "sctp", "four", every)
	vip("dns46", dns46, "udp", "six", every, fragments, `hash = "3-tuple"`)
	vip("dns6", dns6, "udp", "six", every, fragments)
	vip("dns64", dns64, "udp", "four", `ports = ["53", "5000-6000"]`, fragments, `hash = "source"`, `icmp_echo = "drop"`)
	vip("any", prefix, "any", "four", fragments)
	return b.String()
}

const backends = 4

const prefix = "203.0.113.128/28"

const (
	web, web6               = "203.0.113.10", "2001:db8:cafe::10"
	dns, dns46, within      = "203.0.113.53", "203.0.113.54", "203.0.113.130" // within the prefix
	dns6, dns64             = "2001:db8:cafe::53", "2001:db8:cafe::54"
	tcp, udp, sctp     byte = 6, 17, 132
)

// targets are the node's, as whoever attacks it sees it.
func (s settings) targets(mac [6]byte) hostile.Targets {
	t := hostile.Targets{MAC: mac, Router: routerMAC, VLAN: s.vlan, MTU: mtu, Within: []netip.Prefix{netip.MustParsePrefix(prefix)},
		Self: []netip.Addr{netip.MustParseAddr(addresses4(s.number)), netip.MustParseAddr(addresses6(s.number))}}
	service := func(vip string, proto byte, port uint16) {
		t.Services = append(t.Services, hostile.Service{VIP: netip.MustParseAddr(vip), Proto: proto, Port: port})
	}
	service(web, tcp, 80)
	service(web, tcp, 1500)
	service(web6, tcp, 80)
	service(dns, udp, 53)
	service(dns, udp, 0)
	service(dns, sctp, 0)
	service(dns46, udp, 0)
	service(dns6, udp, 0)
	service(dns64, udp, 53)
	service(within, 0, 0)
	for n := 1; n <= s.nodes; n++ {
		if n != s.number {
			t.Nodes = append(t.Nodes, netip.MustParseAddr(addresses4(n)))
		}
	}
	for backend := range backends {
		t.Backends = append(t.Backends, netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", 1+backend)), netip.MustParseAddr(fmt.Sprintf("2001:db8:b::%d", 1+backend)))
	}
	return t
}
