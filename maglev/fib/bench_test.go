package fib

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"guideway/maglev"
	"guideway/maglev/flow"
)

// vipAddr is the i-th VIP's address, 203.0.0.0 or 2001:db8:: and on.
func vipAddr(i int, ipv6 bool) netip.Addr {
	if ipv6 {
		b := [16]byte{0x20, 1, 0x0d, 0xb8}
		binary.BigEndian.PutUint32(b[12:], uint32(i))
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)})
}

// vips are n services, each an address, TCP and port 80.
func vips(n int, ipv6 bool) []ServiceSpec {
	services := make([]ServiceSpec, n)
	for i := range services {
		a := vipAddr(i, ipv6)
		services[i] = ServiceSpec{Prefix: netip.PrefixFrom(a, a.BitLen()), Protocol: 6, Ports: []PortRange{one(80)}}
	}
	return services
}

func BenchmarkLookup(b *testing.B) {
	for _, ipv6 := range []bool{false, true} {
		family, subnet, stranger := "IPv4", "203.0.0.0/8", "192.0.2.1:80"
		if ipv6 {
			family, subnet, stranger = "IPv6", "2001:db8::/32", "[2001:db9::1]:80"
		}
		for _, n := range []int{1, 100, 10000} {
			exact := Spec{Services: vips(n, ipv6)}
			ranges := Spec{Services: append(vips(n, ipv6), service(prefix(subnet).Masked().String(), 6, PortRange{1, 1023}))}
			for _, c := range []struct {
				name string
				spec Spec
				key  func(k *flow.Key, vip int) (want int)
			}{
				{"hit", exact, func(_ *flow.Key, vip int) int { return vip }},
				{"port", exact, func(k *flow.Key, _ int) int { k.Ports = 81; return NoService }},
				{"stranger", exact, func(k *flow.Key, vip int) int { *k = *to(6, stranger); k.DstLo += uint64(vip); return NotVIP }},
				{"prefix", ranges, func(k *flow.Key, _ int) int { k.Ports = 443; return n }},
			} {
				b.Run(fmt.Sprintf("%s/%s/%d", family, c.name, n), func(b *testing.B) {
					s := mustBuild(b, c.spec)
					var keys [1024]flow.Key // in no order of the tables'
					var want [1024]int
					for i := range keys {
						vip := i * 7919 % n
						a := vipAddr(vip, ipv6)
						keys[i] = flow.NewKey(6, netip.AddrPortFrom(a, 40000), netip.AddrPortFrom(a, 80))
						want[i] = c.key(&keys[i], vip)
					}
					i := 0
					for b.Loop() {
						if got := s.Lookup(&keys[i%1024]); got != want[i%1024] {
							b.Fatalf("%v: %d, want %d", keys[i%1024], got, want[i%1024])
						}
						i++
					}
				})
			}
		}
	}
}

// Whether a fragment's destination takes fragments: the first length probed
// says so, or all are asked.
func BenchmarkFragments(b *testing.B) {
	for _, lengths := range []int{1, 4} {
		b.Run(fmt.Sprintf("lengths=%d", lengths), func(b *testing.B) {
			services := vips(1000, false)
			for i := 1; i < lengths; i++ {
				services = append(services, service(fmt.Sprintf("203.0.0.0/%d", 8+i), 17, one(uint16(i))))
			}
			s := mustBuild(b, Spec{Services: services})
			var keys [1024]flow.Key
			for i := range keys {
				keys[i] = flow.NewKey(17, netip.AddrPortFrom(addr("198.51.100.7"), 0), netip.AddrPortFrom(vipAddr(i*7919%1000, false), 0))
			}
			i := 0
			for b.Loop() {
				if s.Fragments(&keys[i%1024]) {
					b.Fatal("a service that does not forward fragments")
				}
				i++
			}
		})
	}
}

// From what the connection table remembers to the header, over 10,000 endpoints
// in no order: the header's block is what has to be fetched.
func BenchmarkEndpointToHeader(b *testing.B) {
	const endpoints = 10000
	for _, ways := range []int{1, 8} {
		b.Run(fmt.Sprintf("ways=%d", ways), func(b *testing.B) {
			spec := Spec{Services: vips(1, false), Endpoints: make([]EndpointSpec, endpoints+1)}
			for e := uint32(1); e <= endpoints; e++ {
				spec.Endpoints[e] = EndpointSpec{Value: MakeValue(e, 0), State: Serving, Tunnel: uint32(len(spec.Tunnels)), Ways: uint16(ways)}
				for w := range ways {
					spec.Tunnels = append(spec.Tunnels, TunnelSpec{Src: addr("192.0.2.11"), Dst: netip.AddrFrom4([4]byte{10, 0, byte(e >> 8), byte(e)}), MTU: 1500, Port: uint16(w)})
				}
			}
			s := mustBuild(b, spec)
			var block [TunnelBlock]byte
			hash := uint64(1)
			for b.Loop() {
				hash = hash*0x9e3779b97f4a7c15 + 1
				e, ok := s.Endpoint(MakeValue(uint32(hash>>32)%endpoints+1, 0), 0)
				if !ok {
					b.Fatal("not valid")
				}
				s.Tunnel(e.Way(hash)).Write(&block, 1000, 0, hash)
			}
		})
	}
}

func BenchmarkTunnelWrite(b *testing.B) {
	for _, m := range []mix{{}, {outer6: true}, {vlan: 7}} {
		name := map[mix]string{{}: "IPv4", {outer6: true}: "IPv6", {vlan: 7}: "IPv4VLAN"}[m]
		b.Run(name, func(b *testing.B) {
			t, err := newTunnel(m.spec())
			if err != nil {
				b.Fatal(err)
			}
			packet := inner(b, false, 0xb8, 1000)
			buffer := append(make([]byte, TunnelBlock), packet...)
			for b.Loop() {
				t.Write((*[TunnelBlock]byte)(buffer), uint16(len(packet)), 0xb8, 0x12345)
			}
			if string(buffer[TunnelBlock-int(t.Len):]) != string(m.encap(b, &t, packet, 0xb8)) {
				b.Fatal("another header")
			}
		})
	}
}

// A reload of a large node: 1,000 services with ten endpoints each, whose
// Maglev tables are there already.
func BenchmarkBuild(b *testing.B) {
	spec := Spec{Services: vips(1000, false), Endpoints: make([]EndpointSpec, 10001)}
	for id := range spec.Services {
		v := &spec.Services[id]
		var members []maglev.Member
		for i := range 10 {
			a := netip.AddrFrom4([4]byte{10, byte(id >> 8), byte(id), byte(i + 1)})
			members = append(members, maglev.Member{Addr: a, Weight: 1})
			e := uint32(id*10 + i + 1)
			v.Values = append(v.Values, MakeValue(e, 0))
			spec.Endpoints[e] = EndpointSpec{Value: MakeValue(e, 0), Service: uint16(id), State: Serving, Tunnel: e - 1, Ways: 1}
			spec.Tunnels = append(spec.Tunnels, TunnelSpec{Src: addr("192.0.2.11"), Dst: a, MTU: 1500})
		}
		var err error
		if v.Table, err = maglev.Build(members, 251); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		mustBuild(b, spec)
	}
}
