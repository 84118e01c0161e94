package config

import (
	"strings"
	"testing"
)

const running = `[node]
name   = "lb1"
source = ["192.0.2.11"]

[dpdk]
lcores = [2, 3]
memory = "1GiB"

[[port]]
name   = "wan"
device = "net_null0"
mtu    = 1524

[conntrack.timeout]
udp = "30s"

[[pool]]
name     = "web"
backends = [{ address = "10.0.0.1" }]

[[vip]]
name    = "www"
address = "203.0.113.10"
ports   = ["80"]
pools   = ["web"]
`

// TestRestartNeeded edits a file in one place and pins what stands in the way
// of a reload, if anything does.
func TestRestartNeeded(t *testing.T) {
	before := parse(t, running)
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"only spelling", `source = ["192.0.2.11"]`, `source = [ '192.0.2.11' ] # same`, ""},
		{"a default written out", `mtu    = 1524`, "mtu = 1524\nvlan = 0", ""},
		{"a backend", `"10.0.0.1" }`, `"10.0.0.1" }, { address = "10.0.0.2", weight = 7 }`, ""},
		{"a VIP", `ports   = ["80"]`, `ports = ["443"]`, ""},
		{"the shard", `[dpdk]`, "shard = \"edge\"\n[dpdk]", ""},
		{"a source", `["192.0.2.11"]`, `["192.0.2.12"]`,
			"test.toml:3:1: node.source is now 192.0.2.12, it was 192.0.2.11: this needs a restart"},
		{"lcores and memory", "lcores = [2, 3]\nmemory = \"1GiB\"", "lcores = [3, 2]\nmemory = \"1025MiB\"",
			"test.toml:6:1: dpdk.lcores is now [3 2], it was [2 3]: this needs a restart\n" +
				"test.toml:7:1: dpdk.memory is now 1025MiB, it was 1024MiB: this needs a restart"},
		{"a key of a port", "mtu    = 1524", "next_hop_mac = \"02:00:00:00:00:01\"",
			"test.toml: port[0].mtu is now 1500, it was 1524: this needs a restart\n" +
				"test.toml:12:1: port[0].next_hop_mac is now 02:00:00:00:00:01, it was empty: this needs a restart"},
		{"a source pool", `["192.0.2.11"]`, "[\"192.0.2.11\"]\nsource_pool = [\"192.0.2.13\", \"192.0.2.12\"]",
			"test.toml:4:1: node.source_pool is now [192.0.2.12 192.0.2.13], it was []: this needs a restart"},
		{"steering", `[dpdk]`, "[dpdk]\nsteering = \"software\"",
			"test.toml:6:1: dpdk.steering is now software, it was auto: this needs a restart"},
		{"the kernel's interface", "mtu    = 1524", "mtu = 1524\nkernel = \"gw-wan\"\nkernel_rate = 100",
			"test.toml:13:1: port[0].kernel is now gw-wan, it was empty: this needs a restart\n" +
				"test.toml:14:1: port[0].kernel_rate is now 100, it was 20000: this needs a restart"},
		{"gateways", "mtu    = 1524", "mtu = 1524\naddresses = [\"192.0.2.11/24\"]\ngateways = [\"192.0.2.1\", \"192.0.2.2\"]",
			"test.toml:13:1: port[0].addresses is now [192.0.2.11/24], it was []: this needs a restart"},
		{"sizes of fragment tables", "[conntrack.timeout]", "[fragments]\nbytes = \"9MiB\"\ntimeout = \"2s\"\n[conntrack.timeout]",
			"test.toml:15:1: fragments.bytes is now 9MiB, it was 8MiB: this needs a restart\n" +
				"test.toml:16:1: fragments.timeout is now 2s, it was 1s: this needs a restart"},
		{"nodes and errors", "[conntrack.timeout]", "[fragments]\nprobe = \"1s\"\nnodes = [{ name = \"lb1\", address = \"192.0.2.11\" }]\n" +
			"[icmp]\nsource = \"vip\"\nrate = 5\nrelay = false\nclosed_port = \"drop\"\n[conntrack.timeout]", ""},
		{"what is too big", `ports   = ["80"]`, "ports = [\"80\"]\ntoo_big = \"drop\"\nmss = 1400\nfragments = true", ""},
		{"one more port", "[conntrack.timeout]", "[[port]]\nname = \"lan\"\ndevice = \"net_null1\"\n[conntrack.timeout]",
			"test.toml: the ports are now wan, lan, they were wan: this needs a restart"},
		{"a timeout", `udp = "30s"`, `udp = "31s"`,
			"test.toml:15:1: conntrack.timeout.udp is now 31s, it was 30s: this needs a restart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(running, c.old) {
				t.Fatalf("%q is not in the file", c.old)
			}
			after := parse(t, strings.Replace(running, c.old, c.new, 1))
			if got := RestartNeeded(before, after).Error(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
