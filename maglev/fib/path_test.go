package fib

import (
	"math/bits"
	"net/netip"
	"testing"

	"guideway/maglev/flow"

	"pgregory.net/rapid"
)

func TestWay(t *testing.T) {
	for _, c := range []struct {
		p    Path
		hash uint64
		want uint32
	}{
		{Path{7, 1}, 0, 7},
		{Path{7, 1}, 1<<64 - 1, 7},
		{Path{7, 2}, 1<<31 - 1, 7},
		{Path{7, 2}, 1 << 31, 8},
		{Path{7, 2}, 0xffffffff_7fffffff, 7}, // the upper half is others' to use
		{Path{7, 3}, 0x55555555, 7},
		{Path{7, 3}, 0x55555556, 8},
		{Path{7, 64}, 1<<32 - 1, 70},
		{Path{1<<32 - 65536, 65535}, 1<<64 - 1, 1<<32 - 2},
	} {
		if got := c.p.Way(c.hash); got != c.want {
			t.Errorf("%+v, hash %#x: way %d, want %d", c.p, c.hash, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := Path{rapid.Uint32Max(1<<31).Draw(t, "tunnel"), rapid.Uint16Min(1).Draw(t, "ways")}
		if got := p.Way(rapid.Uint64().Draw(t, "hash")); got < p.Tunnel || got-p.Tunnel >= uint32(p.Ways) {
			t.Fatalf("%+v: way %d", p, got)
		}
	})
}

// Flows are spread over the ways evenly, and those of one way have all flow
// labels: in each half of the labels as many as in the other.
func TestWaysAndLabelsAreIndependent(t *testing.T) {
	const flows = 1 << 16
	for _, ways := range []uint16{1, 2, 3, 8, 24, 64} {
		p := Path{0, ways}
		count := make([][2]int, ways)
		for i := range uint64(flows) {
			k := flow.Key{Proto: 6, SrcLo: 0xc6336400 + i>>8, DstLo: 0xcb00710a, Ports: uint32(40000+i&0xff)<<16 | 80}
			hash := k.Hash(&flow.Seed{A: 1, B: 2, C: 3})
			count[p.Way(hash)][hash>>19&1]++
		}
		for way, halves := range count {
			for half, n := range halves {
				want := flows / 2 / int(ways)
				if slack := 5 << (bits.Len(uint(want)) / 2); n < want-slack || n > want+slack { // five deviations or more
					t.Errorf("%d ways: %d flows go way %d with labels of half %d, want %d", ways, n, way, half, want)
				}
			}
		}
	}
}

func TestEndpointOf(t *testing.T) {
	s := mustBuild(t, small(t))
	for id := range uint32(s.Endpoints() + 2) {
		for generation := range uint32(MaxGenerations) {
			v := MakeValue(id, generation)
			e, valid := s.EndpointOf(v)
			if want := id >= 1 && id <= 8 && generation == id*100; valid != want || valid && e != &s.endpoints[id] {
				t.Fatalf("id %d of generation %d: %+v, valid %v, want %v", id, generation, e, valid, want)
			}
		}
	}
	if e, valid := s.EndpointOf(1<<32 - 1); valid {
		t.Errorf("all ones is %+v", e)
	}
}

func TestNode(t *testing.T) {
	spec := small(t)
	withNodes(&spec)
	s := mustBuild(t, spec)
	for _, c := range []struct {
		ordinal int
		ipv6    bool
		want    Path
	}{
		{0, false, Path{}}, {0, true, Path{}},
		{1, false, Path{8, 2}}, {1, true, Path{10, 2}},
		{2, false, Path{}}, {3, false, Path{}}, {3, true, Path{}}, {-1, false, Path{}}, {1 << 40, true, Path{}},
	} {
		if got := s.Node(c.ordinal, c.ipv6); got != c.want {
			t.Errorf("node %d, inner IPv6 %v: %+v, want %+v", c.ordinal, c.ipv6, got, c.want)
		}
	}
	if got := mustBuild(t, Spec{}).Node(0, false); got != (Path{}) {
		t.Errorf("a node on its own has %+v", got)
	}
}

// What a path gives is what was asked for, in each service and endpoint.
func TestSnapshotHasTheWaysOfTheSpec(t *testing.T) {
	spec := small(t)
	spec.Services[2].Fragments, spec.Services[2].Refragment, spec.Services[2].Unreachable, spec.Services[2].MSS = true, true, true, 1396
	spec.Endpoints[2].Ways = 0
	s := mustBuild(t, spec)
	for id, v := range spec.Services {
		if got := s.Service(uint16(id)); got.Fragments != v.Fragments || got.Refragment != v.Refragment || got.Unreachable != v.Unreachable || got.MSS != v.MSS {
			t.Errorf("service %d is %+v", id, got)
		}
	}
	for _, e := range spec.Endpoints[1:9] {
		if got, _ := s.EndpointOf(e.Value); got.Tunnel != e.Tunnel || got.Ways != e.Ways {
			t.Errorf("endpoint %d is %+v", e.Value.ID(), got)
		}
	}
}

// Narrowest goes by the inner family, and not by the tunnels to other nodes.
func TestNarrowest(t *testing.T) {
	tunnel := func(dst string, inner6, marked bool, mtu int) TunnelSpec {
		return TunnelSpec{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr(dst), InnerIPv6: inner6, Marked: marked, MTU: mtu}
	}
	s, err := Build(Spec{Tunnels: []TunnelSpec{
		tunnel("10.0.0.1", false, false, 1524), tunnel("10.0.0.2", false, false, 1500), tunnel("10.0.0.1", true, false, 9000),
		tunnel("10.0.0.9", false, true, 600),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if v4, v6 := s.Narrowest(false), s.Narrowest(true); v4 != 1476 || v6 != 8976 {
		t.Errorf("IPv4 %d, IPv6 %d, want 1476 and 8976", v4, v6)
	}
	empty, err := Build(Spec{})
	if err != nil {
		t.Fatal(err)
	}
	if n := empty.Narrowest(false); n != maxMTU {
		t.Errorf("without tunnels %d, want %d", n, maxMTU)
	}
}
