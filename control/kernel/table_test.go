package kernel

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// lan is a View of two followed interfaces, wan (1) and rack (2), with these
// routes; interface 9 is not followed.
func lan(routes ...Route) *View {
	return &View{
		links: map[int]*Link{
			1: {Index: 1, Name: "wan", Up: true, Carrier: true},
			2: {Index: 2, Name: "rack", Up: true, Carrier: true},
		},
		table: newTable(routes),
		neighbours: map[target]neighbour{
			{1, ip("192.0.2.1")}: {mac: [6]byte{2, 0, 0, 0, 0, 1}, state: Reachable},
			{2, ip("192.0.2.1")}: {mac: [6]byte{2, 0, 0, 0, 0, 2}, state: Stale},
			{1, ip("fe80::1")}:   {mac: [6]byte{2, 0, 0, 0, 0, 3}, state: Stale},
			{1, ip("192.0.2.3")}: {state: Failed},
		},
	}
}

func via(prefix string, metric uint32, hops ...Hop) Route {
	return Route{Prefix: cidr(prefix), Metric: metric, Hops: hops}
}

func hop(index int, gateway string) Hop { return Hop{Index: index, Gateway: ip(gateway), Weight: 1} }

func TestNextHops(t *testing.T) {
	gw1 := NextHop{Interface: "wan", Index: 1, Addr: ip("192.0.2.1"), Weight: 1, State: Reachable, MAC: [6]byte{2, 0, 0, 0, 0, 1}}
	gw2 := NextHop{Interface: "rack", Index: 2, Addr: ip("192.0.2.1"), Weight: 3, State: Stale, MAC: [6]byte{2, 0, 0, 0, 0, 2}}
	dead := Hop{Index: 1, Gateway: ip("192.0.2.9"), Weight: 1, Dead: true}
	v := lan(
		via("0.0.0.0/0", 100, hop(1, "192.0.2.1")),
		via("10.0.0.0/8", 0, Hop{Index: 2, Gateway: ip("192.0.2.1"), Weight: 3}, hop(1, "192.0.2.1"), dead),
		via("10.1.0.0/16", 20, hop(1, "192.0.2.2")),
		via("10.1.0.0/16", 10, dead),
		via("10.2.0.0/16", 0, dead),
		via("10.3.0.0/16", 0, hop(9, "198.51.100.1")),
		via("10.4.0.0/16", 0, hop(9, "198.51.100.1"), hop(1, "192.0.2.1")),
		Route{Prefix: cidr("10.5.0.0/16"), Kind: Blackhole},
		via("10.5.5.0/24", 0, hop(1, "192.0.2.1")),
		via("10.6.0.0/16", 0, hop(1, "fe80::1")),
		via("192.0.2.0/24", 0, Hop{Index: 1, Weight: 1}),
		via("::/0", 1024, hop(1, "fe80::1")),
		via("::/0", 1024, hop(1, "fe80::2"), hop(1, "fe80::1")),
		via("::/0", 2048, hop(1, "fe80::9")),
	)
	ll1 := NextHop{Interface: "wan", Index: 1, Addr: ip("fe80::1"), Weight: 1, State: Stale, MAC: [6]byte{2, 0, 0, 0, 0, 3}}
	ll2 := NextHop{Interface: "wan", Index: 1, Addr: ip("fe80::2"), Weight: 1}
	onLink := ll1
	onLink.OnLink = true
	for _, c := range []struct {
		dst  string
		want []NextHop
		says string
	}{
		{"203.0.113.1", []NextHop{gw1}, "default route"},
		{"::ffff:203.0.113.1", []NextHop{gw1}, "4-in-6"},
		{"10.200.0.1", []NextHop{gw1, gw2}, "multipath, less its dead hop"},
		{"10.1.0.1", []NextHop{{Interface: "wan", Index: 1, Addr: ip("192.0.2.2"), Weight: 1}}, "lowest metric that lives"},
		{"10.2.0.1", []NextHop{gw1, gw2}, "a dead route is passed over"},
		{"10.3.0.1", nil, "interface not followed"},
		{"10.4.0.1", []NextHop{gw1}, "one of two interfaces followed"},
		{"10.5.0.1", nil, "blackhole"},
		{"10.5.5.1", []NextHop{gw1}, "inside a blackhole"},
		{"10.6.0.1", []NextHop{ll1}, "IPv4 by an IPv6 gateway"},
		{"192.0.2.3", []NextHop{{Interface: "wan", Index: 1, Addr: ip("192.0.2.3"), OnLink: true, Weight: 1, State: Failed}}, "on the link"},
		{"2001:db8::1", []NextHop{ll1, ll2}, "two routers' default routes"},
		{"fe80::1%wan", []NextHop{onLink}, "zone"},
		{"fe80::1%eth9", nil, "zone of another interface"},
	} {
		if diff := gocmp.Diff(c.want, v.NextHops(ip(c.dst)), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (%s): -want +got\n%s", c.dst, c.says, diff)
		}
	}
	if v.NextHops(netip.Addr{}) != nil || lan().NextHops(ip("10.0.0.1")) != nil || lan().NextHops(ip("::1")) != nil {
		t.Error("next hops from nothing")
	}
	v.links[1].Carrier = false
	if got := v.NextHops(ip("10.200.0.1")); len(got) != 1 || got[0] != gw2 {
		t.Errorf("without carrier on wan: %v", got)
	}
	if r, got := v.Lookup(ip("203.0.113.1")); r.Prefix.IsValid() || got != nil {
		t.Errorf("without carrier on the only way: %v %v", r, got)
	}
}

// linear is the plain way: look at every route.
func linear(routes []Route, dst netip.Addr) []Route {
	var all []Route
	for _, r := range routes {
		if r.Prefix.Contains(dst) {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b Route) int {
		return cmp.Or(b.Prefix.Bits()-a.Prefix.Bits(), cmp.Compare(a.Metric, b.Metric))
	})
	return all
}

// TestTableAgainstLinear compares all matches, in order, on few addresses that
// make prefixes nest and touch.
func TestTableAgainstLinear(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		if rapid.Bool().Draw(t, "v4") {
			b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 128, 255}), 4, 4).Draw(t, "bytes")
			return netip.AddrFrom4([4]byte(b))
		}
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 128, 255}), 16, 16).Draw(t, "bytes")
		return netip.AddrFrom16([16]byte(b))
	})
	rapid.Check(t, func(t *rapid.T) {
		type key struct {
			netip.Prefix
			metric uint32
		}
		seen := map[key]bool{}
		var routes []Route
		for i := range rapid.IntRange(0, 60).Draw(t, "routes") {
			var a netip.Addr
			if len(routes) > 0 && rapid.Bool().Draw(t, "near") { // an address of another route, cut elsewhere
				a = rapid.SampledFrom(routes).Draw(t, "other").Prefix.Addr()
			} else {
				a = addr.Draw(t, "addr")
			}
			p := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
			k := key{p, rapid.Uint32Range(0, 3).Draw(t, "metric")}
			if p.Addr().Is4In6() || seen[k] {
				continue
			}
			seen[k] = true
			routes = append(routes, Route{Prefix: p, Metric: k.metric, Hops: []Hop{{Index: i, Weight: 1}}})
		}
		table := newTable(slices.Clone(routes))
		for range 20 {
			dst := addr.Draw(t, "dst")
			if len(routes) > 0 && rapid.Bool().Draw(t, "inside") {
				dst = rapid.SampledFrom(routes).Draw(t, "of").Prefix.Addr()
			}
			var got []Route
			for r := range table.match(dst) {
				got = append(got, *r)
			}
			if want := linear(routes, dst); !slices.EqualFunc(got, want, equalRoutes) {
				t.Fatalf("%v matches\n%v\nwant\n%v", dst, got, want)
			}
		}
	})
}

// bulk makes n routes of the lengths that a rack's routers announce, by eight
// gateways.
func bulk(n int) []Route {
	rng := rand.New(rand.NewPCG(1, 2))
	routes := []Route{via("0.0.0.0/0", 0, hop(1, "192.0.2.1"))}
	for len(routes) < n {
		a := netip.AddrFrom4([4]byte{10, byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())})
		p, _ := a.Prefix([]int{16, 20, 24, 24, 24, 28, 32, 32}[rng.IntN(8)])
		routes = append(routes, Route{Prefix: p, Hops: []Hop{hop(1, fmt.Sprintf("192.0.2.%d", 1+rng.IntN(8)))}})
	}
	return routes
}

func BenchmarkNewTable(b *testing.B) {
	routes := bulk(10000)
	b.ReportAllocs()
	for b.Loop() {
		newTable(slices.Clone(routes))
	}
}

// BenchmarkNextHops looks up 10,000 destinations among 10,000 routes.
func BenchmarkNextHops(b *testing.B) {
	v := lan(bulk(10000)...)
	rng := rand.New(rand.NewPCG(3, 4))
	dsts := make([]netip.Addr, 10000)
	for i := range dsts {
		dsts[i] = netip.AddrFrom4([4]byte{10, byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())})
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, dst := range dsts {
			if len(v.NextHops(dst)) != 1 {
				b.Fatal(dst)
			}
		}
	}
}
