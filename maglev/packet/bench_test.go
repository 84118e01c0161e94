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

func BenchmarkFragmentIPv4(b *testing.B) {
	for _, c := range []struct {
		name    string
		options []byte
	}{{"Plain", nil}, {"Options", []byte{0x94, 4, 0, 0, 7, 3, 4, 0}}} {
		b.Run(c.name, func(b *testing.B) {
			ip := ip4(17, 0, c.options, zeros(1480-len(c.options)))
			header := cat(ip[:20+len(c.options)])
			piece, n := make([]byte, 1500), 0
			for b.Loop() {
				copy(ip, header)
				plan, _ := FragmentIPv4(ip, 1476)
				for i := 1; i < plan.N; i++ {
					plan.Put(piece, ip, i)
				}
				n += plan.First(ip)
			}
			if n != b.N*(20+1456) { // with options: eight bytes more of header, eight less of data
				b.Fatalf("%d bytes in %d first pieces", n, b.N)
			}
		})
	}
}

func BenchmarkClampMSS(b *testing.B) {
	options := []byte{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7} // as Linux sends them
	for _, c := range []struct {
		name  string
		flags int
		mss   uint16
		want  bool
	}{{"Lowered", 0x02, 1388, true}, {"LowEnough", 0x02, 1460, false}, {"NoSYN", 0x10, 1388, false}} {
		b.Run(c.name, func(b *testing.B) {
			frame := segment(false, c.flags, options, nil)
			var h Headers
			Parse(frame, 0, &h)
			for b.Loop() {
				frame[56], frame[57] = 0x05, 0xb4
				if ClampMSS(frame, &h, c.mss) != c.want {
					b.Fatal("lowered, or not")
				}
			}
		})
	}
}
