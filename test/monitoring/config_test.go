package monitoring

import (
	"fmt"
	"path/filepath"
)

// config is that of lb1 and lb2, and more. A table for 1024 flows and a few
// frames a second for the kernel are soon full.
func (s *site) config(name, more string) string {
	n := name[2:]
	timeout := "1s"
	if name == "lb1" {
		timeout = "30s" // so its room for waiting fragments stays full
	}
	return fmt.Sprintf(`
[node]
name   = "%[1]s"
source = ["192.0.2.1%[2]s", "2001:db8::1%[2]s"]
[dpdk]
lcores       = [1]
control_cpus = [0]
memory       = "384MiB"
huge         = false
idle         = "sleep"
[[port]]
name        = "wan"
device      = "net_af_xdp0,iface=wan"
addresses   = ["192.0.2.1%[2]s/24", "2001:db8::1%[2]s/64"]
gateways    = ["192.0.2.1", "2001:db8::1"]
kernel      = "gw-wan"
kernel_rate = 1000
[conntrack]
flows_per_core = 1024
[fragments]
nodes   = [{ name = "lb1", address = "192.0.2.11" }, { name = "lb2", address = "192.0.2.12" }]
held    = %[3]d
timeout = "%[5]s"
probe   = "1s"
[metrics]
listen = "10.99.0.1%[2]s:9150"
[console]
listen = "unix:%[4]s"
[bgp]
asn = 64512
[[bgp.peer]]
address       = "192.0.2.1"
asn           = 64500
connect_retry = "2s"
bfd           = true
[[bgp.peer]]
address       = "2001:db8::1"
asn           = 64500
connect_retry = "2s"
bfd           = true
`, name, n, held, s.console(name), timeout) + services + more
}

func (s *site) console(name string) string { return filepath.Join(s.dir, name+".console") }

// held makes a pool of 2^16-1 frames, of which less than a tenth is left when so
// many fragments wait.
const held = 57_500

const services = `
[[check]]
name     = "web"
type     = "http"
interval = "500ms"
[[check]]
name     = "quick"
type     = "http"
interval = "100ms"
timeout  = "100ms"
rise     = 1
fall     = 1
[[check]]
name     = "slow"
type     = "http"
port     = 81
interval = "20s"
timeout  = "15s"
[[pool]]
name     = "web"
check    = "web"
backends = [{ address = "` + steady + `" }, { address = "` + also + `" }, { address = "` + disputed + `" }]
[[pool]]
name     = "pair"
check    = "web"
backends = [{ address = "` + also + `" }, { address = "` + dies + `" }]
[[pool]]
name     = "alone"
check    = "web"
backends = [{ address = "` + dies + `" }]
[[pool]]
name     = "flaps"
check    = "quick"
backends = [{ address = "` + flaps + `" }, { address = "` + steady + `" }]
[[vip]]
name    = "www"
address = "203.0.113.10"
ports   = ["80"]
pools   = ["web"]
[[vip]]
name    = "www6"
address = "2001:db8:cafe::10"
ports   = ["80"]
pools   = ["web"]
[[vip]]
name    = "pair"
address = "203.0.113.11"
ports   = ["80"]
pools   = ["pair"]
[[vip]]
name    = "alone"
address = "203.0.113.12"
ports   = ["80"]
pools   = ["alone"]
[[vip]]
name    = "flaps"
address = "203.0.113.13"
ports   = ["80"]
pools   = ["flaps"]
[[vip]]
name      = "udp"
address   = "203.0.113.14"
protocol  = "udp"
ports     = ["5000"]
pools     = ["web"]
fragments = true
too_big   = "drop"
`
