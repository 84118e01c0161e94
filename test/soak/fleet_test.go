package soak

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/pmd"
	"guideway/pmd/memport"
	"guideway/test/hostile"
)

// A fleetNode is one node of a fleet in memory, planned from a configuration as
// the daemon's is.
type fleetNode struct {
	settings
	t       testing.TB
	plan    *plan.Plan
	port    *memport.Port
	tap     *memport.Port
	workers []*lcore.Worker
	group   *lcore.Group
	targets hostile.Targets
	source  *hostile.Source
}

// macOf is the MAC address of a node's port.
func macOf(node int) [6]byte { return [6]byte{2, 0, 0, 0, 1, byte(node)} }

// newFleetNode makes a node. The first of a fleet has two cores and one receive
// queue, and so software steering; the others have a queue for each of one or
// two cores.
func newFleetNode(t testing.TB, s settings) *fleetNode {
	cores := 1 + s.number%2
	s.device, s.kernel, s.rxQueues = "net_null0", true, cores
	if s.number == 1 {
		s.rxQueues = 1
	}
	s.lcores = "[1]"
	if cores == 2 {
		s.lcores = "[1, 2]"
	}
	n := &fleetNode{settings: s, t: t, targets: s.targets(macOf(s.number))}
	n.source = hostile.New(uint64(s.number)<<8|uint64(s.vlan), n.targets)
	cfg := n.load()
	pool := memport.NewPool("pool", 4096, 2048+128, 128)
	n.port = memport.New(memport.Config{Queues: cores, RxQueues: s.rxQueues, MTU: mtu, MAC: macOf(s.number), Pool: pool, TxRing: 64})
	n.tap = memport.New(memport.Config{Name: "tap", MTU: mtu, Pool: pool, TxRing: 16})
	seed := flow.Seed{A: 1, B: 2, C: 3}
	for i := range cores {
		flows, err := conntrack.New(conntrack.Config{Flows: cfg.Conntrack.FlowsPerCore, Timeouts: conntrack.Timeouts(cfg.Conntrack.Timeouts), Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := fragments.New(fragments.Config{Datagrams: cfg.Fragments.Datagrams, Held: cfg.Fragments.Held, Bytes: cfg.Fragments.Bytes, Timeout: cfg.Fragments.Timeout, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		q := lcore.PortQueue{Queue: n.port.Queue(i), VLAN: s.vlan, Steer: s.rxQueues < cores, KernelRate: cfg.Ports[0].KernelRate}
		if i == 0 {
			q.Kernel = n.tap.Queue(0)
		}
		n.workers = append(n.workers, lcore.New(lcore.Config{CPU: 1 + i, Conntrack: flows, Fragments: pieces, Ports: []lcore.PortQueue{q}}))
	}
	n.group = lcore.NewGroup(n.workers...)
	return n
}

func (n *fleetNode) load() *config.Config {
	n.t.Helper()
	cfg, _, err := config.Parse("soak.toml", []byte(n.text()))
	if err != nil {
		n.t.Fatalf("%v\n%s", err, n.text())
	}
	return cfg
}

// reload is a change of configuration, with nodes that are down.
func (n *fleetNode) reload(variant int, down map[netip.Addr]bool) {
	n.t.Helper()
	n.variant = variant
	cfg := n.load()
	generation := uint64(1)
	if n.plan != nil {
		generation += n.plan.Snapshot.Generation
	}
	p, err := plan.Build(plan.Input{Config: cfg, Ports: []plan.Port{{MAC: macOf(n.number), MTU: mtu}}, Generation: generation, Previous: n.plan,
		Workers: 1, Down: func(a netip.Addr) bool { return down[a] }})
	if err != nil {
		n.t.Fatal(err)
	}
	n.plan = p
	icmp := lcore.ICMP{Rate: cfg.ICMP.Rate, Relay: cfg.ICMP.Relay, Refuse: cfg.ICMP.ClosedPort == config.ClosedPortUnreachable}
	if cfg.ICMP.Source == config.ICMPSourceNode {
		icmp.Source4, icmp.Source6 = cfg.Node.Source4, cfg.Node.Source6
	}
	n.group.Publish(lcore.Program{Snapshot: p.Snapshot, Owners: p.Owners, ICMP: icmp})
}

// books checks that every frame of every core has one end, and returns how they
// ended.
func (n *fleetNode) books() (ends [lcore.Verdicts]uint64, received uint64) {
	n.t.Helper()
	for i, r := range n.group.Final() {
		var sum uint64
		for v, count := range r.Verdicts {
			sum += count
			ends[v] += count
		}
		if r.Received+r.Taken+r.Made != sum+r.Fragments.Held || r.Verdicts[lcore.Unset] != 0 {
			n.t.Fatalf("node %d core %d: received %d, taken %d, made %d; ended %d (without a reason %d), held %d",
				n.number, i, r.Received, r.Taken, r.Made, sum, r.Verdicts[lcore.Unset], r.Fragments.Held)
		}
		received += r.Received
	}
	return ends, received
}

// A fleet is nodes on one segment, in memory.
type fleet struct {
	t     testing.TB
	nodes []*fleetNode
	down  map[netip.Addr]bool
	judge map[hostile.Kind]int // frames that were sent, by kind
	turns int
	spoke []byte // what the kernel sends
}

// Now and then second cores are away for a while, and devices send nothing.
const (
	spell     = 1024 // turns from one such time to the next
	coresAway = 320  // for so many turns
	linksJam  = 24
)

// turn lets every node work once, judges what it sends, and carries what is for
// another node.
func (f *fleet) turn() (moved int) {
	f.turns++
	away, jam := f.turns%spell < coresAway, f.turns%spell > spell-linksJam
	for _, n := range f.nodes {
		n.port.Advance(100_000)
		for core, w := range n.workers {
			if core == 0 || !away {
				moved += w.Turn()
			}
		}
		if jam {
			continue
		}
		n.tap.Sent(0)
		for q := range n.workers {
			for _, frame := range n.port.Sent(q) {
				moved++
				kind, err := n.targets.Sound(frame)
				if err != nil || kind == hostile.Other && !bytes.HasSuffix(frame, f.spoke[12:]) {
					f.t.Fatalf("node %d sends what is not sound (kind %d): %v: %x", n.number, kind, err, frame)
				}
				f.judge[kind]++
				if kind == hostile.Passed {
					f.carry(frame)
				}
			}
		}
	}
	return moved
}

// carry brings a frame to the node whose address it has.
func (f *fleet) carry(frame []byte) {
	l3 := 14
	if f.nodes[0].vlan != 0 {
		l3 = 18
	}
	to := netip.AddrFrom4([4]byte(frame[l3+16:]))
	if i := slices.IndexFunc(f.nodes, func(n *fleetNode) bool { return n.targets.Self[0] == to }); i >= 0 && !f.down[to] {
		f.nodes[i].port.Inject(0, frame)
	}
}

// TestFleet soaks a fleet of three nodes in memory: every frame that leaves is
// judged, the books of every core are balanced all the time, memory does not
// grow, and in the end every frame is back in its pool.
func TestFleet(t *testing.T) {
	for _, vlan := range []uint16{0, 7} {
		t.Run(fmt.Sprintf("VLAN %d", vlan), func(t *testing.T) { soakFleet(t, vlan, fleetFrames()/2) })
	}
}

func soakFleet(t *testing.T, vlan uint16, frames int) {
	const nodes, perTurn, perReload = 3, 32, 5_000
	f := &fleet{t: t, down: map[netip.Addr]bool{}, judge: map[hostile.Kind]int{}, spoke: make([]byte, 60)}
	f.spoke[12], f.spoke[13] = 8, 6 // ARP
	for i := range nodes {
		n := newFleetNode(t, settings{number: 1 + i, nodes: nodes, vlan: vlan})
		f.nodes = append(f.nodes, n)
		n.reload(0, f.down)
	}
	buffer := make([]byte, 0, hostile.MaxFrame)
	began, bytes, settled := time.Now(), 0, uint64(0)
	for i := range frames {
		n := f.nodes[i%nodes]
		b := n.source.Next(buffer)
		bytes += len(b)
		if !f.down[n.targets.Self[0]] {
			var flags uint64
			if i%1000 == 999 {
				flags = pmd.FlagIPChecksumBad
			}
			n.port.InjectFlagged(i/nodes%n.rxQueues, flags, b)
		}
		if i%perTurn == 0 {
			f.turn()
		}
		if i%(100*perTurn) == 0 {
			n.tap.Inject(0, f.spoke)
		}
		if i%perReload == 0 {
			variant := i / perReload
			clear(f.down)
			if variant%4 == 1 { // the third node dies, and comes back
				f.down[f.nodes[2].targets.Self[0]] = true
			}
			for _, n := range f.nodes {
				if variant%8 == 3 { // what waits has waited for too long
					n.port.Advance(int64(300 * time.Millisecond))
				}
				n.reload(variant, f.down)
				n.books()
			}
		}
		if i == frames/4 {
			settled = heap()
		}
	}
	for quiet := 0; quiet < 400; quiet++ {
		if f.turn() != 0 {
			quiet = 0
		}
	}
	took := time.Since(began)
	grown := int64(heap()) - int64(settled)
	var ends [lcore.Verdicts]uint64
	var received uint64
	for _, n := range f.nodes {
		n.group.Stop()
		for _, w := range n.workers {
			w.Run()
		}
		if !n.group.Drain() {
			t.Errorf("node %d: frames go round between cores", n.number)
		}
		for q := range n.workers {
			n.port.Sent(q)
		}
		n.tap.Sent(0)
		if p := n.port.Pool(); p.Free != p.Size {
			t.Errorf("node %d: %d of %d frames are back", n.number, p.Free, p.Size)
		}
		node, in := n.books()
		received += in
		for v := range ends {
			ends[v] += node[v]
		}
	}
	if grown > 8<<20 {
		t.Errorf("the heap has grown by %d KiB since a quarter of the run", grown>>10)
	}
	if f.judge[hostile.Forwarded] == 0 || f.judge[hostile.Passed] == 0 || f.judge[hostile.Answer] == 0 || f.judge[hostile.Other] == 0 {
		t.Errorf("sent by kind: %v", f.judge)
	}
	t.Logf("%d hostile frames of %d bytes, %d received by nodes, %.0f a second; heap %+d KiB; sent: %v\n%s",
		frames, bytes/frames, received, float64(frames)/took.Seconds(), grown>>10, f.judge, table(func(v lcore.Verdict) uint64 { return ends[v] }))
	for v := range lcore.Verdicts {
		if ends[v] == 0 && !slices.Contains(unreached, v) {
			t.Errorf("nothing ended as %v", v)
		}
	}
}

// unreached are the ends that no frame can come to in this fleet, all of whose
// nodes have kernel interfaces and next hops; and two that it takes a longer run
// to come to.
var unreached = []lcore.Verdict{
	lcore.Unset, lcore.GroupAddress, lcore.NotIP, lcore.NotVIP, lcore.FragmentTooManyBytes, lcore.NoNextHop, lcore.NoHeadroom, lcore.NoFrame,
	lcore.FragmentTooManyPieces, lcore.FragmentTooManyHeld,
}

// table shows how frames ended, the most frequent first.
func table(count func(lcore.Verdict) uint64) string {
	var list []lcore.Verdict
	for v := range lcore.Verdicts {
		if count(v) != 0 {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b lcore.Verdict) int { return int(count(b)) - int(count(a)) })
	var b strings.Builder
	for _, v := range list {
		fmt.Fprintf(&b, "%12d  %v\n", count(v), v)
	}
	return b.String()
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
