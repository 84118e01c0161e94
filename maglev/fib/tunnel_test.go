package fib

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// inner is a UDP packet of n bytes, n >= 48, of either family.
func inner(t testing.TB, ipv6 bool, tos uint8, n int) []byte {
	t.Helper()
	udp := &layers.UDP{SrcPort: 40000, DstPort: 4000}
	var ip interface {
		gopacket.NetworkLayer
		gopacket.SerializableLayer
	} = &layers.IPv4{Version: 4, TTL: 3, TOS: tos, Id: 0x1234, Protocol: layers.IPProtocolUDP, SrcIP: addr("198.51.100.7").AsSlice(), DstIP: addr("203.0.113.10").AsSlice()}
	header := 20
	if ipv6 {
		ip = &layers.IPv6{Version: 6, HopLimit: 3, TrafficClass: tos, FlowLabel: 0x12345, NextHeader: layers.IPProtocolUDP, SrcIP: addr("2001:db8::7").AsSlice(), DstIP: addr("2001:db8:cafe::10").AsSlice()}
		header = 40
	}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		ip, udp, gopacket.Payload(bytes.Repeat([]byte{0x5a}, n-header-8))); err != nil {
		t.Fatal(err)
	}
	if len(b.Bytes()) != n {
		t.Fatalf("%d bytes, want %d", len(b.Bytes()), n)
	}
	return b.Bytes()
}

// testHash is a flow's hash, with the flow label 12345.
const testHash = 0x98765432_10012345

// mix is one of the ways to put one family over another.
type mix struct {
	inner6, outer6 bool
	vlan           uint16
	marked         bool
}

func (m mix) String() string {
	return fmt.Sprintf("IPv6 %v over IPv6 %v, VLAN %d, marked %v", m.inner6, m.outer6, m.vlan, m.marked)
}

func mixes() (all []mix) {
	for i := range 24 {
		all = append(all, mix{i&1 != 0, i&2 != 0, []uint16{0, 7, 4094}[i/8], i&4 != 0})
	}
	return all
}

func (m mix) spec() TunnelSpec {
	s := TunnelSpec{Src: addr("192.0.2.11"), Dst: addr("10.0.0.1"), InnerIPv6: m.inner6, Marked: m.marked, Port: 3, MTU: 1500, VLAN: m.vlan,
		SrcMAC: [6]byte{2, 0, 0, 0, 0, 0x11}, NextHopMAC: [6]byte{2, 0, 0, 0, 0, 0x22}}
	if m.outer6 {
		s.Src, s.Dst = addr("2001:db8::11"), addr("2001:db8:b::1")
	}
	return s
}

func (m mix) overhead() int {
	if m.outer6 {
		return GREOverhead6
	}
	return GREOverhead4
}

// encap writes m's header in front of a packet, into a frame where every byte
// that is not written shows.
func (m mix) encap(tb testing.TB, t *Tunnel, packet []byte, tos uint8) (frame []byte) {
	b := append(bytes.Repeat([]byte{0xff}, 2*TunnelBlock), packet...)
	t.Write((*[TunnelBlock]byte)(b[TunnelBlock:]), uint16(len(packet)), tos, testHash)
	if !bytes.Equal(b[:TunnelBlock], bytes.Repeat([]byte{0xff}, TunnelBlock)) {
		tb.Fatalf("%v: wrote in front of the block", m)
	}
	if !bytes.Equal(b[2*TunnelBlock:], packet) {
		tb.Fatalf("%v: wrote behind the block", m)
	}
	return b[2*TunnelBlock-int(t.Len):]
}

// check holds a frame to all that the outer headers are to be.
func (m mix) check(t *testing.T, frame, packet []byte, tos uint8) {
	t.Helper()
	s := m.spec()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	all := p.Layers()
	next := func(want gopacket.LayerType) gopacket.Layer {
		if len(all) == 0 || all[0].LayerType() != want {
			t.Fatalf("%v: % x has no %v where it should", m, frame, want)
		}
		l := all[0]
		all = all[1:]
		return l
	}
	eth := next(layers.LayerTypeEthernet).(*layers.Ethernet)
	if !bytes.Equal(eth.SrcMAC, s.SrcMAC[:]) || !bytes.Equal(eth.DstMAC, s.NextHopMAC[:]) {
		t.Fatalf("%v: from %v to %v", m, eth.SrcMAC, eth.DstMAC)
	}
	if m.vlan != 0 {
		if tag := next(layers.LayerTypeDot1Q).(*layers.Dot1Q); tag.VLANIdentifier != m.vlan || tag.Priority != 0 || tag.DropEligible {
			t.Fatalf("%v: %+v", m, tag)
		}
	}
	if m.outer6 {
		ip := next(layers.LayerTypeIPv6).(*layers.IPv6)
		if ip.TrafficClass != tos || ip.FlowLabel != 0x12345 || int(ip.Length) != 4+len(packet) || ip.NextHeader != layers.IPProtocolGRE || ip.HopLimit != 64 ||
			!bytes.Equal(ip.SrcIP, s.Src.AsSlice()) || !bytes.Equal(ip.DstIP, s.Dst.AsSlice()) {
			t.Fatalf("%v, TOS %#02x, %d bytes: %+v", m, tos, len(packet), ip)
		}
	} else {
		ip := next(layers.LayerTypeIPv4).(*layers.IPv4)
		if ip.IHL != 5 || ip.TOS != tos || int(ip.Length) != 24+len(packet) || ip.Id != 0 || ip.Flags != layers.IPv4DontFragment || ip.FragOffset != 0 ||
			ip.TTL != 64 || ip.Protocol != layers.IPProtocolGRE || !bytes.Equal(ip.SrcIP, s.Src.AsSlice()) || !bytes.Equal(ip.DstIP, s.Dst.AsSlice()) {
			t.Fatalf("%v, TOS %#02x, %d bytes: %+v", m, tos, len(packet), ip)
		}
		sum := uint32(0)
		for i := 0; i < 20; i += 2 {
			sum += uint32(ip.Contents[i])<<8 | uint32(ip.Contents[i+1])
		}
		if sum = sum>>16 + sum&0xffff; sum>>16+sum&0xffff != 0xffff {
			t.Fatalf("%v, TOS %#02x, %d bytes: the header sums up to %#x", m, tos, len(packet), sum)
		}
	}
	gre := next(layers.LayerTypeGRE).(*layers.GRE)
	want, recursion := layers.EthernetTypeIPv4, byte(0)
	if m.inner6 {
		want = layers.EthernetTypeIPv6
	}
	if m.marked {
		recursion = 1
	}
	if gre.RecursionControl != recursion || !bytes.Equal(gre.Contents, []byte{recursion, 0, byte(want >> 8), byte(want)}) || !bytes.Equal(gre.Payload, packet) {
		t.Fatalf("%v: GRE % x, then %d bytes", m, gre.Contents, len(gre.Payload))
	}
	if m.inner6 {
		next(layers.LayerTypeIPv6)
	} else {
		next(layers.LayerTypeIPv4)
	}
	next(layers.LayerTypeUDP)
}

func TestTunnelWrite(t *testing.T) {
	for _, m := range mixes() {
		tunnel, err := newTunnel(m.spec())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := int(tunnel.MaxInner), 1500-m.overhead(); got != want || tunnel.Port != 3 {
			t.Errorf("%v: packets up to %d by port %d, want %d by 3", m, got, tunnel.Port, want)
		}
		for _, n := range []int{48, 49, 127, 128, 1000, int(tunnel.MaxInner)} {
			for tos := 0; tos < 256; tos += 5 {
				packet := inner(t, m.inner6, uint8(tos), n)
				m.check(t, m.encap(t, &tunnel, packet, uint8(tos)), packet, uint8(tos))
			}
		}
	}
}

// The checksum, for every TOS and every size that an MTU can leave.
func TestTunnelChecksumExhaustively(t *testing.T) {
	s := mix{}.spec()
	s.MTU = 65535
	tunnel, err := newTunnel(s)
	if err != nil {
		t.Fatal(err)
	}
	var b [TunnelBlock]byte
	for tos := range 256 {
		for n := range int(tunnel.MaxInner) + 1 {
			tunnel.Write(&b, uint16(n), uint8(tos), 1)
			sum := uint32(0)
			for i := outer4; i < outer4+20; i += 2 {
				sum += uint32(b[i])<<8 | uint32(b[i+1])
			}
			if sum = sum>>16 + sum&0xffff; sum>>16+sum&0xffff != 0xffff || b[outer4+1] != uint8(tos) || int(b[outer4+2])<<8|int(b[outer4+3]) != n+24 {
				t.Fatalf("TOS %#02x, %d bytes: % x", tos, n, b)
			}
		}
	}
}

// The flow label is the hash's last 20 bits and never zero; no other field of
// the header, and none of IPv4's, knows the hash.
func TestFlowLabel(t *testing.T) {
	for _, c := range []struct {
		hash uint64
		want uint32
	}{
		{0, 1}, {1, 1}, {2, 2}, {0xfffff, 0xfffff}, {0x80000, 0x80000}, {0xffffffff_fff00000, 1}, {1<<64 - 1, 0xfffff}, {testHash, 0x12345},
	} {
		for _, m := range mixes() {
			tunnel, err := newTunnel(m.spec())
			if err != nil {
				t.Fatal(err)
			}
			var b, plain [TunnelBlock]byte
			for _, tos := range []uint8{0, 0x0f, 0xff} {
				tunnel.Write(&plain, 1000, tos, testHash)
				tunnel.Write(&b, 1000, tos, c.hash)
				if m.outer6 {
					if got := binary.BigEndian.Uint32(b[outer6:]); got != 6<<28|uint32(tos)<<20|c.want {
						t.Errorf("%v, TOS %#02x, hash %#x: the header begins with %08x", m, tos, c.hash, got)
					}
					copy(b[outer6:outer6+4], plain[outer6:])
				}
				if b != plain {
					t.Errorf("%v, hash %#x: % x, want % x", m, c.hash, b, plain)
				}
			}
		}
	}
}

// One buffer after the other is written over by tunnels of all kinds, as
// frames' headroom is: nothing of one shows in the next.
func TestTunnelWriteLeavesNothingOfTheLast(t *testing.T) {
	var tunnels []Tunnel
	for _, m := range mixes() {
		tunnel, err := newTunnel(m.spec())
		if err != nil {
			t.Fatal(err)
		}
		tunnels = append(tunnels, tunnel)
	}
	packet := inner(t, false, 0, 100)
	for i := range tunnels {
		fresh := mix{}.encap(t, &tunnels[i], packet, 0x55)
		for j := range tunnels {
			b := append(bytes.Repeat([]byte{0xff}, TunnelBlock), packet...)
			tunnels[j].Write((*[TunnelBlock]byte)(b), 1234, 0xff, 1<<64-1)
			tunnels[i].Write((*[TunnelBlock]byte)(b), uint16(len(packet)), 0x55, testHash)
			if got := b[TunnelBlock-int(tunnels[i].Len):]; !bytes.Equal(got, fresh) {
				t.Fatalf("%v after %v:\n% x\nwant\n% x", mixes()[i], mixes()[j], got[:tunnels[i].Len], fresh[:tunnels[i].Len])
			}
		}
	}
}

func TestTunnelLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		m     mix
		spoil func(s *TunnelSpec)
		want  string // "" for no fault
	}{
		{"as it is", mix{}, func(*TunnelSpec) {}, ""},
		{"our own address", mix{}, func(s *TunnelSpec) { s.Dst = s.Src }, "to 192.0.2.11: that is our own address"},
		{"our own address, mapped", mix{}, func(s *TunnelSpec) { s.Dst = addr("::ffff:192.0.2.11") }, "to ::ffff:192.0.2.11: that is our own address"},
		{"two families", mix{}, func(s *TunnelSpec) { s.Dst = addr("2001:db8::1") }, "need two unicast addresses of one family"},
		{"no source", mix{}, func(s *TunnelSpec) { s.Src = netip.Addr{} }, "need two unicast"},
		{"no destination", mix{}, func(s *TunnelSpec) { s.Dst = netip.Addr{} }, "need two unicast"},
		{"all of our addresses", mix{}, func(s *TunnelSpec) { s.Src = addr("0.0.0.0") }, "need two unicast"},
		{"a group", mix{}, func(s *TunnelSpec) { s.Dst = addr("224.0.0.1") }, "need two unicast"},
		{"this host", mix{}, func(s *TunnelSpec) { s.Dst = addr("127.0.0.1") }, "need two unicast"},
		{"a group, IPv6", mix{outer6: true}, func(s *TunnelSpec) { s.Dst = addr("ff02::1") }, "need two unicast"},
		{"a zone", mix{outer6: true}, func(s *TunnelSpec) { s.Dst = addr("fe80::1%eth0") }, "need two unicast"},
		{"no VLAN 4095", mix{}, func(s *TunnelSpec) { s.VLAN = 4095 }, "there is no VLAN 4095"},
		{"no VLAN 4096", mix{}, func(s *TunnelSpec) { s.VLAN = 4096 }, "there is no VLAN 4096"},
		{"a group's MAC address", mix{}, func(s *TunnelSpec) { s.NextHopMAC[0] = 1 }, "one is of a group"},
		{"a group's MAC address as source", mix{}, func(s *TunnelSpec) { s.SrcMAC[0] = 0xff }, "one is of a group"},
		{"the least MTU", mix{}, func(s *TunnelSpec) { s.MTU = 25 }, ""},
		{"an MTU too small", mix{}, func(s *TunnelSpec) { s.MTU = 24 }, "an MTU of 24, want 25 to 65535"},
		{"the least MTU, IPv6", mix{outer6: true}, func(s *TunnelSpec) { s.MTU = 45 }, ""},
		{"an MTU too small, IPv6", mix{outer6: true}, func(s *TunnelSpec) { s.MTU = 44 }, "an MTU of 44, want 45 to 65535"},
		{"no MTU", mix{}, func(s *TunnelSpec) { s.MTU = -1 }, "an MTU of -1"},
		{"the largest MTU", mix{}, func(s *TunnelSpec) { s.MTU = 65535 }, ""},
		{"an MTU too large", mix{}, func(s *TunnelSpec) { s.MTU = 65536 }, "an MTU of 65536"},
	} {
		s := c.m.spec()
		c.spoil(&s)
		tunnel, err := newTunnel(s)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "" && int(tunnel.MaxInner) != s.MTU-c.m.overhead():
			t.Errorf("%s: packets up to %d", c.name, tunnel.MaxInner)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
