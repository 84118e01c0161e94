package trace

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

func key(proto uint8, src, dst string) flow.Key {
	return flow.NewKey(proto, netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst))
}

func flows() (all []flow.Key) {
	for _, proto := range []uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP} {
		all = append(all, key(proto, "198.51.100.7:4711", "203.0.113.10:80"), key(proto, "[2001:db8:c::7]:4711", "[2001:db8:cafe::10]:80"))
	}
	return all
}

// inEthernet is a packet as it comes to a node.
func inEthernet(b []byte) []byte {
	etherType := uint16(packet.EtherTypeIPv4)
	if b[0]>>4 == 6 {
		etherType = packet.EtherTypeIPv6
	}
	frame := make([]byte, packet.EthernetLen+len(b))
	packet.PutEthernet(frame, [6]byte{2, 1}, [6]byte{2, 2}, 0, etherType)
	copy(frame[packet.EthernetLen:], b)
	return frame
}

// What is sent is what nodes look for, of the flow that was asked for; and no
// backend's kernel takes it for a whole packet.
func TestCraft(t *testing.T) {
	for _, k := range flows() {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, fragments %v", k, split), func(t *testing.T) {
				for id := range uint32(200) { // of so many, some would have a zero checksum
					judge(t, k, split, id)
				}
			})
		}
	}
}

func judge(t *testing.T, k flow.Key, split bool, id uint32) {
	t.Helper()
	var pieces []Piece
	all := craft(k, id, split, func(b []byte, p Piece) {
		pieces = append(pieces, p)
		copy(packet.Mark(b), bytes.Repeat([]byte{byte(id), byte(id * 7), 0xc3 + byte(p)}, packet.MarkLen))
	})
	if want := map[bool]string{false: "[]", true: "[first last]"}[split]; fmt.Sprint(pieces) != want {
		t.Fatalf("pieces %v", pieces)
	}
	var datagram []byte
	for i, b := range all {
		size := packet.TracedLen4
		if k.IPv6 {
			size = packet.TracedLen6
		}
		if m := packet.Mark(b); len(b) != size || !packet.TracedLen(len(b)+14) || m[0] != byte(id) || m[2] != 0xc3+byte(pieces[i]) {
			t.Fatalf("%x", b)
		}
		var h packet.Headers
		frame := inEthernet(b)
		result := packet.Parse(frame, 0, &h)
		if (result == packet.Fragment) != split || result != packet.Whole && result != packet.Fragment || int(h.End) != len(frame) {
			t.Fatalf("packet %d is a %v: %x", i, result, b)
		}
		var got flow.Key
		got.Read(frame, &h)
		if !split && got != k {
			t.Fatalf("of %v", got)
		}
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		if !k.IPv6 {
			ip := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
			if packet.Fold(packet.Sum(b[:20])) != 0xffff || ip.Id == 0 && split || (ip.Flags&layers.IPv4MoreFragments != 0) != (split && i == 0) || int(ip.FragOffset)*8 != len(datagram) {
				t.Fatalf("%+v", ip)
			}
			datagram = append(datagram, ip.Payload...)
			continue
		}
		ip := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
		if int(ip.Length) != len(ip.Payload) {
			t.Fatalf("%+v", ip)
		}
		if !split {
			datagram = ip.Payload
			continue
		}
		f := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
		if f.Identification != id || f.MoreFragments != (i == 0) || int(f.FragmentOffset)*8 != len(datagram) || uint8(f.NextHeader) != k.Proto {
			t.Fatalf("%+v", f)
		}
		datagram = append(datagram, f.Payload...)
	}
	judgeDatagram(t, k, datagram)
}

// judgeDatagram checks a datagram as its receiver does.
func judgeDatagram(t *testing.T, k flow.Key, b []byte) {
	t.Helper()
	first := map[uint8]gopacket.LayerType{packet.ProtoTCP: layers.LayerTypeTCP, packet.ProtoUDP: layers.LayerTypeUDP, packet.ProtoSCTP: layers.LayerTypeSCTP}[k.Proto]
	p := gopacket.NewPacket(b, first, gopacket.Default)
	pseudo := packet.Sum(k.Src().AsSlice()) + packet.Sum(k.Dst().AsSlice()) + uint64(len(b)) + uint64(k.Proto)
	switch l := p.Layers()[0].(type) {
	case *layers.TCP:
		if l.SYN || l.ACK || l.RST || l.FIN || l.PSH || l.URG || l.DataOffset != 5 || uint16(l.SrcPort) != k.SrcPort() || uint16(l.DstPort) != k.DstPort() {
			t.Fatalf("%+v", l)
		}
	case *layers.UDP:
		if int(l.Length) != len(b) || l.Checksum == 0 || uint16(l.SrcPort) != k.SrcPort() || uint16(l.DstPort) != k.DstPort() {
			t.Fatalf("%+v", l)
		}
	case *layers.SCTP:
		right := gopacket.NewSerializeBuffer()
		l2 := *l
		if err := gopacket.SerializeLayers(right, gopacket.SerializeOptions{ComputeChecksums: true}, &l2, gopacket.Payload(l.Payload)); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(right.Bytes(), b) || uint16(l.SrcPort) != k.SrcPort() || uint16(l.DstPort) != k.DstPort() {
			t.Fatalf("%+v", l)
		}
		return
	default:
		t.Fatalf("%v", p)
	}
	if packet.Fold(pseudo+packet.Sum(b)) == 0xffff {
		t.Fatalf("the checksum is right: %x", b)
	}
}

func TestMayTrace(t *testing.T) {
	for _, k := range flows() {
		if err := MayTrace(k); err != nil {
			t.Errorf("%v: %v", k, err)
		}
	}
	for _, k := range []flow.Key{
		key(packet.ProtoICMP, "198.51.100.7:0", "203.0.113.10:0"), key(packet.ProtoGRE, "198.51.100.7:0", "203.0.113.10:0"),
		key(packet.ProtoUDP, "198.51.100.7:1", "224.0.0.5:1"), key(packet.ProtoUDP, "[ff02::1]:1", "[2001:db8::1]:1"),
	} {
		if MayTrace(k) == nil {
			t.Errorf("%v may be traced", k)
		}
	}
}
