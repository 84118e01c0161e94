package packet

import (
	"bytes"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// dirty is a buffer in which every byte that is not written shows.
func dirty(n int) []byte { return bytes.Repeat([]byte{0xff}, n) }

// decode decodes b in gopacket, as a chain of exactly the given layers.
func decode(t *testing.T, b []byte, first gopacket.LayerType, chain ...gopacket.LayerType) gopacket.Packet {
	t.Helper()
	p := gopacket.NewPacket(b, first, gopacket.Default)
	var got []gopacket.LayerType
	for _, l := range p.Layers() {
		got = append(got, l.LayerType())
	}
	if len(got) < len(chain) {
		t.Fatalf("% x decodes as %v, want %v", b, got, chain)
	}
	for i, l := range chain {
		if got[i] != l {
			t.Fatalf("% x decodes as %v, want %v", b, got, chain)
		}
	}
	return p
}

func TestPutEthernet(t *testing.T) {
	dst, src := [6]byte{2, 1, 2, 3, 4, 5}, [6]byte{2, 6, 7, 8, 9, 10}
	for _, id := range []uint16{0, 1, 7, 4094} {
		b := dirty(EthernetLen + VLANLen + 46)
		n := PutEthernet(b, dst, src, id, EtherTypeARP)
		chain := []gopacket.LayerType{layers.LayerTypeEthernet}
		if id != 0 {
			chain = append(chain, layers.LayerTypeDot1Q)
		}
		if want := EthernetLen + VLANLen*(len(chain)-1); n != want {
			t.Errorf("VLAN %d: %d bytes, want %d", id, n, want)
		}
		p := decode(t, b, layers.LayerTypeEthernet, chain...)
		e := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
		if !bytes.Equal(e.DstMAC, dst[:]) || !bytes.Equal(e.SrcMAC, src[:]) {
			t.Errorf("VLAN %d: from %v to %v", id, e.SrcMAC, e.DstMAC)
		}
		etherType := e.EthernetType
		if id != 0 {
			q := p.Layer(layers.LayerTypeDot1Q).(*layers.Dot1Q)
			etherType = q.Type
			if q.VLANIdentifier != id || q.Priority != 0 || q.DropEligible {
				t.Errorf("VLAN %d: tag %+v", id, q)
			}
		}
		if etherType != layers.EthernetTypeARP {
			t.Errorf("VLAN %d: type %v", id, etherType)
		}
		if !bytes.Equal(b[n:], dirty(len(b)-n)) {
			t.Errorf("VLAN %d: wrote behind the header: % x", id, b[n:])
		}
	}
}

func TestPutEthernetMasksTheVLAN(t *testing.T) {
	b := dirty(EthernetLen + VLANLen)
	PutEthernet(b, [6]byte{2}, [6]byte{4}, 0xf007, EtherTypeIPv4)
	if got := be16(b[14:]); got != 7 {
		t.Errorf("tag %#04x, want 0x0007", got)
	}
}

func TestPutIPv4(t *testing.T) {
	b := dirty(IPv4Len + 1)
	PutIPv4(b, 64, ProtoGRE, 0xc0000201, 0x0a0000fe)
	if got := plainSum(b[:IPv4Len]); got != 0xffff {
		t.Errorf("the header sums up to %#04x", got)
	}
	if b[IPv4Len] != 0xff {
		t.Error("wrote behind the header")
	}
	ip := decode(t, b[:IPv4Len], layers.LayerTypeIPv4, layers.LayerTypeIPv4).NetworkLayer().(*layers.IPv4)
	if ip.Version != 4 || ip.IHL != 5 || ip.TOS != 0 || ip.Length != 20 || ip.Id != 0 || ip.Flags != layers.IPv4DontFragment || ip.FragOffset != 0 ||
		ip.TTL != 64 || ip.Protocol != layers.IPProtocolGRE || !ip.SrcIP.Equal(net.IPv4(192, 0, 2, 1)) || !ip.DstIP.Equal(net.IPv4(10, 0, 0, 254)) {
		t.Errorf("%+v", ip)
	}
}

// The patched header is the one that would have been written and summed up
// anew, whatever was patched into it before.
func TestSetIPv4(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b [IPv4Len]byte
		src, dst := rapid.Uint32().Draw(t, "src"), rapid.Uint32().Draw(t, "dst")
		PutIPv4(b[:], rapid.Uint8().Draw(t, "ttl"), rapid.Uint8().Draw(t, "protocol"), src, dst)
		rest := IPv4Rest(b[:])
		for range 3 {
			want := b
			tos, total := rapid.Uint8().Draw(t, "tos"), rapid.Uint16().Draw(t, "total")
			SetIPv4(b[:], tos, total, rest)
			want[1] = tos
			copy(want[2:], word(int(total)))
			want[10], want[11] = 0, 0
			copy(want[10:], word(int(^plainSum(want[:]))))
			if b != want {
				t.Fatalf("TOS %#02x, %d bytes:\n got % x\nwant % x", tos, total, b, want)
			}
			if IPv4Rest(b[:]) != rest {
				t.Fatalf("the rest changed with TOS %#02x and %d bytes", tos, total)
			}
		}
	})
}

// All values of the patched fields, for one header.
func TestSetIPv4Exhaustively(t *testing.T) {
	var b [IPv4Len]byte
	PutIPv4(b[:], 64, ProtoGRE, 0xc0000201, 0x0a0000fe)
	rest := IPv4Rest(b[:])
	for tos := range 256 {
		for total := range 1 << 16 {
			SetIPv4(b[:], uint8(tos), uint16(total), rest)
			if plainSum(b[:]) != 0xffff || int(b[1]) != tos || int(be16(b[2:])) != total {
				t.Fatalf("TOS %#02x, %d bytes: % x", tos, total, b)
			}
		}
	}
}

func TestPutIPv6(t *testing.T) {
	b := dirty(IPv6Len + 1)
	src, dst := [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}, [16]byte{0xfd, 15: 2}
	PutIPv6(b, 64, ProtoGRE, src, dst)
	for _, c := range []struct {
		class   uint8
		payload uint16
	}{{0, 0}, {0xff, 0xffff}, {0xb9, 1504}, {0x0f, 1}, {0xf0, 0x100}, {0, 0}} {
		SetIPv6(b, c.class, c.payload)
		ip := decode(t, cat(b[:IPv6Len], zeros(int(c.payload))), layers.LayerTypeIPv6, layers.LayerTypeIPv6).NetworkLayer().(*layers.IPv6)
		if ip.Version != 6 || ip.TrafficClass != c.class || ip.FlowLabel != 0 || ip.Length != c.payload || ip.NextHeader != layers.IPProtocolGRE ||
			ip.HopLimit != 64 || !bytes.Equal(ip.SrcIP, src[:]) || !bytes.Equal(ip.DstIP, dst[:]) {
			t.Errorf("class %#02x, %d bytes: %+v", c.class, c.payload, ip)
		}
	}
	if b[IPv6Len] != 0xff {
		t.Error("wrote behind the header")
	}
}

func TestPutGRE(t *testing.T) {
	for _, inner := range []struct {
		etherType uint16
		packet    []byte
		layer     gopacket.LayerType
	}{
		{EtherTypeIPv4, ip4(17, 0, nil, udp(4)), layers.LayerTypeIPv4},
		{EtherTypeIPv6, ip6(17, udp(4)), layers.LayerTypeIPv6},
	} {
		b := append(dirty(GRELen), inner.packet...)
		PutGRE(b, inner.etherType)
		g := decode(t, b, layers.LayerTypeGRE, layers.LayerTypeGRE, inner.layer, layers.LayerTypeUDP).Layer(layers.LayerTypeGRE).(*layers.GRE)
		if g.ChecksumPresent || g.RoutingPresent || g.KeyPresent || g.SeqPresent || g.StrictSourceRoute || g.AckPresent ||
			g.RecursionControl != 0 || g.Flags != 0 || g.Version != 0 || uint16(g.Protocol) != inner.etherType || len(g.Contents) != GRELen {
			t.Errorf("%+v", g)
		}
		if !bytes.Equal(b[GRELen:], inner.packet) {
			t.Error("wrote behind the header")
		}
	}
}

// What the package writes, it reads.
func TestParseReadsWhatIsWritten(t *testing.T) {
	for _, id := range []uint16{0, 7} {
		b := dirty(128)
		n := PutEthernet(b, [6]byte{2}, [6]byte{4}, id, EtherTypeIPv4)
		PutIPv4(b[n:], 64, ProtoGRE, 1, 2)
		SetIPv4(b[n:], 0xb8, 64, IPv4Rest(b[n:]))
		var h Headers
		if got := Parse(b, id, &h); got != Whole || h != (Headers{L3: uint16(n), L4: uint16(n + 20), End: uint16(n + 64), Proto: ProtoGRE, TOS: 0xb8}) {
			t.Errorf("IPv4, VLAN %d: %s, %+v", id, name(got), h)
		}
		n = PutEthernet(b, [6]byte{2}, [6]byte{4}, id, EtherTypeIPv6)
		PutIPv6(b[n:], 64, ProtoGRE, [16]byte{1}, [16]byte{2})
		SetIPv6(b[n:], 0xb8, 24)
		if got := Parse(b, id, &h); got != Whole || h != (Headers{L3: uint16(n), L4: uint16(n + 40), End: uint16(n + 64), Proto: ProtoGRE, TOS: 0xb8, IPv6: true}) {
			t.Errorf("IPv6, VLAN %d: %s, %+v", id, name(got), h)
		}
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	b, sum := dirty(64), uint16(0)
	if n := testing.AllocsPerRun(100, func() {
		PutIPv4(b, 64, ProtoGRE, 1, 2)
		SetIPv4(b, 1, 2, IPv4Rest(b))
		PutIPv6(b, 64, ProtoGRE, [16]byte{1}, [16]byte{2})
		SetIPv6(b, 1, 2)
		PutGRE(b, EtherTypeIPv6)
		PutEthernet(b, [6]byte{2}, [6]byte{4}, 7, EtherTypeIPv4)
		sum = Fold(Sum(b))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if sum != plainSum(b) {
		t.Errorf("sum %#04x, want %#04x", sum, plainSum(b))
	}
}
