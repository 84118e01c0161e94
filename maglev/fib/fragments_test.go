package fib

import (
	"net/netip"
	"testing"

	"guideway/maglev/flow"

	"pgregory.net/rapid"
)

// pieces is a service that forwards fragments.
func pieces(p string, proto int, ports ...PortRange) ServiceSpec {
	s := service(p, proto, ports...)
	s.Fragments = true
	return s
}

func TestFragments(t *testing.T) {
	for _, c := range []struct {
		name     string
		services []ServiceSpec
		dst      string
		want     bool
	}{
		{"nothing", nil, "203.0.113.10:0", false},
		{"no VIP", []ServiceSpec{pieces("203.0.113.10/32", 17)}, "203.0.113.11:0", false},
		{"a VIP", []ServiceSpec{pieces("203.0.113.10/32", 17)}, "203.0.113.10:0", true},
		{"one found in the exact table", []ServiceSpec{pieces("203.0.113.10/32", 17, one(53))}, "203.0.113.10:0", true},
		{"one that does not", []ServiceSpec{service("203.0.113.10/32", 17)}, "203.0.113.10:0", false},
		{"the other family's", []ServiceSpec{pieces("::cb00:710a/128", 17)}, "203.0.113.10:0", false},
		{"IPv6", []ServiceSpec{pieces("2001:db8::/64", 17)}, "[2001:db8::10]:0", true},
		{"an id not in use", []ServiceSpec{{Fragments: true}, service("203.0.113.10/32", 17)}, "203.0.113.10:0", false},
		{"another of the address", []ServiceSpec{service("203.0.113.10/32", 6), pieces("203.0.113.10/32", 17, one(53))}, "203.0.113.10:0", true},
		{"another, first", []ServiceSpec{pieces("203.0.113.10/32", 17, one(53)), service("203.0.113.10/32", 6)}, "203.0.113.10:0", true},
		{"what the longer prefix leaves falls to the shorter", []ServiceSpec{service("203.0.113.10/32", -1, PortRange{1, 65535}), pieces("203.0.113.0/24", 17)}, "203.0.113.10:0", true},
		{"nothing is left by the longer prefix", []ServiceSpec{service("203.0.113.10/32", -1), pieces("203.0.113.0/24", 17)}, "203.0.113.10:0", false},
		{"the same, beside it", []ServiceSpec{service("203.0.113.10/32", -1), pieces("203.0.113.0/24", 17)}, "203.0.113.11:0", true},
		{"all ports of one protocol leave others", []ServiceSpec{service("203.0.113.10/32", 6), pieces("203.0.113.0/24", 17)}, "203.0.113.10:0", true},
		{"one that takes what another leaves", []ServiceSpec{service("203.0.113.10/32", -1), pieces("203.0.113.10/32", 17, one(53))}, "203.0.113.10:0", true},
		{"past two", []ServiceSpec{service("203.0.113.10/32", 17), service("203.0.113.0/24", 17), pieces("0.0.0.0/0", 17)}, "203.0.113.10:0", true},
		{"shut out by the second", []ServiceSpec{service("203.0.113.10/32", 17), service("203.0.113.0/24", -1), pieces("0.0.0.0/0", 17)}, "203.0.113.10:0", false},
	} {
		if got := mustBuild(t, Spec{Services: c.services}).Fragments(to(17, c.dst)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// Fragments never says no of a packet whose service, by Lookup, says yes. It
// says yes only where some service over the address does.
func TestFragmentsErrsOnTheSideOfTrue(t *testing.T) {
	yes, no := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var services []ServiceSpec
		for _, v := range rapid.SliceOfN(drawService, 0, 8).Draw(t, "services") {
			v.Fragments = rapid.IntRange(0, 3).Draw(t, "fragments") == 0
			if rapid.IntRange(0, 2).Draw(t, "all") == 0 {
				v.AnyProtocol, v.Ports = true, nil
			}
			if rapid.Bool().Draw(t, "wide") {
				v.Prefix = netip.PrefixFrom(v.Prefix.Addr(), v.Prefix.Bits()/4).Masked()
			}
			if more := append(services[:len(services):len(services)], v); !plainClash(more) {
				services = more
			}
		}
		s := mustBuildIn(t, Spec{Services: services})
		for _, k := range rapid.SliceOfN(drawKey, 10, 40).Draw(t, "keys") {
			if len(services) > 0 && rapid.Bool().Draw(t, "to a VIP") {
				k.SetDst(rapid.SampledFrom(services).Draw(t, "VIP").Prefix.Addr())
			}
			got := s.Fragments(k)
			if id := s.Lookup(k); id >= 0 && services[id].Fragments && !got {
				t.Fatalf("%v: no, but service %d takes fragments", k, id)
			}
			some := false
			for _, v := range services {
				some = some || v.Fragments && v.Prefix.Contains(k.Dst())
			}
			switch {
			case got && !some:
				t.Fatalf("%v: yes, but no service over the address does", k)
			case got:
				yes++
			default: // no service does, or those are shut out: rarely, so that TestFragments sees to that
				no++
			}
			// Ports and protocol are not looked at.
			other := flow.Key{DstHi: k.DstHi, DstLo: k.DstLo, IPv6: k.IPv6}
			if s.Fragments(&other) != got {
				t.Fatalf("%v: another answer without ports and protocol", k)
			}
		}
	})
	if yes == 0 || no == 0 {
		t.Errorf("%d times yes, %d times no: not all was seen", yes, no)
	}
}

func mustBuildIn(t *rapid.T, spec Spec) *Snapshot {
	s, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
