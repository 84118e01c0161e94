package config

import (
	"errors"
	"io"
	"net/netip"
	"os"
)

// A Config is the settings of one node: judged, complete and never changed.
// Whoever holds one may read all of it from any goroutine and write none of it.
type Config struct {
	Node      Node
	DPDK      DPDK
	Ports     []Port // in the order of the file; at least one
	Conntrack Conntrack
	Fragments Fragments
	ICMP      ICMP
	Checks    []Check // in the order of the file
	Pools     []Pool  // in the order of the file
	VIPs      []VIP   // those that this node serves, in the order of the file
	BGP       BGP
	Console   Console
	Metrics   Metrics
	Trace     Trace
	Reload    Reload

	// VIPsElsewhere counts the VIPs of the file that belong to other shards.
	// They are judged like the rest and then left out, so that nothing behind
	// this package can serve one by mistake.
	VIPsElsewhere int

	file     string
	text     []byte
	where    map[string]pos                     // of what a reload may not change: restart.go
	resolved map[string][]Backend               // by the VIP's pools: resolve.go
	checked  map[string]map[netip.Addr][]string // likewise: checks.go
}

// MaxFile is the size of the largest file that is read, in bytes. The limits
// on VIPs and endpoints are reached well below it.
const MaxFile = 64 << 20

// Load reads and judges the file at path. The error is a [Faults] that holds
// everything that is wrong with it. Warnings come with a Config only: a file
// with faults has more pressing news.
func Load(path string) (*Config, Warnings, error) {
	data, err := readFile(path)
	if err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			err = perr.Err // the path stands in the fault already
		}
		return nil, nil, Faults{{File: path, Text: err.Error()}}
	}
	return Parse(path, data)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFile+1))
}

// Parse judges data, the content of a file called name. Apart from the host's
// name (the default of [node].name) and the password files that data names, it
// looks at nothing else.
func Parse(name string, data []byte) (*Config, Warnings, error) {
	if len(data) > MaxFile {
		return nil, nil, Faults{{File: name, Text: "over " + binary(MaxFile) + ": this is no configuration"}}
	}
	f, err := parseFile(name, data)
	if err != nil {
		return nil, nil, err
	}
	c, warnings, err := f.Config()
	if c != nil {
		c.text = data
	}
	return c, warnings, err
}

// Text is what was parsed. Read-only.
func (c *Config) Text() []byte { return c.text }

// Config judges the file. On faults the Config is nil.
func (f *File) Config() (*Config, Warnings, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "" // [node].name is then asked for
	}
	r := &reader{where: map[string]pos{}}
	r.file, r.faults = f.name, f.faults
	d := r.read(f, host)
	d.link(&r.report)
	r.unknown()
	if len(r.faults) > 0 {
		r.sort()
		return nil, nil, r.faults
	}
	c := d.config()
	c.file, c.where = f.name, r.where
	c.indexChecks()
	c.warn(d, &r.report)
	r.sort()
	return c, r.warnings, nil
}

// draft is a Config before one section has been held against another. Lists
// carry the places of their elements, for what is found out then.
type draft struct {
	node      nodeDraft
	dpdk      dpdkDraft
	ports     []portDraft
	conntrack Conntrack
	fragments fragmentsDraft
	icmp      ICMP
	checks    []located[Check]
	pools     []poolDraft
	vips      []vipDraft
	bgp       bgpDraft
	console   Console
	metrics   Metrics
	trace     Trace
	reload    Reload

	consoleAt, flowsAt pos
	resolved           map[string][]Backend
}

// read judges each section by itself.
func (r *reader) read(f *File, hostname string) *draft {
	d := &draft{}
	root := r.newSection("", "", false, f.root, pos{})
	d.node = readNode(root.section("node"), hostname)
	d.dpdk = readDPDK(root.section("dpdk"))
	root.each("port", func(s *section) { d.ports = append(d.ports, readPort(s)) })
	ct := root.section("conntrack")
	d.conntrack = readConntrack(ct, d.dpdk.Huge)
	d.flowsAt = ct.place("flows_per_core")
	d.fragments = readFragments(root.section("fragments"))
	d.icmp = readICMP(root.section("icmp"))
	root.each("check", func(s *section) { d.checks = append(d.checks, located[Check]{readCheck(s), s.place("name")}) })
	root.each("pool", func(s *section) { d.pools = append(d.pools, readPool(s)) })
	root.each("vip", func(s *section) { d.vips = append(d.vips, readVIP(s)) })
	d.bgp = readBGP(root.section("bgp"))
	console := root.section("console")
	d.console = readConsole(console)
	d.consoleAt = console.place("listen")
	d.metrics = readMetrics(root.section("metrics"))
	d.trace = readTrace(root.section("trace"))
	d.reload = readReload(root.section("reload"))
	return d
}

func (d *draft) config() *Config {
	c := &Config{
		Node: d.node.Node, DPDK: d.dpdk.DPDK, Conntrack: d.conntrack, Fragments: d.fragments.Fragments, ICMP: d.icmp,
		Checks: plain(d.checks), BGP: d.bgp.BGP, Console: d.console, Metrics: d.metrics, Trace: d.trace, Reload: d.reload,
		resolved: d.resolved,
	}
	for _, p := range d.ports {
		c.Ports = append(c.Ports, p.Port)
	}
	for _, p := range d.pools {
		c.Pools = append(c.Pools, p.pool())
	}
	for _, v := range d.vips {
		if c.Node.serves(v.Shard) {
			c.VIPs = append(c.VIPs, v.VIP)
		} else {
			c.VIPsElsewhere++
		}
	}
	return c
}
