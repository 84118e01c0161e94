package packet

import (
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// wellFormedFrame draws a frame that nobody has reason to refuse, and the VLAN
// of the port that it is for.
func wellFormedFrame(t *rapid.T) (frame []byte, id uint16) {
	draw := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	bytes := func(name string, low, high int) []byte {
		return rapid.SliceOfN(rapid.Byte(), low, high).Draw(t, name)
	}
	proto := rapid.SampledFrom([]int{6, 17, 132, 1, 58, 50, 59, 253}).Draw(t, "protocol")
	var p []byte
	switch proto {
	case 6:
		words := draw("tcp data offset", 5, 15)
		p = edit(tcp(draw("flags", 0, 255)), 12, byte(words<<4))
		for range words - 5 { // options: No-Operation, RFC 9293, 3.2
			p = append(p, 1, 1, 1, 1)
		}
		p = append(p, bytes("payload", 0, 64)...)
	case 17:
		p = udp(draw("payload", 0, 64))
	case 132:
		p = sctp()
	default:
		p = bytes("payload", 8, 64)
	}
	copy(p, bytes("ports", 4, 4))
	etherType := 0x0800
	if ipv6 := rapid.Bool().Draw(t, "ipv6"); ipv6 {
		etherType = 0x86dd
		for range draw("extensions", 0, maxExtensions) {
			units := draw("units", 0, 6)
			kind := rapid.SampledFrom([]int{43, 51, 60}).Draw(t, "extension")
			e := ext(proto, units)
			if kind == 51 {
				e = auth(proto, units+1)
			}
			p, proto = cat(e, p), kind
		}
		p = ip6(proto, p)
		p[1] = byte(draw("class", 0, 15))<<4 | 0xf
	} else {
		options := zeros(4 * draw("option words", 0, 10)) // End of Option List
		for i := 0; i+1 < len(options); i++ {
			options[i] = 1 // No-Operation
		}
		p = ip4(proto, 0x4000*draw("df", 0, 1), options, p)
		p[1] = byte(draw("tos", 0, 255))
	}
	padding := zeros(draw("padding", 0, 46))
	if id = uint16(draw("vlan", 0, 20) * 200); id != 0 {
		return vlan(int(id)|draw("priority", 0, 15)<<12, etherType, p, padding), id
	}
	return eth(etherType, p, padding), 0
}

// offsetIn tells where part, a slice of whole, begins.
func offsetIn(whole, part []byte) int { return cap(whole) - cap(part) }

// Another decoder finds the same in frames that are in order.
func TestParseLikeGopacket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame, id := wellFormedFrame(t)
		var h Headers
		if got := Parse(frame, id, &h); got != Whole {
			t.Fatalf("% x: %s", frame, name(got))
		}
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})

		var want Headers
		behind := func(contents []byte, next layers.IPProtocol) {
			want.L4, want.Proto = uint16(offsetIn(frame, contents)+len(contents)), uint8(next)
		}
		var src, dst uint16
		for _, l := range p.Layers() {
			if want.Ports {
				break // beyond are its guesses at what the ports stand for
			}
			switch l := l.(type) {
			case *layers.IPv4:
				want.TOS, want.L3 = l.TOS, uint16(offsetIn(frame, l.Contents))
				want.End = want.L3 + l.Length
				behind(l.Contents, l.Protocol)
			case *layers.IPv6:
				want.IPv6, want.TOS, want.L3 = true, l.TrafficClass, uint16(offsetIn(frame, l.Contents))
				want.End = want.L3 + IPv6Len + l.Length
				behind(l.Contents, l.NextHeader)
			case *layers.IPv6Destination:
				behind(l.Contents, l.NextHeader)
			case *layers.IPv6Routing:
				behind(l.Contents, l.NextHeader)
			case *layers.IPSecAH:
				behind(frame[offsetIn(frame, l.Contents):][:l.ActualLength], l.NextHeader)
			case *layers.TCP:
				want.Ports, want.TCPFlags = true, l.Contents[13]
				src, dst = uint16(l.SrcPort), uint16(l.DstPort)
			case *layers.UDP:
				want.Ports = true
				src, dst = uint16(l.SrcPort), uint16(l.DstPort)
			case *layers.SCTP:
				want.Ports = true
				src, dst = uint16(l.SrcPort), uint16(l.DstPort)
			}
		}
		if h != want {
			t.Fatalf("% x:\n      got %+v\ngopacket: %+v", frame, h, want)
		}
		if h.Ports && (be16(frame[h.L4:]) != src || be16(frame[h.L4+2:]) != dst) {
			t.Fatalf("% x: ports %d and %d are not at %d", frame, src, dst, h.L4)
		}
		network := p.NetworkLayer().NetworkFlow()
		srcAt, dstAt, n := int(h.L3)+IPv4Src, int(h.L3)+IPv4Dst, 4
		if h.IPv6 {
			srcAt, dstAt, n = int(h.L3)+IPv6Src, int(h.L3)+IPv6Dst, 16
		}
		if string(frame[srcAt:srcAt+n]) != string(network.Src().Raw()) || string(frame[dstAt:dstAt+n]) != string(network.Dst().Raw()) {
			t.Fatalf("% x: addresses are not %v", frame, network)
		}
	})
}
