package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An outage is a fleet that is about to lose something, under the eyes of a
// crowd: the nodes announce their VIPs to a routing daemon over their kernel
// interfaces, and check their backends. What becomes of each VIP when its
// backends are down differs:
//
//	v4        backends 1, 2   withdrawn
//	v6        backends 1, 2   unreachable
//	v4-in-6   backends 1, 2   fails open
//	v6-in-4   backend 3       withdrawn: but those of the others are not its own
//
// docs/outages.md has what comes of each test.
type outage struct {
	*fleet
	router router
	all    []int // the nodes
}

// A setting is what outages differ in.
type setting struct {
	nodes    int // 0: two
	router   func(*fleet, peering) router
	bfd      bool
	password bool
	peer     string // more keys of [[bgp.peer]]
	tunnel   bool   // checks go through the tunnel, and a VIP beside has direct ones
	fall     int    // of checks; 0: 3
	passive  bool   // the router opens the sessions
	beside   bool   // sessions go by a network of their own, and not by the nodes' ports
}

const (
	graceful = time.Second            // [bgp].graceful_shutdown
	calm     = 500 * time.Millisecond // before and after
	slack    = 3 * time.Second        // of a machine that is busy with other things
)

// BFD as guidewayd has it by default, with FLEET_FULL; else with more patience, for
// a machine that is busy with other things must not look like a dead node.
var (
	bfdMultiplier = size(6, 3)
	bfdTime       = time.Duration(bfdMultiplier) * 300 * time.Millisecond
)

// beginOutage makes the network, starts the router and the nodes, and returns when the
// router's kernel spreads every VIP over all nodes.
func beginOutage(t testing.TB, s setting) *outage {
	t.Helper()
	if s.nodes == 0 {
		s.nodes = 2
	}
	o := &outage{}
	o.fleet = build(t, shape{nodes: s.nodes, serves: func(i int) string { return o.services(i, s) }})
	for i := range s.nodes {
		o.all = append(o.all, i)
	}
	if err := os.WriteFile(o.secret(), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.ip("router", "route del 203.0.113.0/24", "route del 2001:db8:cafe::/64")
	p := peering{bfd: s.bfd, password: s.password}
	for i := range s.nodes {
		node := nth(node4, i)
		if s.beside {
			node = o.wireBeside(i)
		}
		p.nodes = append(p.nodes, node)
	}
	o.router = s.router(o.fleet, p)
	o.fleet.begin()
	o.settle()
	o.whole()
	return o
}

// wireBeside joins a node and the router by a link that is the kernels' alone.
func (o *outage) wireBeside(i int) (node netip.Addr) {
	dev := "beside" + nodeName(i)
	o.link(end{host: nodeName(i), dev: "beside"}, end{host: "router", dev: dev}, 1500)
	node = nth(netip.PrefixFrom(beside(i), 30), 1)
	o.address("router", dev, netip.PrefixFrom(beside(i), 30))
	o.address(nodeName(i), "beside", netip.PrefixFrom(node, 30))
	return node
}

// beside is the router's end of the link that wireBeside makes.
func beside(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(1 + i), 1}) }

// whole waits until the router spreads every VIP over every node, and watches each
// by BFD if it should.
func (o *outage) whole() time.Duration {
	o.t.Helper()
	took := o.leads(o.all, vips...)
	for _, n := range o.nodes {
		n.WaitFor("BFD", func() bool {
			for name, up := range n.Metrics() {
				if strings.HasPrefix(name, "guideway_bfd_up{") && up == 0 {
					return false
				}
			}
			return true
		})
	}
	return took
}

// others are all nodes but one.
func (o *outage) others(but int) (rest []int) {
	for _, i := range o.all {
		if i != but {
			rest = append(rest, i)
		}
	}
	return rest
}

func (o *outage) secret() string { return filepath.Join(o.dir, "secret") }

func (o *outage) console(i int) string { return filepath.Join(o.nodeDir(i), "console") }

// checkFall is how long a backend that refuses connections is taken for well.
const checkFall = 3 * 500 * time.Millisecond

// services is what a node's configuration has beside the machine.
func (o *outage) services(i int, s setting) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	at := edge4.Addr()
	if s.beside {
		at = beside(i)
	}
	p(`
[console]
listen = "unix:%s"

[bgp]
asn = %d
graceful_shutdown = "%v"

[[bgp.peer]]
address = "%s"
asn     = %d
bfd     = %v
bfd_multiplier = %d`, o.console(i), nodeAS, graceful, at, routerAS, s.bfd, bfdMultiplier)
	p("%s", s.peer)
	if s.beside {
		p("next_hop4 = \"%s\"", nth(node4, i))
	}
	if s.passive {
		p("passive = true\nlocal_address = \"%s\"", nth(node4, i))
	}
	if s.password {
		p("password_file = %q", o.secret())
	}
	p(`
[[check]]
name     = "web"
type     = "http"
interval = "500ms"
timeout  = "500ms"
rise     = 2
fall     = %d`, cmp.Or(s.fall, 3))
	if s.tunnel {
		p("via = \"tunnel\"")
		p("%s", direct)
	}
	for _, pool := range []struct {
		name  string
		first netip.Prefix
		from  int
		to    int
	}{{"two4", server4, 0, 2}, {"two6", server6, 0, 2}, {"third4", server4, 2, 3}} {
		p("\n[[pool]]\nname     = %q\ncheck    = \"web\"\nbackends = [", pool.name)
		for j := pool.from; j < pool.to; j++ {
			p(`    { address = "%s" },`, nth(pool.first, j))
		}
		p("]")
	}
	for _, v := range []struct {
		vip
		pool, down string
	}{{vip4, "two4", "withdraw"}, {vip6, "two6", "unreachable"}, {vip4i6, "two6", "fail-open"}, {vip6i4, "third4", "withdraw"}} {
		for protocol, port := range map[string]int{"tcp": 80, "udp": recorderPort} {
			p("\n[[vip]]\nname = \"%s-%s\"\naddress = %q\nprotocol = %[2]q\nports = [\"%[4]d\"]\npools = [%[5]q]\nwhen_down = %[6]q\ncommunities = [\"64512:100\", \"4200000000:1:2\"]",
				v.name, protocol, v.addr, port, v.pool, v.down)
		}
	}
	return b.String()
}

// direct is a VIP whose backends, the first two, are asked directly.
var direct = fmt.Sprintf(`
[[check]]
name     = "direct"
type     = "http"
interval = "500ms"
timeout  = "500ms"
rise     = 2
fall     = 3

[[pool]]
name     = "direct"
check    = "direct"
backends = [{ address = "%s" }, { address = "%s" }]

[[vip]]
name    = "direct"
address = "203.0.113.50"
ports   = ["80"]
pools   = ["direct"]`, server4.Addr(), nth(server4, 1))

// say gives a node's console one line and returns the answer.
func (o *outage) say(i int, line string) string {
	o.t.Helper()
	c, err := net.Dial("unix", o.console(i))
	if err != nil {
		o.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, "%s\nquit\n", line); err != nil {
		o.t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		o.t.Fatalf("%s: console: %s: %v: %s", nodeName(i), line, err, answer)
	}
	return string(answer)
}

// show gives a node's console a show command and fills in what it answers.
func (o *outage) show(i int, what string, answer any) {
	o.t.Helper()
	text := o.say(i, "show "+what+" -json")
	_, text, _ = strings.Cut(text, "> ") // what comes before the prompt is a greeting
	if err := json.NewDecoder(strings.NewReader(text)).Decode(answer); err != nil {
		o.t.Fatalf("%s: show %s: %v: %s", nodeName(i), what, err, text)
	}
}

// withheld is what a node's console gives for the reason that it announces
// nothing.
func (o *outage) withheld(i int) string {
	o.t.Helper()
	var answer struct{ Unhealthy string }
	o.show(i, "bgp", &answer)
	return answer.Unhealthy
}

// again starts a node's process anew, as an init system does.
func (o *outage) again(i int) {
	o.t.Helper()
	o.nodes[i] = o.node(i)
	o.defaultRoutes(i)
}
