package options

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"guideway/cmd/guideway-load/traffic"
	"guideway/maglev/packet"
)

// An option is one flag.
type option struct {
	name  string
	arg   string // what its value is called; "": it has none
	value string // the default
	many  bool   // it may be there more than once
	text  string
	read  func(o *Options, value string) error
}

var groups = []struct {
	title string
	flags []option
}{
	{"Ports", []option{
		{name: "port", arg: "DEVICE", many: true, text: "PCI address or DPDK virtual device, as in guidewayd's file; with several\nthe first sends and all receive", read: readPort},
		{name: "mtu", arg: "BYTES", value: "1600", text: "longest IP packet, tunnels included", read: whole(576, 9216, func(o *Options, n uint64) { o.MTU = int(n) })},
		{name: "lcores", arg: "CPU[,CPU]", value: "1", text: "CPU of the poll loop; with a second one, that receives", read: readLcores},
		{name: "control-cpus", arg: "CPU,...", text: "CPUs of everything else (all but the lcores)", read: readControl},
		{name: "memory", arg: "MIB", value: "256", text: "of DPDK's memory, in MiB", read: whole(64, 1<<20, func(o *Options, n uint64) { o.Memory = n << 20 })},
		{name: "no-huge", text: "take it from ordinary pages", read: func(o *Options, value string) error { o.Huge = false; return nil }},
		{name: "eal-args", arg: "WORDS", text: "for DPDK's EAL, as they are", read: func(o *Options, value string) error { o.EALArgs = strings.Fields(value); return nil }},
		{name: "link", arg: "TIME", value: "10s", text: "how long to wait for the ports' links", read: duration(func(o *Options, d time.Duration) { o.Link = d })},
	}},
	{"Flows", []option{
		{name: "vip", arg: "ADDRESS:PORT/PROTO", many: true, text: "where they go: 203.0.113.10:80/tcp, [2001:db8::10]:53/udp; they are\nspread over several", read: readVIP},
		{name: "mac", arg: "MAC", text: "the station that frames are for: guidewayd's port", read: readMAC},
		{name: "vlan", arg: "ID", value: "0", text: "tag of the frames; 0: none", read: whole(0, 4094, func(o *Options, n uint64) { o.Spec.VLAN = uint16(n) })},
		{name: "flows", arg: "N", value: "1k", text: "how many there are at once, up to 100M", read: whole(1, traffic.MaxFlows, func(o *Options, n uint64) { o.Spec.Flows = int(n) })},
		{name: "life", arg: "PACKETS", value: "0", text: "of a connection, from SYN to FIN; 0: it has no end", read: whole(0, 1<<30, func(o *Options, n uint64) { o.Spec.Life = int(n) })},
		{name: "clients", arg: "PREFIX", value: "10.0.0.0/8", text: "their IPv4 addresses", read: prefix(4, func(o *Options, p netip.Prefix) { o.Spec.Sources4 = p })},
		{name: "clients6", arg: "PREFIX", value: "2001:db8:a::/64", text: "their IPv6 addresses", read: prefix(6, func(o *Options, p netip.Prefix) { o.Spec.Sources6 = p })},
		{name: "client-ports", arg: "LOW-TOP", value: "1024-65535", text: "and their ports", read: readPorts},
	}},
	{"Packets", []option{
		{name: "size", arg: "BYTES", value: "64", text: "of frames, without their checksum: 64, imix (60, 590 and 1514 as 7:4:1),\nor 64:7,1500:1. A frame is no shorter than its headers and 10 bytes", read: readSizes},
		{name: "cut", arg: "BYTES", value: "0", text: "longest IP packet of UDP: what is longer goes as fragments; 0: none is", read: whole(0, 9216, func(o *Options, n uint64) { o.Spec.Cut = int(n) })},
		{name: "rate", arg: "N", text: "packets a second (as many as go)", read: rate(func(o *Options, v float64) { o.Rate = v })},
	}},
	{"A flood beside them, each packet from another client", []option{
		{name: "flood", arg: "KIND", text: "syn: TCP SYNs; new: data or datagrams; firsts, laters: first or later\nfragments of datagrams that are never whole", read: readFlood},
		{name: "flood-rate", arg: "N", text: "packets a second", read: rate(func(o *Options, v float64) { o.FloodRate = v })},
		{name: "flood-size", arg: "BYTES", value: "64", text: "of its frames", read: whole(1, 9216, func(o *Options, n uint64) { flood(o).Size = int(n) })},
		{name: "flood-clients", arg: "PREFIX", value: "198.18.0.0/15", text: "its IPv4 addresses, none of which is a flow's", read: prefix(4, func(o *Options, p netip.Prefix) { flood(o).Sources4 = p })},
		{name: "flood-clients6", arg: "PREFIX", value: "2001:db8:f::/48", text: "its IPv6 addresses", read: prefix(6, func(o *Options, p netip.Prefix) { flood(o).Sources6 = p })},
	}},
	{"The test", []option{
		{name: "packets", arg: "N", text: "ends after so many (no limit)", read: whole(1, math.MaxInt64, func(o *Options, n uint64) { o.Packets = n })},
		{name: "time", arg: "TIME", text: "ends after so long, the warm-up not included (until Ctrl-C)", read: duration(func(o *Options, d time.Duration) { o.Time = d })},
		{name: "warmup", arg: "TIME", value: "0s", text: "what is sent in it does not count", read: duration(func(o *Options, d time.Duration) { o.Warmup = d })},
		{name: "quiet", arg: "TIME", value: "200ms", text: "in the end, until nothing has come for so long", read: duration(func(o *Options, d time.Duration) { o.Quiet = d })},
		{name: "check", arg: "LEVEL", value: "flows", text: "flows: an account of each, 8 bytes; packets: latency and backends;\nnone: frames are counted unread", read: readCheck},
		{name: "fail", arg: "FINDING,...", many: true, text: "exit with 1 on any that is " + strings.Join(Findings, ", "), read: readFail},
		{name: "receive-only", text: "send nothing: another guideway-load does, with the same flags", read: nothing},
		{name: "interval", arg: "TIME", value: "1s", text: "between lines of progress on stderr; 0s: none", read: duration(func(o *Options, d time.Duration) { o.Interval = d })},
		{name: "hold", text: "keep the ports open after the report until a signal comes: a peer that\npolls a memif port is better stopped first", read: func(o *Options, value string) error { o.Hold = true; return nil }},
		{name: "json", text: "the report as JSON", read: func(o *Options, value string) error { o.JSON = true; return nil }},
		{name: "version", text: "print the version and exit", read: nothing},
	}},
}

func nothing(*Options, string) error { return nil }

// flood returns the flood that there may be.
func flood(o *Options) *traffic.FloodSpec { return &o.flood }

// number reads one with k, M or G behind it.
func number(text string) (float64, error) {
	digits, factor := text, 1.0
	if i := strings.IndexByte("kMG", text[len(text)-1]); i >= 0 {
		digits, factor = text[:len(text)-1], []float64{1e3, 1e6, 1e9}[i]
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("not a number such as 1500, 64k or 1.5M")
	}
	return v * factor, nil
}

// whole reads a whole number within bounds.
func whole(low, top uint64, set func(*Options, uint64)) func(*Options, string) error {
	return func(o *Options, value string) error {
		v, err := number(value)
		if err != nil {
			return err
		}
		if v != math.Trunc(v) || v < float64(low) || v > float64(top) {
			return fmt.Errorf("want a whole number from %d to %d", low, top)
		}
		set(o, uint64(v))
		return nil
	}
}

// rate reads packets a second.
func rate(set func(*Options, float64)) func(*Options, string) error {
	return func(o *Options, value string) error {
		v, err := number(value)
		if err == nil && (v < 1 || v > 1e9) {
			err = fmt.Errorf("want 1 to 1G packets a second")
		}
		set(o, v)
		return err
	}
}

func duration(set func(*Options, time.Duration)) func(*Options, string) error {
	return func(o *Options, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("not a time such as 500ms or 1m30s")
		}
		set(o, d)
		return nil
	}
}

func prefix(version int, set func(*Options, netip.Prefix)) func(*Options, string) error {
	return func(o *Options, value string) error {
		p, err := netip.ParsePrefix(value)
		if err != nil || p.Addr().Is4() != (version == 4) || p != p.Masked() {
			return fmt.Errorf("not an IPv%d prefix without bits behind its length", version)
		}
		set(o, p)
		return nil
	}
}

func readPort(o *Options, value string) error {
	name, _, _ := strings.Cut(value, ",")
	if slices.ContainsFunc(o.Devices, func(d string) bool { d, _, _ = strings.Cut(d, ","); return d == name }) {
		return fmt.Errorf("the device is there twice")
	}
	o.Devices = append(o.Devices, value)
	return nil
}

func cpus(value string) (list []int, err error) {
	for text := range strings.SplitSeq(value, ",") {
		cpu, err := strconv.Atoi(text)
		if err != nil || cpu < 0 || cpu > 1023 {
			return nil, fmt.Errorf("not CPU numbers such as 2,3")
		}
		list = append(list, cpu)
	}
	return list, nil
}

func readLcores(o *Options, value string) error {
	list, err := cpus(value)
	if err == nil && len(list) > 2 {
		err = fmt.Errorf("one CPU, or one that sends and one that receives")
	}
	if err != nil {
		return err
	}
	o.Send, o.Receive = list[0], -1
	if len(list) == 2 {
		o.Receive = list[1]
	}
	return nil
}

func readControl(o *Options, value string) (err error) {
	o.ControlCPUs, err = cpus(value)
	return err
}

func readVIP(o *Options, value string) error {
	where, proto, _ := strings.Cut(value, "/")
	a, err := netip.ParseAddrPort(where)
	protocols := map[string]uint8{"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP}
	if err != nil || protocols[proto] == 0 || a.Addr().Zone() != "" || a.Addr().Is4In6() {
		return fmt.Errorf("not an address, port and protocol such as 203.0.113.10:80/tcp or [2001:db8::10]:53/udp")
	}
	o.Spec.Services = append(o.Spec.Services, traffic.Service{Addr: a.Addr(), Port: a.Port(), Proto: protocols[proto]})
	return nil
}

func readMAC(o *Options, value string) error {
	mac, err := net.ParseMAC(value)
	if err != nil || len(mac) != 6 {
		return fmt.Errorf("not an address such as 02:00:5e:10:00:01")
	}
	o.Spec.DstMAC = [6]byte(mac)
	return nil
}

func readPorts(o *Options, value string) error {
	low, top, _ := strings.Cut(value, "-")
	l, err1 := strconv.ParseUint(low, 10, 16)
	t, err2 := strconv.ParseUint(top, 10, 16)
	if err1 != nil || err2 != nil || l == 0 || l > t {
		return fmt.Errorf("not ports such as 1024-65535")
	}
	o.Spec.LowPort, o.Spec.TopPort = uint16(l), uint16(t)
	return nil
}

// imix is the Internet's mix of sizes in its simple form, IP packets of 46 (the least of Ethernet), 576 and
// 1500 bytes.
const imix = "60:7,590:4,1514:1"

// shares bounds how many draws a size may have.
const shares = 1000

func readSizes(o *Options, value string) error {
	if value == "imix" {
		value = imix
	}
	var sizes []int
	for text := range strings.SplitSeq(value, ",") {
		size, share, weighted := strings.Cut(text, ":")
		n, err := strconv.Atoi(size)
		times := 1
		if weighted && err == nil {
			times, err = strconv.Atoi(share)
		}
		if err != nil || n < 1 || n > traffic.MaxFrame || times < 1 || times > shares {
			return fmt.Errorf("not sizes such as 64, imix or 64:7,1500:1")
		}
		sizes = append(sizes, slices.Repeat([]int{n}, times)...)
	}
	o.Spec.Sizes = sizes
	return nil
}

func readFlood(o *Options, value string) error {
	kinds := map[string]traffic.FloodKind{
		"syn": traffic.FloodSYN, "new": traffic.FloodNew, "firsts": traffic.FloodFirsts, "laters": traffic.FloodLaters,
	}
	kind, known := kinds[value]
	if !known {
		return fmt.Errorf("want syn, new, firsts or laters")
	}
	flood(o).Kind = kind
	o.Flood = flood(o)
	return nil
}

func readCheck(o *Options, value string) error {
	level := slices.Index([]string{"none", "packets", "flows"}, value)
	if level < 0 {
		return fmt.Errorf("want flows, packets or none")
	}
	o.Check = Check(level)
	return nil
}

func readFail(o *Options, value string) error {
	for finding := range strings.SplitSeq(value, ",") {
		if !slices.Contains(Findings, finding) {
			return fmt.Errorf("want some of %s", strings.Join(Findings, ", "))
		}
		o.Fail = append(o.Fail, finding)
	}
	return nil
}
