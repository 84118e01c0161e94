package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

// The VIP: web is TCP 80 of it, dns UDP with its fragments.
var vip = netip.MustParseAddr("203.0.113.10")

const portMTU = 1600

// A site is what all nodes of a fleet are configured with.
type site struct {
	nodes    int
	backends int
	size     int // of the tables
	cores    int // of each node
	rxQueues int
	flows    int // that each core's table is made for
}

// text is the configuration of node i. Its backends are checked: which of them
// serve is for the checks to say, as it is in real life.
func (s site) text(i int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("[node]\nname = \"lb%d\"\nsource = [%q]", i, nodeAddress(i))
	line("[dpdk]\nlcores = [%s]\nmemory = \"256MiB\"\nhuge = false", strings.Trim(strings.ReplaceAll(fmt.Sprint(coreNumbers(s.cores)), " ", ", "), "[]"))
	line("[[port]]\nname = \"wan\"\ndevice = \"net_null0\"\naddresses = [\"%v/16\"]\nnext_hop_mac = \"02:00:00:00:00:01\"\nmtu = %d\nrx_queues = %d", nodeAddress(i), portMTU, s.rxQueues)
	line("[conntrack]\nflows_per_core = %d", s.flows)
	line("[fragments]\nnodes = [")
	for n := range s.nodes {
		line("{ name = \"lb%d\", address = %q },", n, nodeAddress(n))
	}
	line("]\n[[check]]\nname = \"alive\"\ntype = \"tcp\"\nport = 80\n[[pool]]\nname = \"all\"\ncheck = \"alive\"\nbackends = [")
	for n := range s.backends {
		line("{ address = %q },", address(n))
	}
	line("]")
	line("[[vip]]\nname = \"web\"\naddress = %q\nprotocol = \"tcp\"\nports = [\"80\"]\npools = [\"all\"]\ntable_size = %d", vip, s.size)
	line("[[vip]]\nname = \"dns\"\naddress = %q\nprotocol = \"udp\"\nports = [\"any\"]\npools = [\"all\"]\ntable_size = %d\nfragments = true", vip, s.size)
	return b.String()
}

func coreNumbers(n int) (list []int) {
	for i := range n {
		list = append(list, 1+i)
	}
	return list
}

func nodeAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}) }

func nodeMAC(i int) [6]byte { return [6]byte{2, 0, 0, 0, 1, byte(i)} }

// A node is a real one but for its port: planned from a configuration, with
// the packet path of each of its cores.
type node struct {
	site
	number   int
	config   *config.Config
	plan     *plan.Plan
	serves   []bool // backends, by their checks
	timeouts conntrack.Timeouts
	queues   []pmd.Queue
	tables   []*conntrack.Table
	workers  []*lcore.Worker
	group    *lcore.Group
}

// newNode makes node i of a site, on as many queues as it has cores. Its
// connections are remembered as the configuration says, or for so long.
func newNode(s site, i int, remembered time.Duration, queues ...pmd.Queue) (*node, error) {
	n := &node{site: s, number: i, queues: queues}
	var err error
	if n.config, _, err = config.Parse("claims.toml", []byte(s.text(i))); err != nil {
		return nil, err
	}
	n.timeouts = conntrack.Timeouts(n.config.Conntrack.Timeouts)
	if r := remembered; r != 0 {
		n.timeouts = conntrack.Timeouts{TCPNew: r, TCPEstablished: r, TCPClosing: r, UDP: r, Other: r}
	}
	return n, n.start()
}

// start makes cores that remember nothing.
func (n *node) start() error {
	n.workers, n.tables = nil, nil
	for core, q := range n.queues {
		flows, err := conntrack.New(conntrack.Config{Flows: n.flows, Timeouts: n.timeouts, Seed: n.seed()})
		if err != nil {
			return err
		}
		f := n.config.Fragments
		pieces, err := fragments.New(fragments.Config{Datagrams: f.Datagrams, Held: f.Held, Bytes: f.Bytes, Timeout: f.Timeout, Seed: n.seed()})
		if err != nil {
			return err
		}
		n.tables = append(n.tables, flows)
		n.workers = append(n.workers, lcore.New(lcore.Config{CPU: 1 + core, Conntrack: flows, Fragments: pieces,
			Ports: []lcore.PortQueue{{Queue: q, Steer: n.rxQueues < n.cores}}}))
	}
	n.group = lcore.NewGroup(n.workers...)
	return nil
}

// seed is what a process draws at random; here it is the node's, so that a run
// can be repeated.
func (n *node) seed() flow.Seed {
	return flow.Seed{A: hash(1, uint64(n.number), 0), B: hash(2, uint64(n.number), 0), C: hash(3, uint64(n.number), 0)}
}

// configure gives the node the verdicts of its checks.
func (n *node) configure(serves []bool) error {
	in := plan.Input{Config: n.config, Ports: []plan.Port{{MAC: nodeMAC(n.number), MTU: portMTU}}, Generation: 1, Previous: n.plan, Workers: 1,
		Health: func(_ config.VIP, backend netip.Addr, _ string) plan.Health {
			if serves[number(backend)] {
				return plan.Health{Verdict: plan.Up, Percent: 100}
			}
			return plan.Health{Verdict: plan.Down}
		}}
	if n.plan != nil {
		in.Generation = n.plan.Snapshot.Generation + 1
	}
	p, err := plan.Build(in)
	if err != nil {
		return err
	}
	n.plan, n.serves = p, serves
	n.group.Publish(lcore.Program{Snapshot: p.Snapshot, Owners: p.Owners})
	return nil
}

// turn lets all cores of the node work until they find nothing more.
func (n *node) turn() {
	for found := 1; found != 0; {
		found = 0
		for _, w := range n.workers {
			found += w.Turn()
		}
	}
}

// ends sums up how frames ended on all cores.
func (n *node) ends() (ends [lcore.Verdicts]uint64, received uint64) {
	for _, r := range n.group.Final() {
		for v, count := range r.Verdicts {
			ends[v] += count
		}
		received += r.Received
	}
	return ends, received
}

// books tells whether every frame that the node received had one end.
func (n *node) books() error {
	for _, r := range n.group.Final() {
		var sum uint64
		for _, count := range r.Verdicts {
			sum += count
		}
		if r.Received+r.Taken+r.Made != sum+r.Fragments.Held {
			return fmt.Errorf("node %d: received %d, taken %d, made %d; ended %d, held %d", n.number, r.Received, r.Taken, r.Made, sum, r.Fragments.Held)
		}
	}
	return nil
}

// newPort makes a port in memory for a node.
func newPort(s site, i int) *memport.Port {
	return memport.New(memport.Config{Queues: s.cores, RxQueues: s.rxQueues, MTU: portMTU, MAC: nodeMAC(i), Frames: 2048})
}

// queuesOf lists the queues of a port.
func queuesOf(p pmd.Port, n int) (list []pmd.Queue) {
	for i := range n {
		list = append(list, p.Queue(i))
	}
	return list
}

// headersLen is how long the headers of a packet of tcp are.
const headersLen = 14 + 20 + 20

// tcp is a packet to web with so many bytes behind its headers.
func tcp(src uint32, port uint16, flags byte, payload int) []byte {
	b := make([]byte, headersLen+payload)
	v := vip.As4()
	packet.PutEthernet(b, nodeMAC(0), [6]byte{2, 0, 0, 0, 0, 1}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[14:], 61, packet.ProtoTCP, src, binary.BigEndian.Uint32(v[:]))
	packet.SetIPv4(b[14:], 0, uint16(40+payload), packet.IPv4Rest(b[14:]))
	binary.BigEndian.PutUint16(b[34:], port)
	binary.BigEndian.PutUint16(b[36:], 80)
	b[46], b[47] = 5<<4, flags
	return b
}

// Flags of TCP.
const (
	syn = 0x02
	ack = 0x10
)

// innerAt is where the packet begins in a frame that goes to a backend: behind
// Ethernet, IPv4 and GRE without options.
const innerAt = 14 + 20 + 4

// backendOf returns the backend that a tunnelled frame goes to.
func backendOf(frame []byte) int { return number(netip.AddrFrom4([4]byte(frame[14+16:]))) }
