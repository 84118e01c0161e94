//go:build vm

package vm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A card is one kind of network card of the node.
type card struct {
	name   string // as QEMU calls it
	pci    string
	tap    string // its cable
	driver string // DPDK's
	lcores string // as many as it has queues
	rss    bool   // it says how it spreads packets over them
}

// nodeConfig is what an operator would write for this network.
func nodeConfig(c card, backends ...int) string {
	var pool4, pool6 []string
	for _, n := range backends {
		pool4 = append(pool4, fmt.Sprintf("{ address = %q }", backendIPv4(n)))
		pool6 = append(pool6, fmt.Sprintf("{ address = %q }", backendIPv6(n)))
	}
	return fmt.Sprintf(`
[node]
name   = "lb1"
source = ["`+nodeIPv4+`", "`+nodeIPv6+`"]

[dpdk]
lcores       = [%s]
control_cpus = [0]
memory       = "256MiB"
idle         = "sleep"

[[port]]
name      = "wan"
device    = %q
addresses = ["`+nodeIPv4+`/24", "`+nodeIPv6+`/64"]
gateways  = ["192.0.2.1", "2001:db8::1"]
kernel    = "gw-wan"

[conntrack]
flows_per_core = 16384

[fragments]
nodes = [{ name = "lb1", address = "`+nodeIPv4+`" }]

[[pool]]
name     = "ipv4"
backends = [%s]

[[pool]]
name     = "ipv6"
backends = [%s]
`, c.lcores, c.pci, strings.Join(pool4, ", "), strings.Join(pool6, ", ")) + services("4", vipIPv4) + services("6", vipIPv6) + `
[console]
listen = "unix:/run/guideway/console.sock"
[metrics]
listen = ""
`
}

func services(family, vip string) string {
	return fmt.Sprintf(`
[[vip]]
name     = "www%[1]s"
address  = %[2]q
protocol = "tcp"
ports    = ["80"]
pools    = ["ipv%[1]s"]

[[vip]]
name      = "dns%[1]s"
address   = %[2]q
protocol  = "udp"
ports     = ["53"]
pools     = ["ipv%[1]s"]
fragments = true
`, family, vip)
}

// A node is the machine that guidewayd runs on.
type node struct{ *machine }

// console asks the running guidewayd.
func (n node) console(t *testing.T, command string) string {
	t.Helper()
	return n.run(t, "guideway console -c '"+command+"' unix:/run/guideway/console.sock")
}

// log is what guidewayd has said since the unit was last started by hand.
func (n node) log(t *testing.T, lines int) string {
	t.Helper()
	return n.run(t, fmt.Sprintf("journalctl -u guidewayd -o cat -n %d --no-pager", lines))
}

// A list is a table of the console as JSON, as far as the scenes look at it.
type list struct {
	Ports []struct {
		Driver string
		Up     bool
		RSS    bool
	}
	Cores []struct {
		CPU       int
		Received  uint64
		Taken     uint64
		Misspread uint64
	}
	Outcomes []struct {
		Name string
		Sum  uint64
	}
}

func (n node) list(t *testing.T, command string) (l list) {
	t.Helper()
	text := n.console(t, command+" -json")
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("%s: %v in %s", command, err, text)
	}
	return l
}

// ended returns how many frames have ended so, by show counters.
func (n node) ended(t *testing.T, outcome string) uint64 {
	t.Helper()
	for _, o := range n.list(t, "show counters all").Outcomes {
		if o.Name == outcome {
			return o.Sum
		}
	}
	t.Fatalf("show counters has no %s", outcome)
	return 0
}
