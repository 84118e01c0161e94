package packet

import "testing"

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct {
		name  string
		vlan  uint16
		frame []byte
	}{
		{"IPv4TCP", 0, eth(0x0800, ip4(6, 0x4000, nil, tcp(0x10)), zeros(6))},
		{"IPv6TCP", 0, eth(0x86dd, ip6(6, tcp(0x10)))},
		{"IPv4Options", 0, eth(0x0800, ip4(6, 0x4000, zeros(12), tcp(0x10)))},
		{"IPv6Extensions", 0, eth(0x86dd, ip6(0, ext(60, 0), ext(6, 0), tcp(0x10)))},
		{"VLAN", 7, vlan(7, 0x0800, ip4(6, 0x4000, nil, tcp(0x10)), zeros(6))},
	} {
		b.Run(c.name, func(b *testing.B) {
			var h Headers
			whole := 0
			for b.Loop() {
				if Parse(c.frame, c.vlan, &h) == Whole {
					whole++
				}
			}
			if whole != b.N {
				b.Fatalf("%d of %d parsed", whole, b.N)
			}
		})
	}
}

func BenchmarkSum(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
	}{{"20", 20}, {"1500", 1500}} {
		b.Run(c.name, func(b *testing.B) {
			p := make([]byte, c.n)
			for i := range p {
				p[i] = byte(i)
			}
			b.SetBytes(int64(c.n))
			var sum uint64
			for b.Loop() {
				sum += Sum(p)
			}
			if sum == 0 {
				b.Fatal("the sum is zero")
			}
		})
	}
}

func BenchmarkSetIPv4(b *testing.B) {
	var h [IPv4Len]byte
	PutIPv4(h[:], 64, ProtoGRE, 0xc0000201, 0x0a000001)
	rest := IPv4Rest(h[:])
	n := uint16(0)
	for b.Loop() {
		n++
		SetIPv4(h[:], 0xb8, n, rest)
	}
	if plainSum(h[:]) != 0xffff {
		b.Fatal("a wrong checksum")
	}
}

func BenchmarkPutICMPError(b *testing.B) {
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"IPv4", eth(0x0800, ip4(17, 0x4000, nil, udp(1472)))},
		{"IPv6", eth(0x86dd, ip6(17, udp(1452)))},
	} {
		b.Run(c.name, func(b *testing.B) {
			var h Headers
			Parse(c.frame, 0, &h)
			at, n := ICMPErrorBounds(&h)
			buffer := cat(zeros(-at), c.frame)
			may := MayAnswer(c.frame, &h)
			e := ICMPErrorSpec{Reason: TooBig, MTU: 1476}
			for b.Loop() {
				// Only what Put turned round itself is read again.
				may = PutICMPError(buffer[:n], &h, e) && may
			}
			if !may {
				b.Fatal("no error")
			}
		})
	}
}

func BenchmarkMayAnswer(b *testing.B) {
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"IPv4", eth(0x0800, ip4(17, 0x4000, nil, udp(1472)))},
		{"IPv6", eth(0x86dd, ip6(17, udp(1452)))},
	} {
		b.Run(c.name, func(b *testing.B) {
			var h Headers
			Parse(c.frame, 0, &h)
			may := true
			for b.Loop() {
				may = MayAnswer(c.frame, &h) && may
			}
			if !may {
				b.Fatal("not to be answered")
			}
		})
	}
}
