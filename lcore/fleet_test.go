package lcore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"guideway/fragments"
	"guideway/maglev"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

// udpVIP and udpVIP6 are services 0 and 1: UDP on every port, fragments
// forwarded, backends of either family.
var (
	udpVIP  = netip.MustParseAddr("203.0.113.53")
	udpVIP6 = netip.MustParseAddr("2001:db8:cafe::53")
)

// sourceIPv6 is what backends of IPv6 see as the sender of tunnels.
var sourceIPv6 = netip.MustParseAddr("2001:db8::11")

// A fleet is a few nodes of a few cores each, all on one segment, in memory.
type fleet struct {
	t       testing.TB
	nodes   []*testNode
	addrs   []netip.Addr
	down    map[netip.Addr]bool
	icmp    ICMP
	tracing Tracing
	mtu     int // of every link
	split   bool
	gen     uint64

	backends []string
	numbers  map[netip.Addr]uint32 // of service 0's endpoints that are to have a certain one
	sent     [][]byte              // what left for backends and clients, in order
}

type testNode struct {
	port    *memport.Port
	tap     *memport.Port // nil: no kernel interface
	workers []*Worker
	group   *Group
	mac     [6]byte
}

// fleetShape says what a fleet is like.
type fleetShape struct {
	nodes, cores int
	rxQueues     int // of each port; fewer than cores: software steering
	kernel       bool
	vlan         uint16
	rss          *pmd.RSS
	held         int  // fragments; 0: 256
	halts        bool // bursts of any length halt, however few flows there are
}

func newFleet(t testing.TB, s fleetShape, backends ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, backends: backends, mtu: 1500, split: true, down: map[netip.Addr]bool{},
		icmp: ICMP{Rate: 1_000_000, Relay: true, Refuse: true}}
	for i := range s.nodes {
		f.addrs = append(f.addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}))
		f.nodes = append(f.nodes, newTestNode(t, s, [6]byte{2, 0, 0, 0, 1, byte(i)}))
	}
	f.publish()
	return f
}

func newTestNode(t testing.TB, s fleetShape, mac [6]byte) *testNode {
	t.Helper()
	pool := memport.NewPool("pool", 8192, 4096, 128)
	n := &testNode{mac: mac, port: memport.New(memport.Config{Queues: s.cores, RxQueues: s.rxQueues, MTU: 1500, Pool: pool, MAC: mac})}
	if s.kernel {
		n.tap = memport.New(memport.Config{Name: "tap", MTU: 1500, Pool: pool})
	}
	seed := flow.Seed{A: 1, B: 2, C: 3}
	held := s.held
	if held == 0 {
		held = 256
	}
	for i := range s.cores {
		pieces, err := fragments.New(fragments.Config{Datagrams: 512, Held: held, Bytes: 1 << 20, Timeout: time.Second, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		q := PortQueue{Queue: n.port.Queue(i), VLAN: s.vlan, RSS: s.rss, Steer: s.rxQueues < s.cores}
		if s.kernel {
			q.KernelRate = 1_000_000
			if i == 0 {
				q.Kernel = n.tap.Queue(0)
			}
		}
		w := New(Config{CPU: i, Conntrack: newTable(t), Fragments: pieces, Ports: []PortQueue{q}})
		if s.halts {
			w.haltFrom.frames, w.haltFrom.flows = 1, 0
		}
		n.workers = append(n.workers, w)
	}
	n.group = NewGroup(n.workers...)
	return n
}

// publish gives every node what follows from the fleet's fields.
func (f *fleet) publish() {
	f.t.Helper()
	f.gen++
	for i, n := range f.nodes {
		n.group.Publish(f.program(i))
	}
}

// program is what node i works by.
func (f *fleet) program(i int) Program {
	f.t.Helper()
	spec := fib.Spec{Generation: f.gen, Endpoints: make([]fib.EndpointSpec, 1+len(f.numbers))}
	tunnel := func(t fib.TunnelSpec) uint32 {
		t.MTU, t.NextHopMAC, t.SrcMAC = f.mtu, [6]byte{2, 0xaa}, f.nodes[i].mac
		spec.Tunnels = append(spec.Tunnels, t)
		return uint32(len(spec.Tunnels) - 1)
	}
	var members []maglev.Member
	for _, b := range f.backends {
		members = append(members, maglev.Member{Addr: netip.MustParseAddr(b), Weight: 1})
	}
	table, err := maglev.Build(members, 251)
	if err != nil {
		f.t.Fatal(err)
	}
	for service, v := range []netip.Addr{udpVIP, udpVIP6} {
		s := fib.ServiceSpec{Prefix: netip.PrefixFrom(v, v.BitLen()), Protocol: packet.ProtoUDP, Table: table, Fragments: true, Refragment: f.split, Echo: fib.EchoAnswer}
		for _, m := range table.Members() {
			id, fixed := f.numbers[m.Addr]
			if service != 0 || !fixed {
				id = uint32(len(spec.Endpoints))
				spec.Endpoints = append(spec.Endpoints, fib.EndpointSpec{})
			}
			e := fib.EndpointSpec{Value: fib.MakeValue(id, 0), Service: uint16(service), State: fib.Serving, Ways: 1}
			src := f.addrs[i]
			if m.Addr.Is6() {
				src = sourceIPv6
			}
			e.Tunnel = tunnel(fib.TunnelSpec{Src: src, Dst: m.Addr, InnerIPv6: v.Is6()})
			spec.Endpoints[id] = e
			s.Values = append(s.Values, e.Value)
		}
		spec.Services = append(spec.Services, s)
	}
	p := Program{ICMP: f.icmp, Tracing: f.tracing}
	if len(f.nodes) > 1 {
		var nodes []fragments.Node
		for _, a := range f.addrs {
			nodes = append(nodes, fragments.Node{Addr: a, Down: f.down[a]})
		}
		if p.Owners, err = fragments.NewOwners(nodes, f.addrs[i]); err != nil {
			f.t.Fatal(err)
		}
		for j, a := range f.addrs {
			var n fib.NodeSpec
			if j != i {
				n.Ways = 1
				n.Tunnel4 = tunnel(fib.TunnelSpec{Src: f.addrs[i], Dst: a, Marked: true})
				n.Tunnel6 = tunnel(fib.TunnelSpec{Src: f.addrs[i], Dst: a, Marked: true, InnerIPv6: true})
			}
			spec.Nodes = append(spec.Nodes, n)
		}
	}
	if p.Snapshot, err = fib.Build(spec); err != nil {
		f.t.Fatal(err)
	}
	return p
}

// inject lets frames arrive at a queue of a node.
func (f *fleet) inject(node, queue int, frames ...[]byte) {
	f.nodes[node].port.Inject(queue, frames...)
}

// run lets the nodes work until nothing moves, and carries what they send to
// each other. What they send to others is added to sent.
func (f *fleet) run() {
	f.t.Helper()
	for range 1000 {
		moved := 0
		for _, n := range f.nodes {
			n.port.Advance(descendPeriod)
			for _, w := range n.workers {
				moved += w.Turn()
			}
			for q := range n.workers {
				for _, frame := range n.port.Sent(q) {
					moved++
					if to := f.nodeOf(frame); to >= 0 && !f.down[f.addrs[to]] {
						f.nodes[to].port.Inject(0, frame)
					} else {
						f.sent = append(f.sent, bytes.Clone(frame))
					}
				}
			}
		}
		if moved == 0 {
			f.account()
			return
		}
	}
	f.t.Fatal("frames go round for ever")
}

// nodeOf returns the node that a frame is addressed to by IPv4, or -1.
func (f *fleet) nodeOf(frame []byte) int {
	if binary.BigEndian.Uint16(frame[12:]) != packet.EtherTypeIPv4 {
		return -1
	}
	return slices.Index(f.addrs, netip.AddrFrom4([4]byte(frame[14+16:])))
}

// take returns what was sent since the last take.
func (f *fleet) take() [][]byte {
	sent := f.sent
	f.sent = nil
	return sent
}

// account checks the books of every core: see the package doc.
func (f *fleet) account() {
	f.t.Helper()
	for i, n := range f.nodes {
		for j, w := range n.workers {
			var sum uint64
			for _, v := range w.counters.verdicts {
				sum += v
			}
			c, held := w.counters, w.fragments.Stats().Held
			if c.received+c.taken+c.made != sum+held {
				f.t.Fatalf("node %d core %d: received %d, taken %d, made %d; verdicts %d, held %d", i, j, c.received, c.taken, c.made, sum, held)
			}
			if v := c.verdicts[Unset]; v != 0 {
				f.t.Fatalf("node %d core %d: %d frames ended without a reason", i, j, v)
			}
		}
	}
}

// verdicts sums up a verdict over all cores of all nodes.
func (f *fleet) verdicts(v Verdict) (sum uint64) {
	for _, n := range f.nodes {
		for _, w := range n.workers {
			sum += w.counters.verdicts[v]
		}
	}
	return sum
}

// entries counts the entries of all connection tables.
func (f *fleet) entries() (sum uint64) {
	for _, n := range f.nodes {
		for _, w := range n.workers {
			sum += w.conntrack.Stats().Entries
		}
	}
	return sum
}

// shut ends every node in order and checks that every frame is back.
func (f *fleet) shut() {
	f.t.Helper()
	for i, n := range f.nodes {
		n.group.Stop()
		for _, w := range n.workers {
			w.Run()
		}
		if !n.group.Drain() {
			f.t.Errorf("node %d: frames go round between cores", i)
		}
		for q := range n.workers {
			n.port.Sent(q)
		}
		if n.tap != nil {
			n.tap.Sent(0)
		}
		if p := n.port.Pool(); p.Free != p.Size {
			f.t.Errorf("node %d: %d of %d frames are back", i, p.Free, p.Size)
		}
	}
	f.account()
}

// datagram is a UDP datagram of a client to one of the VIPs, as IP packets of at
// most mtu bytes in Ethernet: one, or its fragments in order.
func datagram(client, port, id, payload, mtu int, ipv6 bool) [][]byte {
	udp := make([]byte, 8+payload)
	binary.BigEndian.PutUint16(udp, uint16(port))
	binary.BigEndian.PutUint16(udp[2:], 53)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	for i := range payload {
		udp[8+i] = byte(i)
	}
	head, step := 20, (mtu-20)&^7
	if ipv6 {
		head, step = 40, (mtu-48)&^7
	}
	if head+len(udp) <= mtu {
		step = len(udp)
	}
	var frames [][]byte
	for at := 0; at < len(udp); at += step {
		data := udp[at:min(at+step, len(udp))]
		more := at+len(data) < len(udp)
		if ipv6 {
			frames = append(frames, piece6(client, id, at, more, data, step < len(udp)))
		} else {
			frames = append(frames, piece4(client, id, at, more, data))
		}
	}
	return frames
}

func piece4(client, id, at int, more bool, data []byte) []byte {
	b := make([]byte, 34, 34+len(data))
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 1}, [6]byte{2, 0xcc}, 0, packet.EtherTypeIPv4)
	dst := udpVIP.As4()
	packet.PutIPv4(b[14:], 60, packet.ProtoUDP, 0xc6336400|uint32(client), binary.BigEndian.Uint32(dst[:]))
	binary.BigEndian.PutUint16(b[18:], uint16(id))
	word := uint16(at / 8)
	if more {
		word |= 0x2000
	}
	binary.BigEndian.PutUint16(b[20:], word)
	packet.SetIPv4(b[14:], 0, uint16(20+len(data)), packet.IPv4Rest(b[14:]))
	return append(b, data...)
}

func piece6(client, id, at int, more bool, data []byte, fragment bool) []byte {
	n := 54
	if fragment {
		n += 8
	}
	b := make([]byte, n, n+len(data))
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 1}, [6]byte{2, 0xcc}, 0, packet.EtherTypeIPv6)
	src := netip.MustParseAddr(fmt.Sprintf("2001:db8:c::%x", client)).As16()
	next := uint8(packet.ProtoUDP)
	if fragment {
		next = packet.ProtoFragment
		b[54] = packet.ProtoUDP
		word := uint16(at)
		if more {
			word |= 1
		}
		binary.BigEndian.PutUint16(b[56:], word)
		binary.BigEndian.PutUint32(b[58:], uint32(id))
	}
	packet.PutIPv6(b[14:], 60, next, src, udpVIP6.As16())
	packet.SetIPv6(b[14:], 0, uint16(n-54+len(data)))
	return append(b, data...)
}

// outer returns the outer destination of a frame in a tunnel, and the packet
// inside.
func outer(t testing.TB, frame []byte) (dst string, inner []byte) {
	t.Helper()
	switch ip := frame[14:]; {
	case binary.BigEndian.Uint16(frame[12:]) == packet.EtherTypeIPv4 && ip[9] == packet.ProtoGRE:
		return netip.AddrFrom4([4]byte(ip[16:])).String(), ip[24:]
	case binary.BigEndian.Uint16(frame[12:]) == packet.EtherTypeIPv6 && ip[6] == packet.ProtoGRE:
		return netip.AddrFrom16([16]byte(ip[24:])).String(), ip[44:]
	}
	t.Fatalf("not in a tunnel: %x", frame)
	return "", nil
}
