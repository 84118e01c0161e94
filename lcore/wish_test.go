package lcore

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"guideway/fragments"
	"guideway/maglev"
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd/memport"
)

// A wish is what the control plane wants of a fleet, in the model test and in
// the fuzz test: the services of its program are those of wish.services.
type wish struct {
	generation uint64
	addrs      []netip.Addr // of the nodes
	down       []bool       // of the nodes
	states     [len(wishBackends)]fib.State
	mtu        int
	vlan       uint16
	relay      bool
}

var (
	wishBackends = [...]string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "2001:db8:b::1"}
	wishSource6  = netip.MustParseAddr("2001:db8::11")
)

// services are UDP for both families, in fragments too; TCP 80 that takes none,
// clamps the MSS, and says when it is down; and all of IPv6 behind one address,
// where nothing is cut that does not fit.
func (w *wish) services() []fib.ServiceSpec {
	one := func(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
	return []fib.ServiceSpec{
		{Prefix: one(udpVIP), Protocol: packet.ProtoUDP, Fragments: true, Refragment: true, Echo: fib.EchoAnswer},
		{Prefix: one(udpVIP6), Protocol: packet.ProtoUDP, Fragments: true, Echo: fib.EchoAnswer},
		{Prefix: one(vip), Protocol: packet.ProtoTCP, Ports: []fib.PortRange{{Low: 80, High: 80}}, MSS: 1200, Unreachable: true, Echo: fib.EchoForward},
		{Prefix: one(vip6), AnyProtocol: true, Fragments: true, Echo: fib.EchoDrop},
	}
}

// program is what a node works by.
func (w *wish) program(t testing.TB, node int) Program {
	t.Helper()
	spec := fib.Spec{Generation: w.generation, Services: w.services()}
	tunnel := func(dst netip.Addr, ipv6, marked bool) uint32 {
		s := fib.TunnelSpec{Src: w.addrs[node], Dst: dst, InnerIPv6: ipv6, Marked: marked, MTU: w.mtu, VLAN: w.vlan, NextHopMAC: [6]byte{2, 0xaa}, SrcMAC: wishMAC(node)}
		if dst.Is6() {
			s.Src = wishSource6
		}
		spec.Tunnels = append(spec.Tunnels, s)
		return uint32(len(spec.Tunnels) - 1)
	}
	var members []maglev.Member
	for b, state := range w.states {
		if state == fib.Serving {
			members = append(members, maglev.Member{Addr: netip.MustParseAddr(wishBackends[b]), Weight: 1})
		}
	}
	var table *maglev.Table
	var err error
	if members != nil {
		if table, err = maglev.Build(members, 251); err != nil {
			t.Fatal(err)
		}
	}
	spec.Endpoints = make([]fib.EndpointSpec, 1+len(spec.Services)*len(w.states))
	for i := range spec.Services {
		s := &spec.Services[i]
		value := func(b int) fib.Value { return fib.MakeValue(uint32(1+i*len(w.states)+b), 5) }
		for b, state := range w.states {
			if state != fib.Gone {
				to := tunnel(netip.MustParseAddr(wishBackends[b]), s.Prefix.Addr().Is6(), false)
				spec.Endpoints[value(b).ID()] = fib.EndpointSpec{Value: value(b), Service: uint16(i), State: state, Tunnel: to, Ways: 1}
			}
		}
		if s.Table = table; table != nil {
			for _, m := range table.Members() {
				s.Values = append(s.Values, value(backendNumber(m.Addr)))
			}
		}
	}
	p := Program{ICMP: ICMP{Rate: 1_000_000, Relay: w.relay, Refuse: true}}
	if len(w.addrs) > 1 {
		var nodes []fragments.Node
		for i, a := range w.addrs {
			nodes = append(nodes, fragments.Node{Addr: a, Down: w.down[i]})
			var n fib.NodeSpec
			if i != node {
				n = fib.NodeSpec{Tunnel4: tunnel(a, false, true), Tunnel6: tunnel(a, true, true), Ways: 1}
			}
			spec.Nodes = append(spec.Nodes, n)
		}
		if p.Owners, err = fragments.NewOwners(nodes, w.addrs[node]); err != nil {
			t.Fatal(err)
		}
	}
	if p.Snapshot, err = fib.Build(spec); err != nil {
		t.Fatal(err)
	}
	return p
}

func backendNumber(a netip.Addr) int { return slices.Index(wishBackends[:], a.String()) }

func wishMAC(node int) [6]byte { return [6]byte{2, 0, 0, 0, 1, byte(node)} }

// newNodes makes a fleet like newFleet's, but of nodes so small that there can
// be a new one for each case; node i has pools[i]. Nothing is published to it.
func newNodes(t testing.TB, s fleetShape, flows int, pools ...*memport.Pool) *fleet {
	t.Helper()
	f := &fleet{t: t, down: map[netip.Addr]bool{}}
	seed := flow.Seed{A: 1, B: 2, C: 3}
	for i := range s.nodes {
		pool := pools[i]
		n := &testNode{mac: wishMAC(i), port: memport.New(memport.Config{Queues: s.cores, RxQueues: s.rxQueues, MTU: 1500, Pool: pool, MAC: wishMAC(i), RSS: s.rss})}
		if s.kernel {
			n.tap = memport.New(memport.Config{Name: "tap", MTU: 1500, Pool: pool})
		}
		for core := range s.cores {
			pieces, err := fragments.New(fragments.Config{Datagrams: 512, Held: s.held, Bytes: 1 << 20, Timeout: time.Second, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			table, err := conntrack.New(conntrack.Config{Flows: flows, Seed: seed, Timeouts: conntrack.Timeouts{
				TCPNew: time.Minute, TCPEstablished: time.Hour, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute}})
			if err != nil {
				t.Fatal(err)
			}
			q := PortQueue{Queue: n.port.Queue(core), VLAN: s.vlan, RSS: s.rss, Steer: s.rxQueues < s.cores}
			if s.kernel {
				q.KernelRate = 1_000_000
				if core == 0 {
					q.Kernel = n.tap.Queue(0)
				}
			}
			n.workers = append(n.workers, New(Config{CPU: core, Conntrack: table, Fragments: pieces, Ports: []PortQueue{q}}))
		}
		n.group = NewGroup(n.workers...)
		f.nodes, f.addrs = append(f.nodes, n), append(f.addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}))
	}
	return f
}

// A reserve is pools that are used again, as long as nothing is missing: to fill
// a new one takes longer than most cases.
type reserve struct{ pools []*memport.Pool }

func (r *reserve) pool(i, frames int) *memport.Pool {
	for len(r.pools) <= i {
		r.pools = append(r.pools, nil)
	}
	if p := r.pools[i]; p == nil || p.Count().Free != frames {
		r.pools[i] = memport.NewPool("pool", frames, 2048+128, 128)
	}
	return r.pools[i]
}
