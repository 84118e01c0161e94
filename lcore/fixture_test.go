package lcore

import (
	"encoding/binary"
	"net/netip"
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

// vip is the address of service 0, TCP port 80; vip6 that of service 1.
var (
	vip  = netip.MustParseAddr("203.0.113.10")
	vip6 = netip.MustParseAddr("2001:db8:cafe::10")
)

// A world is what the control plane would decide: endpoints by address, with
// the values it has given them.
type world struct {
	generation uint64
	values     map[netip.Addr]fib.Value // of service 0, by backend
	states     map[netip.Addr]fib.State
	next       uint32
	mtu        int
	born       uint64
	echo       fib.Echo

	unreachable bool // service 0 says so when it has no endpoint
}

func newWorld(backends ...string) *world {
	w := &world{values: map[netip.Addr]fib.Value{}, states: map[netip.Addr]fib.State{}, next: 1, mtu: 1600, born: 1}
	for _, b := range backends {
		w.add(b)
	}
	return w
}

// add gives a backend a new number, also if it was there before.
func (w *world) add(backend string) {
	a := netip.MustParseAddr(backend)
	w.values[a] = fib.MakeValue(w.next, 0)
	w.states[a] = fib.Serving
	w.next++
}

func (w *world) set(backend string, s fib.State) { w.states[netip.MustParseAddr(backend)] = s }

func (w *world) remove(backend string) { delete(w.values, netip.MustParseAddr(backend)) }

// snapshot builds the next snapshot.
func (w *world) snapshot(t testing.TB) *fib.Snapshot {
	t.Helper()
	w.generation++
	spec := fib.Spec{Generation: w.generation, Endpoints: make([]fib.EndpointSpec, w.next+1)}
	var members []maglev.Member
	for a, v := range w.values {
		spec.Endpoints[v.ID()] = fib.EndpointSpec{Value: v, Service: 0, State: w.states[a], Tunnel: uint32(len(spec.Tunnels)), Ways: 1}
		spec.Tunnels = append(spec.Tunnels, fib.TunnelSpec{
			Src: netip.MustParseAddr("192.0.2.11"), Dst: a, MTU: w.mtu, NextHopMAC: [6]byte{2, 1},
		})
		if w.states[a] == fib.Serving {
			members = append(members, maglev.Member{Addr: a, Weight: 1})
		}
	}
	service := fib.ServiceSpec{Prefix: netip.PrefixFrom(vip, 32), Protocol: packet.ProtoTCP, Ports: []fib.PortRange{{Low: 80, High: 80}}, Born: w.born, Echo: w.echo, Unreachable: w.unreachable}
	if members != nil {
		var err error
		if service.Table, err = maglev.Build(members, 251); err != nil {
			t.Fatal(err)
		}
		for _, m := range service.Table.Members() {
			service.Values = append(service.Values, w.values[m.Addr])
		}
	}
	spec.Services = []fib.ServiceSpec{service, {Prefix: netip.PrefixFrom(vip6, 128), Protocol: packet.ProtoTCP}}
	s, err := fib.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// program is the next snapshot on a node of its own.
func (w *world) program(t testing.TB) Program {
	t.Helper()
	return Program{Snapshot: w.snapshot(t)}
}

func newPieces(t testing.TB) *fragments.Table {
	t.Helper()
	table, err := fragments.New(fragments.Config{Datagrams: 64, Held: 64, Bytes: 1 << 17, Timeout: time.Second, Seed: flow.Seed{A: 1, B: 2, C: 3}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func newTable(t testing.TB) *conntrack.Table {
	t.Helper()
	table, err := conntrack.New(conntrack.Config{
		Flows: 4096, Seed: flow.Seed{A: 1, B: 2, C: 3},
		Timeouts: conntrack.Timeouts{TCPNew: time.Minute, TCPEstablished: time.Hour, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A rig is a worker on a port in memory.
type rig struct {
	t      testing.TB
	port   *memport.Port
	worker *Worker
	group  *Group
	world  *world
}

func newRig(t testing.TB, c memport.Config, backends ...string) *rig {
	t.Helper()
	r := &rig{t: t, port: memport.New(c), world: newWorld(backends...)}
	r.worker = New(Config{CPU: 3, Conntrack: newTable(t), Fragments: newPieces(t), Ports: []PortQueue{{Queue: r.port.Queue(0)}}})
	r.group = NewGroup(r.worker)
	r.publish()
	return r
}

func (r *rig) publish() { r.group.Publish(r.world.program(r.t)) }

// forward runs packets through the worker and returns what was sent.
func (r *rig) forward(packets ...[]byte) [][]byte {
	r.t.Helper()
	r.port.Inject(0, packets...)
	for r.worker.Turn() != 0 {
	}
	r.account()
	return r.port.Sent(0)
}

// backendOf runs one packet and returns the backend it was sent to.
func (r *rig) backendOf(packet []byte) string {
	r.t.Helper()
	sent := r.forward(packet)
	if len(sent) != 1 {
		r.t.Fatalf("%d frames sent for one packet; verdicts %v", len(sent), r.verdicts())
	}
	return netip.AddrFrom4([4]byte(sent[0][14+16:])).String()
}

// account checks what must hold between any two bursts: every frame has one
// verdict.
func (r *rig) account() {
	r.t.Helper()
	var sum uint64
	for _, n := range r.worker.counters.verdicts {
		sum += n
	}
	if c := r.worker.counters; sum != c.received {
		r.t.Fatalf("the sum over verdicts is %d, received were %d", sum, c.received)
	}
	if n := r.worker.counters.verdicts[Unset]; n != 0 {
		r.t.Fatalf("%d frames ended without a reason", n)
	}
}

// verdicts returns the counters that are not zero.
func (r *rig) verdicts() map[Verdict]uint64 {
	m := map[Verdict]uint64{}
	for v, n := range r.worker.counters.verdicts {
		if n != 0 {
			m[Verdict(v)] = n
		}
	}
	return m
}

// tcp4 is a TCP packet of the flow with the given number to the VIP.
func tcp4(number int, flags uint8, payload int) []byte {
	b := make([]byte, 14+20+20+payload)
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 0, 0x11}, [6]byte{2, 0, 0, 0, 0, 0x99}, 0, packet.EtherTypeIPv4)
	v := vip.As4()
	packet.PutIPv4(b[14:], 61, packet.ProtoTCP, 0xc6336400|uint32(number>>16), binary.BigEndian.Uint32(v[:]))
	packet.SetIPv4(b[14:], 0, uint16(40+payload), packet.IPv4Rest(b[14:]))
	binary.BigEndian.PutUint16(b[34:], uint16(number))
	binary.BigEndian.PutUint16(b[36:], 80)
	b[34+13] = flags
	return b
}
