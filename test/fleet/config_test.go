package fleet

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// probe is the interval of the nodes' probes of one another.
const probe = 200 * time.Millisecond

// The CPUs of the nodes, which share them.
const pollCPU, controlCPU = 1, 0

// config is the configuration of a node: next hops are learnt, all else is as
// on every node, unless the shape has a say.
func (f *fleet) config(i int) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p(`[node]
name   = "%s"
source = ["%s", "%s"]

[dpdk]
lcores       = [%d]
control_cpus = [%d]
memory       = "256MiB"
huge         = false
idle         = "sleep"

[[port]]
name      = "wan"
device    = "net_af_xdp0,iface=wan"
addresses = ["%s", "%s"]
gateways  = ["%s", "%s"]
mtu       = %d
kernel    = "gw-wan"

[conntrack]
flows_per_core = 65536
keep           = "%s"

[fragments]
probe = "%v"
nodes = [`, nodeName(i), nth(node4, i), nth(node6, i), pollCPU, controlCPU,
		netip.PrefixFrom(nth(node4, i), node4.Bits()), netip.PrefixFrom(nth(node6, i), node6.Bits()),
		edge4.Addr(), edge6.Addr(), f.fabric, f.keep, probe)
	for j := range f.shape.nodes {
		p(`    { name = "%s", address = "%s" },`, nodeName(j), nth(node4, j))
	}
	p("]")
	serves := f.serves
	if serves == nil {
		serves = everything
	}
	p("%s", serves(i))
	p("\n[metrics]\nlisten = \"127.0.0.1:9150\"\n%s", f.shape.more)
	return b.String()
}

// everything has all VIPs served by all backends.
func everything(int) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for family, first := range map[string]netip.Prefix{"4": server4, "6": server6} {
		p("\n[[pool]]\nname     = \"over%s\"\nbackends = [", family)
		for j := range backends {
			p(`    { address = "%s" },`, nth(first, j))
		}
		p("]")
	}
	for _, v := range vips {
		pool := "over4"
		if v.over6 {
			pool = "over6"
		}
		p(`
[[vip]]
name     = "web-%[1]s"
address  = "%[2]s"
ports    = ["80"]
pools    = ["%[3]s"]

[[vip]]
name      = "udp-%[1]s"
address   = "%[2]s"
protocol  = "udp"
ports     = ["%[4]d"]
pools     = ["%[3]s"]
fragments = true`, v.name, v.addr, pool, recorderPort)
	}
	for family, a := range map[string][2]netip.Addr{"4": {void4, voidServ4}, "6": {void6, voidServ6}} {
		p(`
[[pool]]
name     = "void%[1]s"
backends = [{ address = "%[3]s" }]

[[vip]]
name     = "void%[1]s"
address  = "%[2]s"
protocol = "udp"
ports    = ["%[4]d"]
pools    = ["void%[1]s"]`, family, a[0], a[1], recorderPort)
	}
	return b.String()
}
