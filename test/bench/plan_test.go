package bench

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// A contender is one thing that is measured on a port.
type contender struct {
	testpmd string // its mode; "": guidewayd
	ipv6    bool
	flows   int
	lcores  int  // 0: one
	steered bool // one of them receives for all
	checked bool // the generator reads what comes back, as for latency
	latency bool // at half of what the port's yardstick carried, checked
}

// name is the contender's in figures: parts that benchstat can tell apart.
func (c contender) name() string {
	name := "dev=guidewayd"
	if c.testpmd != "" {
		name = "dev=testpmd-" + c.testpmd
	}
	family := "IPv4"
	if c.ipv6 {
		family = "IPv6"
	}
	if c.flows > 0 || c.ipv6 {
		name += "/" + family
	}
	if c.flows > 0 {
		name += fmt.Sprintf("/flows=%d", c.flows)
	}
	if c.lcores > 0 {
		name += fmt.Sprintf("/lcores=%d", c.lcores)
	}
	switch {
	case c.steered:
		name += "/steered"
	case c.checked:
		name += "/checked"
	case c.latency:
		name += "/load=half"
	}
	return name
}

// nothingSent tells whether the contender only receives.
func (c contender) nothingSent() bool {
	return c.testpmd == "rxonly" || c.testpmd == "" && c.flows == 0
}

// A port is what contenders are measured on. yardstick is the testpmd mode that the
// others are divided by; "": they are by what the same program does with one lcore.
type port struct {
	name       string
	yardstick  string
	device     string // that the contender opens
	generator  string // that guideway-load opens; "": the device makes its own packets
	contenders []contender
}

// yard is what a contender is divided by: the yardstick, with packets of its family.
func (p port) yard(c contender) contender {
	if p.yardstick == "" {
		return contender{testpmd: c.testpmd, flows: c.flows, lcores: 1}
	}
	return contender{testpmd: p.yardstick, ipv6: c.ipv6}
}

// deviceFor is the device with a receive queue for each of the contender's lcores.
func (p port) deviceFor(c contender) string {
	begin, queue, _ := strings.Cut(p.device, "rx_pcap=")
	if c.lcores < 2 || queue == "" {
		return p.device
	}
	file, rest, _ := strings.Cut(queue, ",")
	return begin + strings.Repeat("rx_pcap="+file+",", c.lcores) + rest
}

// CPUs: one for the loop that is measured, one for the generator's; all else is on
// either.
const (
	deviceCPU    = 0
	generatorCPU = 1
)

const vipPort = 80

var (
	vip4 = netip.MustParseAddr("203.0.113.10")
	vip6 = netip.MustParseAddr("2001:db8:cafe::10")
)

// vip is the generator's flag.
func vip(ipv6 bool) string {
	a := vip4
	if ipv6 {
		a = vip6
	}
	return netip.AddrPortFrom(a, vipPort).String() + "/tcp"
}

// mtu has room for a tunnel around 1500 bytes.
const mtu = 1600

// ports returns all that is measured; in the short form what shows that each port
// works. dir has the capture.
func ports(dir string, short bool) []port {
	list := []port{{
		// Frames of zeros, which guidewayd receives, reads and drops: the loop by itself.
		name: "null", yardstick: "rxonly", device: "net_null0,size=64",
		contenders: []contender{{testpmd: "rxonly"}, {}},
	}, {
		// A capture that the driver hands out round and round, so few flows.
		name: "pcap", yardstick: "macswap", device: "net_pcap0,rx_pcap=" + capture(dir) + ",infinite_rx=1",
		contenders: []contender{{testpmd: "io"}, {testpmd: "macswap"}, {testpmd: "5tswap"}, {flows: captureFlows}},
	}, {
		// The same with a queue for each of two lcores, on both CPUs: each has its own
		// flows. With one queue, whose lcore hands the other its flows. And what the port lets
		// two threads of testpmd do.
		name: "cores", device: "net_pcap0,rx_pcap=" + capture(dir) + ",infinite_rx=1",
		contenders: []contender{{flows: captureFlows, lcores: 1}, {flows: captureFlows, lcores: 2}, {flows: captureFlows, lcores: 2, steered: true},
			{testpmd: "macswap", lcores: 1}, {testpmd: "macswap", lcores: 2}},
	}, {
		name: "memif", yardstick: "macswap", device: "net_memif0,role=server,socket-abstract=no,socket=" + socketName, generator: "net_memif0,role=client,socket-abstract=no,socket=" + socketName,
		contenders: []contender{
			{testpmd: "io"}, {testpmd: "macswap"}, {testpmd: "macswap", ipv6: true}, {testpmd: "5tswap"},
			{flows: 1}, {flows: 1 << 16}, {flows: 1 << 20}, {flows: 10 << 20},
			{flows: 1, ipv6: true}, {flows: 1 << 16, ipv6: true}, {flows: 1 << 20, ipv6: true},
			{testpmd: "macswap", checked: true}, {testpmd: "macswap", latency: true}, {flows: 1 << 16, latency: true},
		},
	}, {
		name: "af_xdp", yardstick: "macswap", device: "net_af_xdp0,iface=" + deviceLink, generator: "net_af_xdp0,iface=" + generatorLink,
		contenders: []contender{
			{testpmd: "macswap"}, {testpmd: "macswap", ipv6: true}, {flows: 1 << 16}, {flows: 1 << 16, ipv6: true},
			{testpmd: "macswap", checked: true}, {testpmd: "macswap", latency: true}, {flows: 1 << 16, latency: true},
		},
	}}
	if short {
		for i, keep := range [][]int{{0, 1}, {1, 3}, {0, 1, 2}, {1, 5}, {0, 2}} {
			var kept []contender
			for _, k := range keep {
				kept = append(kept, list[i].contenders[k])
			}
			list[i].contenders = kept
		}
	}
	return list
}

// socketName stands for a socket that each measurement has for itself.
const socketName = "SOCKET"

const captureFlows = 256

func capture(dir string) string { return filepath.Join(dir, "flows.pcap") }

// tracked is how many flows a contender's connection tables have room for.
func (c contender) tracked() int {
	flows := max(c.flows, 1<<20)
	return flows + flows/16
}

// memory is what guidewayd takes for a contender, in MiB: frames, and 40 bytes for a
// flow of each family.
func (c contender) memory() int { return 96 + c.tracked()*2*40>>20 }

// config is guidewayd's: one VIP of each family with a hundred backends, the table
// of 65537 slots, connection tracking.
// Protocols other than TCP and other ports are forwarded, and fragments.
func config(device string, c contender, huge bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`[node]`)
	line(`source = ["192.0.2.254", "2001:db8::254"]`)
	line(`[dpdk]`)
	if c.lcores == 2 {
		line(`lcores   = [%d, %d]`, deviceCPU, generatorCPU)
		steering := "device"
		if c.steered {
			steering = "software"
		}
		line(`steering = %q`, steering)
	} else {
		line(`lcores = [%d]`, deviceCPU)
	}
	line(`memory = "%dMiB"`, c.memory())
	line(`huge   = %v`, huge)
	line(`[conntrack]`)
	line(`flows_per_core = %d`, c.tracked()/max(c.lcores, 1))
	line(`keep = ""`) // each begins with none
	line(`[[port]]`)
	line(`name         = "bench"`)
	line(`device       = %q`, device)
	line(`next_hop_mac = "02:00:00:00:00:02"`)
	line(`mtu          = %d`, mtu)
	if c.steered {
		line(`rx_queues    = 1`)
	}
	line(`[metrics]`)
	line(`listen = "127.0.0.1:0"`)
	line(`[[pool]]`)
	line(`name = "hundred"`)
	var backends []string
	for i := range 100 {
		backends = append(backends, fmt.Sprintf(`{ address = "10.200.0.%d" }`, i+1))
	}
	line(`backends = [%s]`, strings.Join(backends, ", "))
	for _, vip := range []netip.Addr{vip4, vip6} {
		line(`[[vip]]`)
		line(`name     = %q`, vip)
		line(`address  = %q`, vip)
		line(`protocol = "any"`)
		line(`ports    = ["any"]`)
		line(`pools    = ["hundred"]`)
		line(`fragments = true`)
	}
	return b.String()
}

// generatorMemory is in MiB.
const generatorMemory = 64
