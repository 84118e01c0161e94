package flow

import (
	"math"
	"math/bits"
	"net/netip"
	"testing"

	"guideway/maglev/packet"

	"pgregory.net/rapid"
)

func key(proto uint8, src, dst string) Key {
	return NewKey(proto, netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst))
}

// The selection hash is part of the contract between nodes: these values may
// never change.
func TestSelectGolden(t *testing.T) {
	v4 := key(6, "198.51.100.7:4711", "203.0.113.10:80")
	v6 := key(17, "[2001:db8::7]:4711", "[2001:db8:cafe::10]:443")
	for _, c := range []struct {
		key  Key
		mode Mode
		want uint64
	}{
		{v4, FiveTuple, 0x77d6f2e938731695},
		{v4, ThreeTuple, 0xdcd2dc37006bcbef},
		{v4, Source, 0xf1ae09ebd95b5eea},
		{v6, FiveTuple, 0xa479f182aa1c578b},
		{v6, ThreeTuple, 0x6f6d4a6df9b2bd9d},
		{v6, Source, 0x6ddeab2deb6221eb},
	} {
		if got := c.key.Select(c.mode); got != c.want {
			t.Errorf("%v mode %d: %#016x, want %#016x", c.key, c.mode, got, c.want)
		}
	}
}

func TestModesLookAtTheirPartsOnly(t *testing.T) {
	a := key(6, "198.51.100.7:4711", "203.0.113.10:80")
	ports, dst, src := a, a, a
	ports.Ports ^= 1 << 16
	dst.DstLo ^= 1
	src.SrcLo ^= 1
	for _, c := range []struct {
		name string
		b    Key
		same [3]bool // by mode
	}{
		{"another port", ports, [3]bool{false, true, true}},
		{"another VIP", dst, [3]bool{false, false, true}},
		{"another client", src, [3]bool{false, false, false}},
	} {
		for m := FiveTuple; m <= Source; m++ {
			if got := a.Select(m) == c.b.Select(m); got != c.same[m] {
				t.Errorf("%s, mode %d: same slot %v, want %v", c.name, m, got, c.same[m])
			}
		}
	}
}

// Each bit of the key flips each bit of the hash about half of the time: what
// makes every part of the hash usable alone.
func TestHashAvalanche(t *testing.T) {
	for _, base := range []Key{key(6, "10.0.0.1:1", "203.0.113.10:80"), key(6, "[2001:db8::1]:1", "[2001:db8::2]:80")} {
		type flip struct {
			name string
			do   func(k *Key, bit uint)
			bits uint
		}
		flips := []flip{
			{"source", func(k *Key, b uint) { k.SrcLo ^= 1 << b }, 32},
			{"destination", func(k *Key, b uint) { k.DstLo ^= 1 << b }, 32},
			{"ports", func(k *Key, b uint) { k.Ports ^= 1 << b }, 32},
			{"protocol", func(k *Key, b uint) { k.Proto ^= 1 << b }, 8},
		}
		if base.IPv6 {
			flips = append(flips,
				flip{"source prefix", func(k *Key, b uint) { k.SrcHi ^= 1 << b }, 64},
				flip{"destination prefix", func(k *Key, b uint) { k.DstHi ^= 1 << b }, 64})
		}
		const rounds = 2000
		for _, f := range flips {
			for bit := range f.bits {
				var counts [64]int
				for i := range uint64(rounds) {
					a := base
					a.SrcLo, a.Ports = a.SrcLo^(i*0x9e37)&0xffff, a.Ports^uint32(i)<<16
					b := a
					f.do(&b, bit)
					for d := a.Hash(&Selection) ^ b.Hash(&Selection); d != 0; d &= d - 1 {
						counts[bits.TrailingZeros64(d)]++
					}
				}
				for out, n := range counts {
					if p := float64(n) / rounds; math.Abs(p-0.5) > 0.075 {
						t.Fatalf("ipv6 %v: %s bit %d flips hash bit %d with frequency %.3f", base.IPv6, f.name, bit, out, p)
					}
				}
			}
		}
	}
}

func TestSeedsAreIndependent(t *testing.T) {
	other := Seed{1, 2, 3}
	k := key(6, "10.0.0.1:1", "203.0.113.10:80")
	var same int
	const n = 1 << 16
	for i := range uint32(n) {
		k.Ports = i << 16
		if k.Hash(&Selection)>>56 == k.Hash(&other)>>56 {
			same++
		}
	}
	if p := float64(same) / n; p > 2.0/256 {
		t.Fatalf("top bytes agree in %.4f of cases, by chance it is %.4f", p, 1.0/256)
	}
}

func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var src, dst netip.Addr
		if rapid.Bool().Draw(t, "ipv6") {
			gen := rapid.Custom(func(t *rapid.T) netip.Addr {
				b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")
				b[0] |= 0x20 // never IPv4-mapped
				a, _ := netip.AddrFromSlice(b)
				return a
			})
			src, dst = gen.Draw(t, "src"), gen.Draw(t, "dst")
		} else {
			gen := rapid.SliceOfN(rapid.Byte(), 4, 4)
			src, _ = netip.AddrFromSlice(gen.Draw(t, "src"))
			dst, _ = netip.AddrFromSlice(gen.Draw(t, "dst"))
		}
		sp, dp := rapid.Uint16().Draw(t, "sport"), rapid.Uint16().Draw(t, "dport")
		k := NewKey(6, netip.AddrPortFrom(src, sp), netip.AddrPortFrom(dst, dp))
		if k.Src() != src || k.Dst() != dst || k.SrcPort() != sp || k.DstPort() != dp {
			t.Fatalf("%v from %v:%d %v:%d", k, src, sp, dst, dp)
		}
	})
}

func TestReadMatchesNewKey(t *testing.T) {
	var frame [128]byte
	src4, dst4 := netip.MustParseAddrPort("198.51.100.7:4711"), netip.MustParseAddrPort("203.0.113.10:80")
	n := packet.PutEthernet(frame[:], [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(frame[n:], 64, packet.ProtoTCP, 0xc6336407, 0xcb00710a)
	packet.SetIPv4(frame[n:], 0, 40, packet.IPv4Rest(frame[n:]))
	copy(frame[n+20:], []byte{0x12, 0x67, 0, 80})
	var h packet.Headers
	if r := packet.Parse(frame[:], 0, &h); r != packet.Whole {
		t.Fatalf("parse: %v", r)
	}
	var k Key
	k.Read(frame[:], &h)
	if want := NewKey(6, src4, dst4); k != want {
		t.Fatalf("read %v, want %v", k, want)
	}
	if got, want := k.String(), "tcp 198.51.100.7:4711 > 203.0.113.10:80"; got != want {
		t.Fatalf("string %q, want %q", got, want)
	}
}

func BenchmarkHash(b *testing.B) {
	for name, k := range map[string]Key{
		"IPv4": key(6, "198.51.100.7:4711", "203.0.113.10:80"),
		"IPv6": key(6, "[2001:db8::7]:4711", "[2001:db8:cafe::10]:443"),
	} {
		b.Run(name, func(b *testing.B) {
			var sum uint64
			for b.Loop() {
				k.Ports++
				sum += k.Hash(&Selection)
			}
			if sum == 0 {
				b.Fatal("the hash is always zero")
			}
		})
	}
}

// FuzzReadCommon: where the short way answers, the long way agrees.
func FuzzReadCommon(f *testing.F) {
	for _, ipv6 := range []bool{false, true} {
		for _, proto := range []uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP} {
			frame := make([]byte, 100)
			if ipv6 {
				packet.PutEthernet(frame, [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv6)
				packet.PutIPv6(frame[14:], 64, proto, [16]byte{0x20, 1}, [16]byte{0x20, 2})
				packet.SetIPv6(frame[14:], 0x2e, 40)
			} else {
				packet.PutEthernet(frame, [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv4)
				packet.PutIPv4(frame[14:], 64, proto, 0x0a000001, 0x0a000002)
				packet.SetIPv4(frame[14:], 0x2e, 60, packet.IPv4Rest(frame[14:]))
			}
			for i := 34; i < 60 && !ipv6; i++ {
				frame[i] = byte(i)
			}
			var k Key
			if _, got := k.ReadCommon(frame, &Selection, new(Common)); got != (proto != packet.ProtoSCTP) {
				f.Fatalf("ipv6 %v, protocol %d: common %v", ipv6, proto, got)
			}
			f.Add(frame)
			f.Add(frame[:60])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var short, long Key
		var h packet.Headers
		var c Common
		hash, ok := short.ReadCommon(frame, &Selection, &c)
		if !ok {
			return
		}
		if r := packet.Parse(frame, 0, &h); r != packet.Whole {
			t.Fatalf("common, but Parse says %d", r)
		}
		long.Read(frame, &h)
		want := Common{Len: h.End - h.L3, TOS: h.TOS, TCPFlags: h.TCPFlags}
		if short != long || c != want || hash != long.Hash(&Selection) || h.L3 != packet.EthernetLen || !h.Ports || h.FirstFragment {
			t.Fatalf("common: %+v %+v\nParse:  %+v %+v %+v", short, c, long, want, h)
		}
	})
}
