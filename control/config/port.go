package config

import (
	"fmt"
	"net/netip"
	"regexp"
)

// Port is one device that packets come and go by.
type Port struct {
	Name       string
	Device     string         // for EAL: PCI address or virtual device, with arguments; one spelling per device
	Addresses  []netip.Prefix // this machine's addresses there, with the length of the subnet
	Gateways   []netip.Addr   // next hops for what is not on-link, on-link themselves; flows are spread over those of a family
	NextHopMAC [6]byte        // fixed next hop, if HasNextHop
	HasNextHop bool
	MTU        int    // longest IP packet, in bytes, without Ethernet header and tag
	VLAN       uint16 // 1..4094; 0: untagged
	RxQueues   int    // 0: one per lcore; at most one per lcore
	Kernel     string // name of the exception-path interface; "": none
	KernelRate int    // frames a second, of each class, that one lcore hands up to Kernel
}

// MaxKernelMTU is the largest MTU of an exception-path interface, a TAP:
// DPDK's driver announces frames of 1522 bytes (docs/dpdk.md).
const MaxKernelMTU = 1504

// KernelMTU is the MTU of the port's exception-path interface.
func (p Port) KernelMTU() int { return min(p.MTU, MaxKernelMTU) }

const (
	maxPorts = 32   // RTE_MAX_ETHPORTS of common builds
	minMTU   = 576  // RFC 791: what every host must take
	maxMTU   = 9216 // the usual jumbo frame less its headers
	usualMTU = 1500 // RFC 894

	maxGateways = 16 // per family: more than a rack has routers
)

type portDraft struct {
	Port
	nameAt, deviceAt, mtuAt, rxAt, kernelAt pos
	kernelRateAt                            pos // zero when it is not set
	addresses                               []located[netip.Prefix]
	gateways                                []located[netip.Addr]
	clean                                   bool // every address was understood
}

func readPort(s *section) portDraft {
	p := portDraft{}
	p.Name = must(s, "name", "metrics and the console call the port by it", label)
	p.Device = must(s, "device", "a PCI address, as in \"0000:3b:00.0\", or a DPDK virtual device, as in \"net_af_xdp0,iface=veth0\"", device)
	p.addresses, p.clean = list(s, "addresses", interfaceAddress)
	p.gateways, _ = list(s, "gateways", host)
	p.Addresses, p.Gateways = plain(p.addresses), plain(p.gateways)
	p.NextHopMAC = read(s, "next_hop_mac", [6]byte{}, optional(mac))
	p.HasNextHop = p.NextHopMAC != [6]byte{}
	p.MTU = read(s, "mtu", usualMTU, number[int](minMTU, maxMTU))
	p.VLAN = read(s, "vlan", 0, number[uint16](0, 4094))
	p.RxQueues = read(s, "rx_queues", 0, number[int](0, maxLcores))
	p.Kernel = read(s, "kernel", "", optional(interfaceName))
	p.KernelRate = read(s, "kernel_rate", 20_000, number[int](100, 10_000_000))
	p.nameAt, p.deviceAt, p.mtuAt = s.place("name"), s.place("device"), s.place("mtu")
	p.rxAt, p.kernelAt = s.place("rx_queues"), s.place("kernel")
	if s.has("kernel_rate") {
		p.kernelRateAt = s.place("kernel_rate")
	}
	p.gatewaysOnLink(&s.r.report)
	return p
}

func (p *portDraft) gatewaysOnLink(r *report) {
	seen, count := map[netip.Addr]pos{}, map[string]int{}
	for _, g := range p.gateways {
		unique(r, seen, g.v, g.at, "port.gateways: %s")
		if count[family(g.v)]++; count[family(g.v)] == maxGateways+1 {
			r.fault(g.at, "port.gateways: %s is one %s gateway too many: at most %d", g.v, family(g.v), maxGateways)
		}
		onLink := false
		for _, a := range p.addresses {
			onLink = onLink || a.v.Contains(g.v)
		}
		if !onLink {
			r.fault(g.at, "port.gateways: %s is in none of the subnets of this port's addresses, so it cannot be reached", g.v)
		}
	}
}

var interfaceText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// interfaceName accepts names that everybody on the way to the kernel takes as
// they are: the kernel itself has room for 15 bytes (IFNAMSIZ) and no space,
// slash or colon (dev_valid_name), takes a percent sign for a pattern, and has
// lo, all and default already (the last two below net.ipv4.conf); DPDK ends an
// argument at a comma.
func interfaceName(v *value) (string, error) {
	s, err := text(v)
	switch {
	case err != nil:
		return "", err
	case len(s) > 15:
		return "", fmt.Errorf("%q has %d characters: the kernel takes at most 15", s, len(s))
	case s == "lo" || s == "all" || s == "default":
		return "", fmt.Errorf("%q is a name of the kernel's own: write another, as in \"gw-wan\"", s)
	case !interfaceText.MatchString(s):
		return "", fmt.Errorf("%q is no name for an interface: write letters, digits and . _ - only, a letter or digit first", s)
	}
	return s, nil
}
