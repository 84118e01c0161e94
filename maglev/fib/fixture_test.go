package fib

import (
	"net/netip"
	"testing"

	"guideway/maglev"
	"guideway/maglev/flow"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
)

// service is a ServiceSpec without endpoints: "any" protocol is -1.
func service(p string, proto int, ports ...PortRange) ServiceSpec {
	s := ServiceSpec{Prefix: prefix(p), Ports: ports, AnyProtocol: proto < 0}
	if proto > 0 {
		s.Protocol = uint8(proto)
	}
	return s
}

func one(port uint16) PortRange { return PortRange{port, port} }

// to is the key of a packet to a destination.
func to(proto uint8, dst string) *flow.Key {
	d := netip.MustParseAddrPort(dst)
	src := addr("198.51.100.7")
	if d.Addr().Is6() {
		src = addr("2001:db8::7")
	}
	k := flow.NewKey(proto, netip.AddrPortFrom(src, 40000), d)
	return &k
}

func mustBuild(t testing.TB, spec Spec) *Snapshot {
	t.Helper()
	s, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func table(t testing.TB, addrs ...netip.Addr) *maglev.Table {
	t.Helper()
	var members []maglev.Member
	for _, a := range addrs {
		members = append(members, maglev.Member{Addr: a, Weight: 1})
	}
	table, err := maglev.Build(members, 251)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// small is a sound Spec: a VIP of each family with two endpoints that serve,
// one that drains and one that is down, and an id of each kind not in use.
func small(t testing.TB) Spec {
	backends := []netip.Addr{addr("10.0.0.1"), addr("10.0.0.2"), addr("10.0.0.3"), addr("10.0.0.4")}
	spec := Spec{Generation: 7, Endpoints: make([]EndpointSpec, 10)}
	for id, vip := range []string{"203.0.113.10/32", "2001:db8:cafe::10/128"} {
		s := service(vip, 6, one(80), PortRange{8000, 8010})
		s.Born = uint64(id + 3)
		for i, backend := range backends {
			e := uint32(1 + 4*id + i)
			state := []State{Serving, Serving, Draining, Down}[i]
			v := MakeValue(e, e*100)
			spec.Endpoints[e] = EndpointSpec{Value: v, Service: uint16(2 * id), State: state, Tunnel: uint32(len(spec.Tunnels)), Ways: 1}
			spec.Tunnels = append(spec.Tunnels, TunnelSpec{Src: addr("192.0.2.11"), Dst: backend, InnerIPv6: id == 1, Port: uint16(id), MTU: 1600,
				SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, NextHopMAC: [6]byte{2, 0, 0, 0, 0, 2}})
			if state == Serving {
				s.Values = append(s.Values, v)
			}
		}
		s.Table = table(t, backends[:2]...)
		spec.Services = append(spec.Services, s, ServiceSpec{})
	}
	return spec
}

// withNodes adds a fleet of three to small: this node, one that is reached in
// two ways, and one that is not.
func withNodes(s *Spec) {
	s.Nodes = []NodeSpec{{}, {Tunnel4: 8, Tunnel6: 10, Ways: 2}, {}}
	for i := range 4 {
		s.Tunnels = append(s.Tunnels, TunnelSpec{Src: addr("192.0.2.11"), Dst: addr("192.0.2.12"), InnerIPv6: i >= 2, Marked: true,
			Port: uint16(i % 2), MTU: 1500, NextHopMAC: [6]byte{2, 0, 0, 0, 0, byte(i)}})
	}
}
