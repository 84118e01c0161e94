package fib

import (
	"net/netip"
	"slices"
	"testing"

	"guideway/maglev/flow"
)

// Each way in which a Spec can contradict itself is refused, and named.
func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(s *Spec)
		want  string // all lines of the error
	}{
		{"more services than ids", func(s *Spec) { s.Services = make([]ServiceSpec, MaxServices+1) },
			"65536 services and 9 endpoints: at most 65535 and 1048575 can be numbered"},
		{"more endpoints than ids", func(s *Spec) { s.Endpoints = make([]EndpointSpec, MaxEndpoints+2) },
			"4 services and 1048576 endpoints: at most 65535 and 1048575 can be numbered"},

		{"endpoint 0", func(s *Spec) { s.Endpoints[0] = s.Endpoints[3] }, "endpoint 0 calls itself 3"},
		{"endpoint 0 with value 0", func(s *Spec) { s.Endpoints[0] = s.Endpoints[3]; s.Endpoints[0].Value = 0 }, "endpoint 0 calls itself 0"},
		{"another's value", func(s *Spec) { s.Endpoints[3].Value = MakeValue(4, 0) }, "endpoint 3 calls itself 4"},
		{"no such state", func(s *Spec) { s.Endpoints[3].State = Serving + 1 }, "endpoint 3 is in state 4, which there is not"},
		{"service out of range", func(s *Spec) { s.Endpoints[3].Service = 4 }, "endpoint 3 is of service 4, which is not in use"},
		{"service not in use", func(s *Spec) { s.Endpoints[3].Service = 1 }, "endpoint 3 is of service 1, which is not in use"},
		{"tunnel out of range", func(s *Spec) { s.Endpoints[3].Tunnel = 8 }, "endpoint 3 goes through tunnel 8 of 8"},
		{"tunnel far out of range", func(s *Spec) { s.Endpoints[3].Tunnel = 1<<32 - 1 }, "endpoint 3 goes through tunnel 4294967295 of 8"},
		{"tunnel of the other family", func(s *Spec) { s.Endpoints[3].Tunnel = 6 },
			"endpoint 3 goes through tunnel 6, which is for the other inner family"},
		{"the last way out of range", func(s *Spec) { s.Endpoints[3].Tunnel, s.Endpoints[3].Ways = 2, 7 }, "endpoint 3 goes through tunnel 8 of 8"},
		{"as many ways as there can be, of the last tunnel", func(s *Spec) { s.Endpoints[3].Tunnel, s.Endpoints[3].Ways = 1<<32-1, 1<<16-1 },
			"endpoint 3 goes through tunnel 4295032829 of 8"},
		{"ways to two backends", func(s *Spec) { s.Endpoints[3].Ways = 2 },
			"endpoint 3 goes through tunnels 2 to 3, which differ in destination, inner family or mark"},
		{"ways of two inner families", func(s *Spec) {
			s.Tunnels[3] = s.Tunnels[2]
			s.Tunnels[3].InnerIPv6 = true
			s.Endpoints[3].Ways = 2
			s.Endpoints[4].Ways = 0
		},
			"endpoint 3 goes through tunnels 2 to 3, which differ in destination, inner family or mark"},
		{"ways of which one is marked", func(s *Spec) {
			s.Tunnels[3] = s.Tunnels[2]
			s.Tunnels[3].Marked = true
			s.Endpoints[3].Ways = 2
			s.Endpoints[4].Ways = 0
		},
			"endpoint 3 goes through tunnels 2 to 3, which differ in destination, inner family or mark"},
		{"a marked tunnel", func(s *Spec) { s.Tunnels[2].Marked = true }, "endpoint 3 goes through tunnel 2, which is marked as to a node"},

		{"a node out of range", func(s *Spec) { withNodes(s); s.Nodes[1].Tunnel6 = 11 }, "node 1 goes through tunnel 12 of 12"},
		{"a node that is not marked", func(s *Spec) { withNodes(s); s.Tunnels[8].Marked, s.Tunnels[9].Marked = false, false },
			"node 1 goes through tunnel 8, which is not marked"},
		{"a node by a backend's tunnel", func(s *Spec) { withNodes(s); s.Nodes[1] = NodeSpec{0, 4, 1} },
			"node 1 goes through tunnel 0, which is not marked\nnode 1 goes through tunnel 4, which is not marked"},
		{"a node's inner families the wrong way round", func(s *Spec) { withNodes(s); s.Nodes[1].Tunnel4, s.Nodes[1].Tunnel6 = 10, 8 },
			"node 1 goes through tunnel 10, which is for the other inner family\nnode 1 goes through tunnel 8, which is for the other inner family"},
		{"more ways to a node than lead there", func(s *Spec) { withNodes(s); s.Nodes[1].Ways = 3 },
			"node 1 goes through tunnels 8 to 10, which differ in destination, inner family or mark\nnode 1 goes through tunnel 12 of 12"},
		{"two nodes in one", func(s *Spec) {
			withNodes(s)
			s.Tunnels[10].Dst, s.Tunnels[11].Dst = addr("192.0.2.13"), addr("192.0.2.13")
		},
			"node 1 is 192.0.2.12 for inner IPv4, but 192.0.2.13 for inner IPv6"},

		{"no such mode", func(s *Spec) { s.Services[0].Mode = flow.Source + 1 }, "service 0: selects by mode 3, which there is not"},
		{"a value too few", func(s *Spec) { s.Services[0].Values = s.Services[0].Values[:1] }, "service 0: a table of 2 members with 1 endpoints"},
		{"values and no table", func(s *Spec) { s.Services[0].Table = nil }, "service 0: a table of 0 members with 2 endpoints"},
		{"a table and no values", func(s *Spec) { s.Services[0].Values = nil }, "service 0: a table of 2 members with 0 endpoints"},
		{"no endpoint", func(s *Spec) { s.Services[0].Values[1] = 0 }, "service 0: member 1 leads to endpoint 0 of generation 0, which does not serve it"},
		{"endpoint out of range", func(s *Spec) { s.Services[0].Values[1] = MakeValue(10, 1) }, "service 0: member 1 leads to endpoint 10 of generation 1, which does not serve it"},
		{"endpoint gone", func(s *Spec) { s.Endpoints[2] = EndpointSpec{} }, "service 0: member 1 leads to endpoint 2 of generation 200, which does not serve it"},
		{"endpoint of an older generation", func(s *Spec) { s.Services[0].Values[1] = MakeValue(2, 199) }, "service 0: member 1 leads to endpoint 2 of generation 199, which does not serve it"},
		{"endpoint of another service", func(s *Spec) { s.Services[0].Values[1] = s.Services[2].Values[1] }, "service 0: member 1 leads to endpoint 6 of generation 600, which does not serve it"},
		{"endpoint that drains", func(s *Spec) { s.Endpoints[2].State = Draining }, "service 0: member 1 leads to endpoint 2 of generation 200, which does not serve it"},
		{"endpoint that is down", func(s *Spec) { s.Endpoints[2].State = Down }, "service 0: member 1 leads to endpoint 2 of generation 200, which does not serve it"},
		{"values in another order", func(s *Spec) { slices.Reverse(s.Services[0].Values) },
			"service 0: member 0 is 10.0.0.1, but its endpoint 2 is 10.0.0.2\nservice 0: member 1 is 10.0.0.2, but its endpoint 1 is 10.0.0.1"},
		{"one endpoint for two members", func(s *Spec) { s.Services[0].Values[1] = s.Services[0].Values[0] },
			"service 0: member 1 is 10.0.0.2, but its endpoint 1 is 10.0.0.1"},

		{"a prefix with bits behind it", func(s *Spec) {
			s.Services[1].Prefix = prefix("203.0.113.10/31").Masked()
			s.Services[2].Prefix = prefix("2001:db8::1/64")
		},
			"service 2: 2001:db8::1/64 is not a prefix in canonical form"},
		{"a mapped prefix", func(s *Spec) { s.Services[1].Prefix = netip.PrefixFrom(addr("::ffff:203.0.113.10"), 128) },
			"service 1: ::ffff:203.0.113.10/128 is not a prefix in canonical form"},
		{"a range that runs backwards", func(s *Spec) { s.Services[0].Ports[1] = PortRange{90, 80} }, "service 0: 90-80 is not a range of ports"},
		{"port 0", func(s *Spec) { s.Services[0].Ports[1] = one(0) }, "service 0: 0-0 is not a range of ports"},
		{"port 0 in a range", func(s *Spec) { s.Services[0].Ports[1] = PortRange{0, 65534} }, "service 0: 0-65534 is not a range of ports"},

		{"one port twice", func(s *Spec) { s.Services[1] = service("203.0.113.10/32", 6, one(80)) },
			"services 0 and 1 both claim 203.0.113.10/32, protocol 6, ports 80-80"},
		{"one range twice", func(s *Spec) { s.Services[1] = service("203.0.113.10/32", 6, PortRange{8000, 8010}) },
			"services 0 and 1 both claim 203.0.113.10/32, protocol 6, ports 8000-8010"},
		{"ranges that cross", func(s *Spec) {
			s.Services[1] = service("203.0.113.10/32", 6, PortRange{7990, 8000}, PortRange{8010, 8011})
		},
			"services 1 and 0 both claim 203.0.113.10/32, protocol 6, ports 8000-8000\nservices 0 and 1 both claim 203.0.113.10/32, protocol 6, ports 8010-8010"},
		{"all ports twice", func(s *Spec) {
			s.Services[1] = service("10.0.0.0/8", 17)
			s.Services = append(s.Services, service("10.0.0.0/8", 17))
		}, "services 1 and 4 both claim 10.0.0.0/8, protocol 17, ports 0-65535"},
		{"any protocol twice, whatever stands beside it", func(s *Spec) {
			s.Services[1], s.Services[3] = service("10.0.0.0/8", -1), service("10.0.0.0/8", -1)
			s.Services[3].Protocol = 6
		}, "services 1 and 3 both claim 10.0.0.0/8, any protocol, ports 0-65535"},
		{"a service against itself", func(s *Spec) { s.Services[0].Ports = []PortRange{one(80), {79, 81}, {80, 82}} },
			"services 0 and 0 both claim 203.0.113.10/32, protocol 6, ports 80-81"},
		{"three at once: each pair", func(s *Spec) {
			for range 3 {
				s.Services = append(s.Services, service("10.0.0.0/8", 6, one(1)))
			}
		}, "services 4 and 5 both claim 10.0.0.0/8, protocol 6, ports 1-1\nservices 4 and 6 both claim 10.0.0.0/8, protocol 6, ports 1-1\nservices 5 and 6 both claim 10.0.0.0/8, protocol 6, ports 1-1"},

		{"a tunnel", func(s *Spec) { s.Tunnels[5].MTU = 24 }, "tunnel 5: to 10.0.0.2: an MTU of 24, want 25 to 65535"},
		{"faults of every kind", func(s *Spec) {
			s.Tunnels[0].VLAN = 4095
			s.Tunnels[0].Src = netip.Addr{}
			s.Endpoints[3] = EndpointSpec{Value: MakeValue(4, 0), State: 9, Service: 9, Tunnel: 9, Ways: 1}
			s.Endpoints[4].Tunnel = 9
			s.Nodes = []NodeSpec{{Tunnel4: 8, Tunnel6: 3, Ways: 1}}
			s.Services[0].Mode = 9
			s.Services[0].Values[1] = 0
			s.Services[0].Ports = []PortRange{{0, 1}, {3, 2}, one(4), one(4)}
			s.Services[1].Prefix = netip.PrefixFrom(addr("10.0.0.1"), 8)
		}, `tunnel 0: from invalid IP to 10.0.0.1: need two unicast addresses of one family
to 10.0.0.1: there is no VLAN 4095
endpoint 3 calls itself 4
endpoint 3 is in state 9, which there is not
endpoint 3 is of service 9, which is not in use
endpoint 4 goes through tunnel 9 of 8
node 0 goes through tunnel 8 of 8
node 0 goes through tunnel 3, which is for the other inner family
service 0: selects by mode 9, which there is not
service 0: member 1 leads to endpoint 0 of generation 0, which does not serve it
service 0: 0-1 is not a range of ports
service 0: 3-2 is not a range of ports
service 1: 10.0.0.1/8 is not a prefix in canonical form
services 0 and 0 both claim 203.0.113.10/32, protocol 6, ports 4-4`},
	} {
		spec := small(t)
		c.spoil(&spec)
		s, err := Build(spec)
		if err == nil || s != nil {
			t.Errorf("%s: built", c.name)
			continue
		}
		if got := err.Error(); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// What is near a fault and none.
func TestBuildAccepts(t *testing.T) {
	for name, change := range map[string]func(s *Spec){
		"as it is":                func(*Spec) {},
		"nothing at all":          func(s *Spec) { *s = Spec{} },
		"as many services as ids": func(s *Spec) { s.Services = append(s.Services, make([]ServiceSpec, MaxServices-len(s.Services))...) },
		"as many endpoints as ids": func(s *Spec) {
			s.Endpoints = append(s.Endpoints, make([]EndpointSpec, MaxEndpoints+1-len(s.Endpoints))...)
		},
		"a service without endpoints":    func(s *Spec) { s.Services[1] = service("10.0.0.0/8", -1) },
		"a range within a range":         func(s *Spec) { s.Services[1] = service("203.0.113.10/32", 6, PortRange{8000, 8009}, PortRange{79, 81}) },
		"ranges side by side":            func(s *Spec) { s.Services[1] = service("203.0.113.10/32", 6, PortRange{81, 7999}) },
		"the same ports, other protocol": func(s *Spec) { s.Services[1] = service("203.0.113.10/32", 17, one(80)) },
		"the same ports, any protocol":   func(s *Spec) { s.Services[1] = service("203.0.113.10/32", -1, one(80)) },
		"the same ports, other prefix":   func(s *Spec) { s.Services[1] = service("203.0.113.10/31", 6, one(80)) },
		"a mapped tunnel address":        func(s *Spec) { s.Tunnels[0].Dst = addr("::ffff:10.0.0.1") },
		"all ports, written out":         func(s *Spec) { s.Services[1] = service("10.0.0.0/8", 6, PortRange{0, 65535}) },
		"no next hop":                    func(s *Spec) { s.Endpoints[1].Ways = 0; s.Endpoints[2].Tunnel, s.Endpoints[2].Ways = 1<<32-1, 0 },
		"ways of all kinds to a backend": func(s *Spec) {
			s.Tunnels[1].Dst, s.Tunnels[1].Src, s.Tunnels[1].Port = addr("::ffff:10.0.0.1"), addr("192.0.2.12"), 9
			s.Tunnels[1].MTU, s.Tunnels[1].VLAN, s.Tunnels[1].NextHopMAC = 9000, 7, [6]byte{4}
			s.Endpoints[1].Ways, s.Endpoints[2].Ways = 2, 0
		},
		"nodes":                         withNodes,
		"a node without next hop":       func(s *Spec) { withNodes(s); s.Nodes[1] = NodeSpec{99, 99, 0} },
		"whatever, of an id not in use": func(s *Spec) { s.Endpoints[9] = EndpointSpec{Service: 99, Tunnel: 99, Value: 99} },
	} {
		spec := small(t)
		change(&spec)
		if _, err := Build(spec); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A Snapshot is immutable, so it keeps no part of the Spec that its maker may
// go on writing to.
func TestSnapshotKeepsNothingOfTheSpec(t *testing.T) {
	spec := small(t)
	s := mustBuild(t, spec)
	k := to(6, "203.0.113.10:80")
	before := s.Service(0).Pick(k)
	for i := range spec.Services {
		clear(spec.Services[i].Values)
		clear(spec.Services[i].Ports)
	}
	clear(spec.Endpoints)
	clear(spec.Tunnels)
	clear(spec.Services)
	if got := s.Service(0).Pick(k); got != before || got == 0 {
		t.Errorf("picks %d, before %d", got, before)
	}
	if got := s.Lookup(to(6, "203.0.113.10:8001")); got != 0 {
		t.Errorf("looks up %d", got)
	}
}
