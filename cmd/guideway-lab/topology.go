package main

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
)

// The network. A request goes client -> router -> load balancer -> router ->
// backend, the answer backend -> router -> client: direct server return.
//
//	 client                router                        lb
//	198.51.100.2 ── 198.51.100.1 │ 192.0.2.1 ── 192.0.2.11 (guidewayd, one arm)
//	                             │
//	                     10.0.0.254, a bridge: the rack
//	                      │         │         │
//	                  10.0.0.1  10.0.0.2  10.0.0.3 ...   backends, VIPs on lo
//
// Every leg has IPv6 beside IPv4. All addresses but the rack's are from the
// ranges set apart for documentation (RFC 5737, RFC 3849) and for bench tests
// (RFC 2544, the management link).
var (
	client4, client6 = netip.MustParsePrefix("198.51.100.2/24"), netip.MustParsePrefix("2001:db8:c::2/64")
	toClnt4, toClnt6 = netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("2001:db8:c::1/64")
	lb4, lb6         = netip.MustParsePrefix("192.0.2.11/24"), netip.MustParsePrefix("2001:db8::11/64")
	toLB4, toLB6     = netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")
	toRack4, toRack6 = netip.MustParsePrefix("10.0.0.254/24"), netip.MustParsePrefix("2001:db8:b::fe/64")
)

const (
	lbMAC     = "02:00:00:00:00:11"
	routerMAC = "02:00:00:00:00:01"

	maxBackends = 100 // 10.0.0.1 to 10.0.0.101 with the spare

	metricsPort = 9150
)

// A driver is a DPDK driver for the load balancer's port, with the MTUs that it
// allows: the client's, and that of the fabric inside, which leaves room for what
// GRE adds (24 bytes over IPv4, 44 over IPv6).
type driver struct {
	name         string
	edge, fabric int
}

var drivers = []driver{
	{"af_xdp", 1500, 1600},
	{"af_packet", 1400, 1500}, // takes no frame above 1518 bytes
}

// nameRE leaves room for "-mgmt" in the 15 bytes of an interface name.
var nameRE = regexp.MustCompile(`^[a-z][a-z0-9]{0,7}$`)

// A backend is one nginx in one namespace. It can be reached over both families;
// which one carries the tunnel is a matter of the pool.
type backend struct {
	name   string
	v4, v6 netip.Prefix
}

// A pool lists all backends by their addresses of one family: the family of the
// tunnel.
type pool struct {
	name string
	over netip.Prefix // the load balancer's own address of that family
}

var (
	overIPv4 = pool{"over-ipv4", lb4}
	overIPv6 = pool{"over-ipv6", lb6}
)

// address of b in p.
func (p pool) address(b backend) netip.Addr {
	if p.over.Addr().Is4() {
		return b.v4.Addr()
	}
	return b.v6.Addr()
}

// A vip is one service. The four make up all mixes of VIP and tunnel family.
type vip struct {
	name string
	addr netip.Addr
	pool pool
}

// url of path at the VIP.
func (v vip) url(path string) string {
	return "http://" + v.host() + path
}

func (v vip) host() string {
	if v.addr.Is6() {
		return "[" + v.addr.String() + "]"
	}
	return v.addr.String()
}

var vips = []vip{
	{"web4", netip.MustParseAddr("203.0.113.10"), overIPv4},
	{"web6", netip.MustParseAddr("2001:db8:cafe::10"), overIPv6},
	{"web4-in-6", netip.MustParseAddr("203.0.113.11"), overIPv6},
	{"web6-in-4", netip.MustParseAddr("2001:db8:cafe::11"), overIPv4},
}

// A topology is one instance of the network, as data.
type topology struct {
	name     string
	driver   driver
	backends []backend // in the pools from the start
	spare    backend   // built, but in no pool until the reload
}

func newTopology(name string, d driver, backends int) topology {
	t := topology{name: name, driver: d}
	for i := 1; i <= backends; i++ {
		t.backends = append(t.backends, newBackend(i))
	}
	t.spare = newBackend(backends + 1)
	return t
}

func newBackend(i int) backend {
	a6 := toRack6.Addr().As16()
	a6[15] = byte(i)
	return backend{
		name: "b" + strconv.Itoa(i),
		v4:   netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), toRack4.Bits()),
		v6:   netip.PrefixFrom(netip.AddrFrom16(a6), toRack6.Bits()),
	}
}

// built is every backend that exists, in a pool or not.
func (t topology) built() []backend {
	return append(t.backends[:len(t.backends):len(t.backends)], t.spare)
}

// ns is the name of a host's namespace.
func (t topology) ns(host string) string { return t.name + "-" + host }

// owns tells whether a namespace is one that a lab of this name makes.
func (t topology) owns(ns string) bool {
	ok, err := regexp.MatchString("^"+regexp.QuoteMeta(t.name)+`-(client|router|lb|b[0-9]+)$`, ns)
	return ok && err == nil
}

// mgmtLink is the host's end of the link to the load balancer's namespace, over
// which a person reaches the metrics.
func (t topology) mgmtLink() string { return t.name + "-mgmt" }

// mgmt is the two ends' addresses, host first: one /30 for each instance name, so
// that labs side by side do not meet. The default name gets the first.
func (t topology) mgmt() (host, lb netip.Prefix) {
	var third byte
	if t.name != "gwlab" {
		h := fnv.New32a()
		h.Write([]byte(t.name))
		third = byte(1 + h.Sum32()%254)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, third, 1}), 30),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, third, 2}), 30)
}

func (t topology) metricsAddr() string {
	_, lb := t.mgmt()
	return netip.AddrPortFrom(lb.Addr(), metricsPort).String()
}

func (t topology) metricsURL() string { return fmt.Sprintf("http://%s/metrics", t.metricsAddr()) }

// runRoot holds one folder and one lock file for each instance.
const runRoot = "/run/guideway-lab"

func (t topology) dir(parts ...string) string {
	return filepath.Join(append([]string{runRoot, t.name}, parts...)...)
}

func (t topology) logFile(process string) string { return t.dir("log", process+".log") }
