package fleet

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// The network. Packets to a VIP go client -> access -> router -> some node ->
// router -> backend, answers backend -> router -> access -> client.
//
//	 client               access                router
//	198.51.100.2-17 ── .1 │ 198.18.0.2 ── .1 │ 192.0.2.1, a bridge: the edge
//	                                         │    │         │         │
//	                                         │ 192.0.2.11  .12       .13   nodes (guidewayd, one arm each)
//	                                         │
//	                                         │ 10.0.0.254, a bridge: the rack
//	                                              │         │         │
//	                                          10.0.0.1     .2        .3    backends, VIPs on lo
//
// Every leg has IPv6 beside IPv4. The router spreads the VIPs over the nodes by
// ECMP, whole packets by their 5-tuple, fragments by their 3-tuple. A node's
// addresses are on the interface that guidewayd makes for the kernel.
var (
	client4, client6 = netip.MustParsePrefix("198.51.100.2/24"), netip.MustParsePrefix("2001:db8:c::2/64")
	edge4, edge6     = netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")
	node4, node6     = netip.MustParsePrefix("192.0.2.11/24"), netip.MustParsePrefix("2001:db8::11/64")
	rack4, rack6     = netip.MustParsePrefix("10.0.0.254/24"), netip.MustParsePrefix("2001:db8:b::fe/64")
	server4, server6 = netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8:b::1/64")
)

const (
	prefix   = "gwfleet-" // of every namespace
	clients  = 16         // addresses that the client has of each family
	backends = 3
	most     = 3 // nodes

)

var edgeMAC = net.HardwareAddr{2, 0, 0, 0, 0, 1}

// A vip is one address, at which the web (TCP 80) and the recorder (UDP 5000)
// are served. The four make up all mixes of client and tunnel family.
type vip struct {
	name  string
	addr  netip.Addr
	over6 bool // family of the tunnels
}

var (
	vip4   = vip{"v4", netip.MustParseAddr("203.0.113.10"), false}
	vip6   = vip{"v6", netip.MustParseAddr("2001:db8:cafe::10"), true}
	vip4i6 = vip{"v4-in-6", netip.MustParseAddr("203.0.113.11"), true}
	vip6i4 = vip{"v6-in-4", netip.MustParseAddr("2001:db8:cafe::11"), false}
	vips   = []vip{vip4, vip6, vip4i6, vip6i4}

	// Of these nothing comes out: the router drops their tunnels. No backend
	// can be in the way of a flood to them.
	void4, void6         = netip.MustParseAddr("203.0.113.99"), netip.MustParseAddr("2001:db8:cafe::99")
	voidServ4, voidServ6 = netip.MustParseAddr("10.0.9.9"), netip.MustParseAddr("2001:db8:b:9::9")
)

// nth is the address i places after that of p.
func nth(p netip.Prefix, i int) netip.Addr {
	a := p.Addr()
	for ; i > 0; i-- {
		a = a.Next()
	}
	return a
}

// client is the address of the client's i-th persona that suits v.
func (v vip) client(i int) netip.Addr {
	if v.addr.Is6() {
		return nth(client6, i)
	}
	return nth(client4, i)
}

// A shape is what fleets differ in.
type shape struct {
	nodes  int
	access int    // MTU between the access and the router; 0: 1500
	fabric int    // MTU of edge and rack; 0: 1600, which bears any tunnel of 1500
	more   string // of every node's configuration
	keep   string // where the one node keeps its connection tables; "": nowhere

	// serves is what of a node's configuration tells what it serves, and for
	// whom; nil: everything.
	serves func(node int) string
}

// wire makes the namespaces, links, addresses and routes.
func (f *fleet) wire() {
	f.host("client", "")
	// Routers, which tell of every packet that deserves it, as those of hardware do.
	const forwards = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0"
	f.host("access", forwards)
	f.host("router", forwards+" net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1")
	f.link(end{host: "client", dev: "eth0"}, end{host: "access", dev: "client"}, 1500)
	f.link(end{host: "access", dev: "uplink"}, end{host: "router", dev: "access"}, f.access)
	var personas []netip.Prefix
	for i := range clients {
		personas = append(personas, netip.PrefixFrom(nth(client4, i), 24), netip.PrefixFrom(nth(client6, i), 64))
	}
	f.address("client", "eth0", personas...)
	f.ip("access",
		"addr add 198.51.100.1/24 dev client", "addr add 2001:db8:c::1/64 dev client nodad",
		"addr add 198.18.0.2/30 dev uplink", "addr add 2001:db8:a::2/64 dev uplink nodad",
		"route add default via 198.18.0.1", "route add default via 2001:db8:a::1")
	f.ip("client", "route add default via 198.51.100.1", "route add default via 2001:db8:c::1")
	f.ip("router",
		"addr add 198.18.0.1/30 dev access", "addr add 2001:db8:a::1/64 dev access nodad",
		"route add 198.51.100.0/24 via 198.18.0.2", "route add 2001:db8:c::/64 via 2001:db8:a::2",
		"route add blackhole "+voidServ4.String(), "route add blackhole "+voidServ6.String(),
		fmt.Sprintf("link add edge address %s mtu %d type bridge", edgeMAC, f.fabric), "link set edge up",
		fmt.Sprintf("link add rack mtu %d type bridge", f.fabric), "link set rack up")
	f.address("router", "edge", edge4, edge6)
	f.address("router", "rack", rack4, rack6)
	for i := range f.shape.nodes {
		f.wireNode(i)
	}
	for i := range backends {
		f.wireBackend(i)
	}
	ecmp4, ecmp6 := "route add 203.0.113.0/24", "route add 2001:db8:cafe::/64"
	for i := range f.shape.nodes {
		ecmp4 += " nexthop via " + nth(node4, i).String()
		ecmp6 += " nexthop via " + nth(node6, i).String()
	}
	f.ip("router", ecmp4, ecmp6)
}

// wireNode makes a node's namespace. Its port is guidewayd's alone: the kernel
// has nothing to say on it.
func (f *fleet) wireNode(i int) {
	name := nodeName(i)
	f.host(name, "")
	f.link(end{host: name, dev: "wan", mac: nodeMAC(i)}, end{host: "router", dev: name}, f.fabric)
	f.run(name, "sysctl", "-qw", "net.ipv6.conf.wan.disable_ipv6=1")
	f.ip("router", "link set "+name+" master edge")
}

// wireBackend makes one server as every server behind direct server return is
// made: the VIPs on lo, and silence about them towards the rack.
func (f *fleet) wireBackend(i int) {
	name := backendName(i)
	f.host(name, "net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2")
	f.link(end{host: name, dev: "eth0"}, end{host: "router", dev: name}, f.fabric)
	f.ip("router", "link set "+name+" master rack")
	f.address(name, "eth0", netip.PrefixFrom(nth(server4, i), 24), netip.PrefixFrom(nth(server6, i), 64))
	// Towards the client 1500 is what any server on the Internet believes in.
	f.ip(name, fmt.Sprintf("route add default via %s mtu 1500", rack4.Addr()), fmt.Sprintf("route add default via %s mtu 1500", rack6.Addr()))
	var served []netip.Prefix
	for _, v := range vips {
		served = append(served, netip.PrefixFrom(v.addr, v.addr.BitLen()))
	}
	f.address(name, "lo", served...)
}

func nodeName(i int) string    { return fmt.Sprintf("n%d", i+1) }
func backendName(i int) string { return fmt.Sprintf("b%d", i+1) }

func nodeMAC(i int) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, byte(0x11 + i)} }

// host adds a namespace. Its settings come before its links, since a link takes
// the defaults of the moment it is made.
func (f *fleet) host(name, settings string) {
	f.t.Helper()
	command(f.t, "ip", "netns", "add", prefix+name)
	f.run(name, append(strings.Fields("sysctl -qw "+
		// The way back is not the way there, which a reverse path filter takes for forgery.
		"net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_ra=0"),
		strings.Fields(settings)...)...)
	f.ip(name, "link set lo up")
}

// An end is one side of a link.
type end struct {
	host, dev string
	mac       net.HardwareAddr // nil: any
}

// link joins two hosts by a veth pair, of one queue, since an AF_XDP socket
// sees but one. All offloads are off: a veth leaves
// checksums and segmentation to a NIC that is not there.
func (f *fleet) link(a, b end, mtu int) {
	f.t.Helper()
	text := func(e end) string {
		s := fmt.Sprintf("name %s netns %s mtu %d numtxqueues 1 numrxqueues 1", e.dev, prefix+e.host, mtu)
		if e.mac != nil {
			s += " address " + e.mac.String()
		}
		return s
	}
	command(f.t, strings.Fields("ip link add "+text(a)+" type veth peer "+text(b))...)
	for _, e := range []end{a, b} {
		f.run(e.host, strings.Fields("ethtool -K "+e.dev+" tx off tso off gso off gro off")...)
		f.ip(e.host, "link set "+e.dev+" up")
	}
}

func (f *fleet) address(host, dev string, addrs ...netip.Prefix) {
	f.t.Helper()
	var lines []string
	for _, a := range addrs {
		line := "addr add " + a.String() + " dev " + dev
		if a.Addr().Is6() {
			line += " nodad"
		}
		lines = append(lines, line)
	}
	f.ip(host, lines...)
}
