package fib

import (
	"net/netip"
	"testing"

	"guideway/maglev/flow"

	"pgregory.net/rapid"
)

func TestLookup(t *testing.T) {
	type answers map[*flow.Key]int
	any16 := PortRange{0, 65535}
	for _, c := range []struct {
		name     string
		services []ServiceSpec // the index is the id
		want     answers
	}{
		{"nothing", nil, answers{to(6, "203.0.113.10:80"): NotVIP, to(6, "[2001:db8::1]:80"): NotVIP}},
		{"an address, a protocol, a port", []ServiceSpec{service("203.0.113.10/32", 6, one(80))}, answers{
			to(6, "203.0.113.10:80"):     0,
			to(6, "203.0.113.10:81"):     NoService,
			to(6, "203.0.113.10:0"):      NoService,
			to(17, "203.0.113.10:80"):    NoService,
			to(6, "203.0.113.11:80"):     NotVIP,
			to(6, "[::cb00:710a]:80"):    NotVIP, // the same low word
			to(6, "[2001:db8::10]:80"):   NotVIP,
			to(6, "203.0.113.10:20480"):  NoService, // 80 with its bytes swapped
			to(6, "10.113.0.203:80"):     NotVIP,
			to(6, "[::ffff:0:0:0:0]:80"): NotVIP,
		}},
		{"an id that is not in use", []ServiceSpec{{}, service("203.0.113.10/32", 6, one(80))}, answers{to(6, "203.0.113.10:80"): 1}},
		{"a range", []ServiceSpec{service("203.0.113.10/32", 6, PortRange{8000, 8010})}, answers{
			to(6, "203.0.113.10:7999"): NoService, to(6, "203.0.113.10:8000"): 0, to(6, "203.0.113.10:8005"): 0,
			to(6, "203.0.113.10:8010"): 0, to(6, "203.0.113.10:8011"): NoService,
		}},
		{"port 65535", []ServiceSpec{service("203.0.113.10/32", 6, one(65535)), service("203.0.113.11/32", 6, PortRange{1, 65535})}, answers{
			to(6, "203.0.113.10:65535"): 0, to(6, "203.0.113.11:65535"): 1, to(6, "203.0.113.11:1"): 1, to(6, "203.0.113.11:0"): NoService,
		}},
		{"all ports of a protocol", []ServiceSpec{service("203.0.113.10/32", 17)}, answers{
			to(17, "203.0.113.10:0"): 0, to(17, "203.0.113.10:65535"): 0, to(6, "203.0.113.10:53"): NoService,
		}},
		{"all ports, written out", []ServiceSpec{service("203.0.113.10/32", 50, any16)}, answers{to(50, "203.0.113.10:0"): 0}},
		{"any protocol", []ServiceSpec{service("203.0.113.10/32", -1)}, answers{
			to(50, "203.0.113.10:0"): 0, to(6, "203.0.113.10:22"): 0, to(0, "203.0.113.10:0"): 0, to(255, "203.0.113.10:0"): 0,
		}},
		{"any protocol, one port", []ServiceSpec{service("203.0.113.10/32", -1, one(53))}, answers{
			to(6, "203.0.113.10:53"): 0, to(17, "203.0.113.10:53"): 0, to(17, "203.0.113.10:54"): NoService, to(50, "203.0.113.10:0"): NoService,
		}},
		{"a named protocol before any, however many its ports", []ServiceSpec{
			service("203.0.113.10/32", -1, one(80)), service("203.0.113.10/32", 6),
		}, answers{to(6, "203.0.113.10:80"): 1, to(17, "203.0.113.10:80"): 0, to(17, "203.0.113.10:81"): NoService}},
		{"the narrower range", []ServiceSpec{
			service("203.0.113.10/32", 6), service("203.0.113.10/32", 6, PortRange{80, 90}), service("203.0.113.10/32", 6, one(85)),
			service("203.0.113.10/32", 6, PortRange{84, 86}),
		}, answers{
			to(6, "203.0.113.10:79"): 0, to(6, "203.0.113.10:80"): 1, to(6, "203.0.113.10:84"): 3, to(6, "203.0.113.10:85"): 2,
			to(6, "203.0.113.10:90"): 1, to(6, "203.0.113.10:91"): 0,
		}},
		{"the longer prefix, however wide its claim", []ServiceSpec{
			service("203.0.113.0/24", 6, one(80)), service("203.0.113.10/32", -1),
		}, answers{to(6, "203.0.113.10:80"): 1, to(6, "203.0.113.11:80"): 0}},
		{"a single port of a prefix", []ServiceSpec{
			service("203.0.113.0/24", 6, one(80)), service("203.0.113.10/32", 6, PortRange{80, 81}), service("203.0.113.0/31", 6, one(80)),
		}, answers{to(6, "203.0.113.10:80"): 1, to(6, "203.0.113.1:80"): 2, to(6, "203.0.113.2:80"): 0}},
		{"what the longer prefix leaves falls to the shorter", []ServiceSpec{
			service("203.0.113.0/24", 6), service("203.0.113.53/32", 17, one(53)), service("203.0.0.0/16", -1),
		}, answers{
			to(17, "203.0.113.53:53"):  1,      // the exact one
			to(6, "203.0.113.53:443"):  0,      // the subnet's, as before the exact one was there
			to(17, "203.0.113.53:54"):  2,      // past both
			to(6, "203.0.114.1:1"):     2,      //
			to(6, "203.1.0.0:1"):       NotVIP, //
			to(50, "203.0.113.53:0"):   2,      //
			to(6, "202.255.255.255:1"): NotVIP, //
		}},
		{"nothing left to fall to", []ServiceSpec{service("203.0.113.0/24", 6, one(443)), service("203.0.113.53/32", 17, one(53))}, answers{
			to(6, "203.0.113.53:80"): NoService, to(6, "203.0.113.53:443"): 0,
		}},
		{"everything, and one address", []ServiceSpec{service("0.0.0.0/0", -1), service("::/0", 6), service("255.255.255.255/32", 6, one(80))}, answers{
			to(50, "0.0.0.0:0"): 0, to(6, "255.255.255.255:80"): 2, to(6, "255.255.255.255:81"): 0,
			to(6, "[::]:1"): 1, to(6, "[ffff::]:1"): 1, to(17, "[ffff::]:1"): NoService,
		}},
		{"halves of an IPv6 address", []ServiceSpec{
			service("2001:db8::/64", 6), service("2001:db8::/63", 6), service("2001:db8::/65", 6), service("2001:db8::1/128", 6, one(80)), service("8000::/1", 6),
		}, answers{
			to(6, "[2001:db8::8000:0:0:0]:80"): 0, to(6, "[2001:db8:0:1::]:80"): 1, to(6, "[2001:db8::2]:80"): 2, to(6, "[2001:db8::1]:80"): 3,
			to(6, "[2001:db8::1]:81"): 2, to(6, "[2001:db8:0:2::]:80"): NotVIP, to(6, "[8000::]:80"): 4, to(6, "[7fff::]:80"): NotVIP,
		}},
	} {
		s := mustBuild(t, Spec{Services: c.services})
		for k, want := range c.want {
			if got := s.Lookup(k); got != want {
				t.Errorf("%s: %v: %d, want %d", c.name, k, got, want)
			}
			if got := s.Serves(k); got != (want != NotVIP) {
				t.Errorf("%s: %v: serves %v", c.name, k, got)
			}
		}
	}
}

// A VIP shares a half of its address, its port or its protocol with many
// strangers, some of which meet it in its slot of the tables.
func TestStrangersInTheSameSlot(t *testing.T) {
	s := mustBuild(t, Spec{Services: []ServiceSpec{service("2001:db8::10/128", 6, one(80)), service("203.0.113.10/32", 6, one(80))}})
	for i := range uint64(1000) {
		for _, vip := range []string{"[2001:db8::10]:80", "203.0.113.10:80"} {
			for name, change := range map[string]func(k *flow.Key){
				"first half": func(k *flow.Key) { k.DstHi += i },
				"last half":  func(k *flow.Key) { k.DstLo += i },
				"port":       func(k *flow.Key) { k.Ports += uint32(i) },
				"protocol":   func(k *flow.Key) { k.Proto += uint8(i) },
				"source":     func(k *flow.Key) { k.SrcLo += i; k.SrcHi += i; k.Ports += uint32(i) << 16 },
			} {
				if name == "first half" && vip[0] != '[' {
					continue
				}
				k := to(6, vip)
				same := *k
				change(k)
				mine := k.DstHi == same.DstHi && k.DstLo == same.DstLo && k.DstPort() == 80 && k.Proto == 6
				if got := s.Lookup(k); (got >= 0) != mine {
					t.Fatalf("another %s: %v: %d", name, k, got)
				}
			}
		}
	}
}

// The plain model: a slice of services, looked at one by one.

type claim struct {
	prefix netip.Prefix
	proto  int // -1 for any
	ports  PortRange
}

func claimsOf(v ServiceSpec) (claims []claim) {
	proto := int(v.Protocol)
	if v.AnyProtocol {
		proto = -1
	}
	if len(v.Ports) == 0 {
		return []claim{{v.Prefix, proto, PortRange{0, 65535}}}
	}
	for _, p := range v.Ports {
		claims = append(claims, claim{v.Prefix, proto, p})
	}
	return claims
}

func (c claim) holds(k *flow.Key) bool {
	return c.prefix.Contains(k.Dst()) && (c.proto < 0 || c.proto == int(k.Proto)) && c.ports.Low <= k.DstPort() && k.DstPort() <= c.ports.High
}

// before tells whether c goes before d where both hold.
func (c claim) before(d claim) bool {
	if c.prefix.Bits() != d.prefix.Bits() {
		return c.prefix.Bits() > d.prefix.Bits()
	}
	if (c.proto < 0) != (d.proto < 0) {
		return d.proto < 0
	}
	return c.ports.High-c.ports.Low < d.ports.High-d.ports.Low
}

// clash tells whether c and d share destinations and neither is within the other.
func (c claim) clash(d claim) bool {
	if c.prefix != d.prefix || c.proto != d.proto || c.ports.High < d.ports.Low || d.ports.High < c.ports.Low {
		return false
	}
	within := func(a, b PortRange) bool { return b.Low <= a.Low && a.High <= b.High && a != b }
	return !within(c.ports, d.ports) && !within(d.ports, c.ports)
}

func plainLookup(services []ServiceSpec, k *flow.Key) int {
	result := NotVIP
	var best claim
	for id, v := range services {
		for _, c := range claimsOf(v) {
			if result == NotVIP && c.prefix.Contains(k.Dst()) {
				result = NoService
			}
			if c.holds(k) && (result < 0 || c.before(best)) {
				result, best = id, c
			}
		}
	}
	return result
}

func plainClash(services []ServiceSpec) bool {
	var all []claim
	for _, v := range services {
		for _, c := range claimsOf(v) {
			for _, d := range all {
				if c.clash(d) {
					return true
				}
			}
			all = append(all, c)
		}
	}
	return false
}

// A few addresses, ports and protocols, so that services meet.
var (
	drawAddr = rapid.Custom(func(t *rapid.T) netip.Addr {
		a := rapid.SampledFrom([]netip.Addr{addr("203.0.113.10"), addr("203.0.113.11"), addr("0.0.0.0"), addr("255.255.255.255"),
			addr("::cb00:710a"), addr("2001:db8::10"), addr("2001:db8:0:1::"), addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), addr("::")}).Draw(t, "address")
		if rapid.Bool().Draw(t, "near") { // one bit off
			b := a.AsSlice()
			bit := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
			b[bit/8] ^= 0x80 >> (bit % 8)
			a, _ = netip.AddrFromSlice(b)
		}
		return a
	})
	drawPort  = rapid.SampledFrom([]uint16{1, 79, 80, 81, 443, 1000, 65534, 65535})
	drawProto = rapid.SampledFrom([]int{-1, 6, 6, 17, 50})

	drawService = rapid.Custom(func(t *rapid.T) ServiceSpec {
		a := drawAddr.Draw(t, "vip")
		bits := a.BitLen()
		if rapid.Bool().Draw(t, "prefix") {
			bits = rapid.IntRange(0, bits).Draw(t, "length")
		}
		p, _ := a.Prefix(bits)
		s := service(p.String(), drawProto.Draw(t, "protocol"))
		for range rapid.IntRange(0, 3).Draw(t, "ranges") {
			low, high := drawPort.Draw(t, "low"), drawPort.Draw(t, "high")
			if rapid.Bool().Draw(t, "single") {
				high = low
			}
			s.Ports = append(s.Ports, PortRange{min(low, high), max(low, high)})
		}
		return s
	})

	drawKey = rapid.Custom(func(t *rapid.T) *flow.Key {
		dst := drawAddr.Draw(t, "destination")
		port := rapid.OneOf(drawPort, rapid.Uint16()).Draw(t, "port")
		proto := rapid.SampledFrom([]uint8{6, 17, 50}).Draw(t, "protocol")
		if proto == 50 {
			port = 0
		}
		k := flow.NewKey(proto, netip.AddrPortFrom(dst, 40000), netip.AddrPortFrom(dst, port))
		return &k
	})
)

func TestLookupLikeThePlainModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		services := rapid.SliceOfN(drawService, 0, 12).Draw(t, "services")
		s, err := Build(Spec{Services: services})
		if clash := plainClash(services); clash != (err != nil) {
			t.Fatalf("%v, and a clash is %v", err, clash)
		}
		if err != nil { // keep those that go together
			var kept []ServiceSpec
			for _, v := range services {
				if more := append(kept[:len(kept):len(kept)], v); !plainClash(more) {
					kept = more
				}
			}
			services = kept
			if s, err = Build(Spec{Services: services}); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range rapid.SliceOfN(drawKey, 20, 60).Draw(t, "keys") {
			want := plainLookup(services, k)
			if got := s.Lookup(k); got != want {
				t.Fatalf("%v: %d, want %d", k, got, want)
			}
			if got := s.Serves(k); got != (want != NotVIP) {
				t.Fatalf("%v: serves %v, looked up %d", k, got, want)
			}
		}
	})
}

// The order of services does not matter but for their ids.
func TestLookupIsOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		services := rapid.SliceOfN(drawService, 1, 8).Draw(t, "services")
		order := rapid.Permutation(ids(len(services))).Draw(t, "order")
		shuffled := make([]ServiceSpec, len(services))
		for i, id := range order {
			shuffled[i] = services[id]
		}
		a, errA := Build(Spec{Services: services})
		b, errB := Build(Spec{Services: shuffled})
		if (errA == nil) != (errB == nil) {
			t.Fatalf("one order: %v, another: %v", errA, errB)
		}
		if errA != nil {
			return
		}
		for _, k := range rapid.SliceOfN(drawKey, 20, 20).Draw(t, "keys") {
			x, y := a.Lookup(k), b.Lookup(k)
			if y >= 0 {
				y = order[y]
			}
			if x != y {
				t.Fatalf("%v: %d and %d", k, x, y)
			}
		}
	})
}

func ids(n int) (ids []int) {
	for i := range n {
		ids = append(ids, i)
	}
	return ids
}

// VIPs come in rows and on the same few ports; that must not make them meet in
// the tables, where a probe is a cache line.
func TestProbesAreFew(t *testing.T) {
	for _, c := range []struct {
		name string
		vip  func(i int) netip.Addr
	}{
		{"IPv4 in a row", func(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}) }},
		{"IPv4, one of each /24", func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}) }},
		{"IPv6 in a row", func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)})
		}},
		{"IPv6, one of each /64", func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 6: byte(i >> 8), 7: byte(i), 15: 1})
		}},
	} {
		var spec Spec
		const n = 5000
		for i := range n {
			a := c.vip(i)
			spec.Services = append(spec.Services, ServiceSpec{Prefix: netip.PrefixFrom(a, a.BitLen()), Protocol: 6, Ports: []PortRange{one(80), one(443)}})
		}
		s := mustBuild(t, spec)
		exact, prefixes, longest := 0, 0, 0
		for i := range n {
			hi, lo, ipv6 := flow.Words(c.vip(i))
			for _, port := range []uint16{80, 443} {
				tag := exactTag(port, 6, ipv6)
				probes, mask := 1, uint64(len(s.exact.entries)-1)
				for at := s.exact.slot(hi, lo, tag); s.exact.entries[at&mask].tag != tag || s.exact.entries[at&mask].lo != lo || s.exact.entries[at&mask].hi != hi; at++ {
					probes++
				}
				exact += probes
				longest = max(longest, probes)
			}
			probes, mask := 1, uint64(len(s.prefixes.entries)-1)
			for at := s.prefixes.slot(hi, lo, uint8(c.vip(i).BitLen())); s.prefixes.entries[at&mask].lo != lo || s.prefixes.entries[at&mask].hi != hi; at++ {
				probes++
			}
			prefixes += probes
			longest = max(longest, probes)
		}
		// At a quarter full, linear probing of a random hash needs 1.17.
		t.Logf("%s: %.3f probes in the exact table, %.3f in the prefix table, at most %d", c.name, float64(exact)/(2*n), float64(prefixes)/n, longest)
		if exact > 2*n*120/100 || prefixes > n*120/100 || longest > 16 {
			t.Errorf("%s: %d probes for %d exact keys, %d for %d prefixes, at most %d", c.name, exact, 2*n, prefixes, n, longest)
		}
	}
}
