package packet

import "testing"

// shape is one form of frame and what Parse is to make of it.
type shape struct {
	name  string
	vlan  uint16 // of the port
	frame []byte
	want  Result
	h     Headers // for Whole and Fragment
}

// Offsets of a packet without tag, options and extensions.
const (
	at  = EthernetLen
	at4 = at + IPv4Len
	at6 = at + IPv6Len
)

func whole(name string, frame []byte, h Headers) shape {
	h.TOS = 0xb9
	return shape{name: name, frame: frame, want: Whole, h: h}
}

func fragment(name string, frame []byte, h Headers) shape {
	h.TOS = 0xb9
	return shape{name: name, frame: frame, want: Fragment, h: h}
}

func refused(name string, want Result, frame []byte) shape {
	return shape{name: name, frame: frame, want: want}
}

func (s shape) onVLAN(id uint16) shape {
	s.name, s.vlan = s.name+", port of a VLAN", id
	return s
}

// short is a 20-byte TCP segment, in an IPv4 packet, in a frame of a type.
func short(etherType int) []byte { return eth(etherType, ip4(6, 0, nil, tcp(0x10))) }

// edit returns a frame with one byte changed.
func edit(frame []byte, offset int, value byte) []byte {
	frame = cat(frame)
	frame[offset] = value
	return frame
}

// wellFormed are frames that Parse reads to the end.
var wellFormed = []shape{
	whole("tcp", short(0x0800), Headers{L3: at, L4: at4, End: at4 + 20, Proto: 6, TCPFlags: 0x10, Ports: true}),
	whole("tcp with all flags", eth(0x0800, ip4(6, 0, nil, tcp(0xff))), Headers{L3: at, L4: at4, End: at4 + 20, Proto: 6, TCPFlags: 0xff, Ports: true}),
	whole("tcp, data offset zero: the receiver's matter", eth(0x0800, ip4(6, 0, nil, edit(tcp(0x02), 12, 0))),
		Headers{L3: at, L4: at4, End: at4 + 20, Proto: 6, TCPFlags: 0x02, Ports: true}),
	whole("udp", eth(0x0800, ip4(17, 0x4000, nil, udp(5))), Headers{L3: at, L4: at4, End: at4 + 13, Proto: 17, Ports: true}),
	whole("sctp", eth(0x0800, ip4(132, 0, nil, sctp())), Headers{L3: at, L4: at4, End: at4 + 12, Proto: 132, Ports: true}),
	whole("icmp", eth(0x0800, ip4(1, 0, nil, zeros(8))), Headers{L3: at, L4: at4, End: at4 + 8, Proto: 1}),
	whole("esp", eth(0x0800, ip4(50, 0, nil, zeros(24))), Headers{L3: at, L4: at4, End: at4 + 24, Proto: 50}),
	whole("ah is a transport to IPv4", eth(0x0800, ip4(51, 0, nil, auth(6, 1), tcp(2))), Headers{L3: at, L4: at4, End: at4 + 32, Proto: 51}),
	whole("gre", eth(0x0800, ip4(47, 0, nil, zeros(4))), Headers{L3: at, L4: at4, End: at4 + 4, Proto: 47}),
	whole("no payload, unknown protocol", eth(0x0800, ip4(253, 0, nil)), Headers{L3: at, L4: at4, End: at4, Proto: 253}),
	whole("one option word", eth(0x0800, ip4(6, 0, []byte{0x94, 4, 0, 0}, tcp(0x10))), Headers{L3: at, L4: at4 + 4, End: at4 + 24, Proto: 6, TCPFlags: 0x10, Ports: true}),
	whole("ten option words", eth(0x0800, ip4(17, 0, zeros(40), udp(0))), Headers{L3: at, L4: at4 + 40, End: at4 + 48, Proto: 17, Ports: true}),

	fragment("first fragment", eth(0x0800, ip4(6, 0x2000, nil, tcp(2))), Headers{L3: at, L4: at4, End: at4 + 20, Proto: 6, FirstFragment: true}),
	fragment("middle fragment", eth(0x0800, ip4(17, 0x2001, nil, zeros(8))), Headers{L3: at, L4: at4, End: at4 + 8, Proto: 17}),
	fragment("last fragment", eth(0x0800, ip4(17, 0x1fff, nil, zeros(1))), Headers{L3: at, L4: at4, End: at4 + 1, Proto: 17}),
	fragment("fragment with options", eth(0x0800, ip4(6, 0x0001, zeros(8), zeros(3))), Headers{L3: at, L4: at4 + 8, End: at4 + 11, Proto: 6}),
	fragment("44 is a protocol like any other to IPv4", eth(0x0800, ip4(44, 0x2000, nil, frag(6, 0, 1))), Headers{L3: at, L4: at4, End: at4 + 8, Proto: 44, FirstFragment: true}),
	fragment("first fragment of nothing", eth(0x0800, ip4(6, 0x2000, nil)), Headers{L3: at, L4: at4, End: at4, Proto: 6, FirstFragment: true}),

	whole("tcp6", eth(0x86dd, ip6(6, tcp(0x12))), Headers{L3: at, L4: at6, End: at6 + 20, Proto: 6, TCPFlags: 0x12, IPv6: true, Ports: true}),
	whole("udp6", eth(0x86dd, ip6(17, udp(3))), Headers{L3: at, L4: at6, End: at6 + 11, Proto: 17, IPv6: true, Ports: true}),
	whole("sctp6", eth(0x86dd, ip6(132, sctp())), Headers{L3: at, L4: at6, End: at6 + 12, Proto: 132, IPv6: true, Ports: true}),
	whole("icmpv6", eth(0x86dd, ip6(58, zeros(8))), Headers{L3: at, L4: at6, End: at6 + 8, Proto: 58, IPv6: true}),
	whole("esp6", eth(0x86dd, ip6(50, zeros(24))), Headers{L3: at, L4: at6, End: at6 + 24, Proto: 50, IPv6: true}),
	whole("no next header", eth(0x86dd, ip6(59)), Headers{L3: at, L4: at6, End: at6, Proto: 59, IPv6: true}),
	whole("no next header, then something", eth(0x86dd, ip6(59, zeros(5))), Headers{L3: at, L4: at6, End: at6 + 5, Proto: 59, IPv6: true}),
	whole("mobility is not walked over", eth(0x86dd, ip6(135, ext(6, 0), tcp(2))), Headers{L3: at, L4: at6, End: at6 + 28, Proto: 135, IPv6: true}),
	whole("hop-by-hop", eth(0x86dd, ip6(0, ext(6, 0), tcp(2))), Headers{L3: at, L4: at6 + 8, End: at6 + 28, Proto: 6, TCPFlags: 2, IPv6: true, Ports: true}),
	whole("routing", eth(0x86dd, ip6(43, ext(17, 2), udp(0))), Headers{L3: at, L4: at6 + 24, End: at6 + 32, Proto: 17, IPv6: true, Ports: true}),
	whole("destination options, the longest", eth(0x86dd, ip6(60, ext(58, 255), zeros(8))), Headers{L3: at, L4: at6 + 2048, End: at6 + 2056, Proto: 58, IPv6: true}),
	whole("ah counts in units of four", eth(0x86dd, ip6(51, auth(6, 4), tcp(2))), Headers{L3: at, L4: at6 + 24, End: at6 + 44, Proto: 6, TCPFlags: 2, IPv6: true, Ports: true}),
	whole("extensions, then esp", eth(0x86dd, ip6(0, ext(60, 0), ext(50, 1), zeros(16))), Headers{L3: at, L4: at6 + 24, End: at6 + 40, Proto: 50, IPv6: true}),
	whole("the recommended order", eth(0x86dd, ip6(0, ext(60, 1), ext(43, 0), ext(44, 2), frag(51, 0, 0), auth(60, 4), ext(6, 0), tcp(1))),
		Headers{L3: at, L4: at6 + 16 + 8 + 24 + 8 + 24 + 8, End: at6 + 108, Proto: 6, TCPFlags: 1, IPv6: true, Ports: true}),
	whole("as many extensions as we walk over", eth(0x86dd, ip6(60, ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(6, 0), tcp(2))),
		Headers{L3: at, L4: at6 + 64, End: at6 + 84, Proto: 6, TCPFlags: 2, IPv6: true, Ports: true}),
	whole("atomic fragment", eth(0x86dd, ip6(44, frag(6, 0, 0), tcp(2))), Headers{L3: at, L4: at6 + 8, End: at6 + 28, Proto: 6, TCPFlags: 2, IPv6: true, Ports: true}),
	whole("atomic fragment, reserved bits set", eth(0x86dd, ip6(44, edit(frag(17, 0, 0), 3, 0x06), udp(0))), Headers{L3: at, L4: at6 + 8, End: at6 + 16, Proto: 17, IPv6: true, Ports: true}),

	fragment("first fragment 6", eth(0x86dd, ip6(44, frag(6, 0, 1), tcp(2))), Headers{L3: at, L4: at6, End: at6 + 28, Proto: 44, IPv6: true, FirstFragment: true}),
	fragment("middle fragment 6", eth(0x86dd, ip6(44, frag(6, 1, 1), zeros(8))), Headers{L3: at, L4: at6, End: at6 + 16, Proto: 44, IPv6: true}),
	fragment("last fragment 6", eth(0x86dd, ip6(44, frag(6, 0x1fff, 0), zeros(1))), Headers{L3: at, L4: at6, End: at6 + 9, Proto: 44, IPv6: true}),
	fragment("fragment behind extensions", eth(0x86dd, ip6(0, ext(60, 0), ext(44, 1), frag(6, 0, 1), zeros(8))), Headers{L3: at, L4: at6 + 24, End: at6 + 40, Proto: 44, IPv6: true, FirstFragment: true}),
	fragment("a fragment of what may have been whatever", eth(0x86dd, ip6(44, frag(0, 7, 0), []byte{0xff})), Headers{L3: at, L4: at6, End: at6 + 9, Proto: 44, IPv6: true}),

	whole("priority tag", vlan(0xe000, 0x0800, ip4(17, 0, nil, udp(0))), Headers{L3: at + 4, L4: at4 + 4, End: at4 + 12, Proto: 17, Ports: true}),
	whole("our tag, with priority and DEI", vlan(0xf007, 0x86dd, ip6(17, udp(0))), Headers{L3: at + 4, L4: at6 + 4, End: at6 + 12, Proto: 17, IPv6: true, Ports: true}).onVLAN(7),
	whole("the highest tag", vlan(0x0ffe, 0x0800, ip4(1, 0, nil)), Headers{L3: at + 4, L4: at4 + 4, End: at4 + 4, Proto: 1}).onVLAN(4094),
}

// faulty are frames that Parse refuses.
var faulty = []shape{
	refused("nothing", TruncatedFrame, nil),
	refused("no type", TruncatedFrame, macs),
	refused("half a tag", TruncatedFrame, eth(0x8100, word(7), []byte{8})),
	refused("half a tag", TruncatedFrame, eth(0x8100, word(7))).onVLAN(7),
	refused("to a group", GroupAddress, edit(short(0x0800), 0, 0x01)),
	refused("to all", GroupAddress, edit(short(0x0800), 0, 0xff)),
	refused("tag on an untagged port", ForeignVLAN, vlan(7, 0x0800, ip4(6, 0, nil, tcp(2)))),
	refused("another tag", ForeignVLAN, vlan(8, 0x0800, ip4(6, 0, nil, tcp(2)))).onVLAN(7),
	refused("no tag", ForeignVLAN, short(0x0800)).onVLAN(7),
	refused("priority tag", ForeignVLAN, vlan(0xe000, 0x0800, ip4(6, 0, nil, tcp(2)))).onVLAN(7),
	refused("802.1ad", NotIP, eth(0x88a8, word(7), word(0x0800), ip4(6, 0, nil, tcp(2)))),
	refused("802.1ad", ForeignVLAN, eth(0x88a8, word(7), word(0x0800), ip4(6, 0, nil, tcp(2)))).onVLAN(7),
	refused("two tags", NotIP, vlan(7, 0x8100, word(9), word(0x0800), ip4(6, 0, nil, tcp(2)))).onVLAN(7),
	refused("arp", NotIP, eth(0x0806, zeros(46))),
	refused("lldp", NotIP, eth(0x88cc, zeros(46))),
	refused("802.3 length", NotIP, eth(46, zeros(46))),
	refused("type only", NotIP, eth(0)),

	refused("IPv6 under IPv4's type", BadVersion, eth(0x0800, ip6(6, tcp(2)))),
	refused("IPv4 under IPv6's type", BadVersion, eth(0x86dd, ip4(6, 0, nil, tcp(2)), zeros(20))),
	refused("version 0", BadVersion, edit(short(0x0800), at, 0x05)),
	refused("no IPv4 header", TruncatedHeader, eth(0x0800)),
	refused("half an IPv4 header", TruncatedHeader, eth(0x0800, ip4(6, 0, nil)[:19])),
	refused("ihl 0", BadHeaderLength, edit(short(0x0800), at, 0x40)),
	refused("ihl 4", BadHeaderLength, edit(short(0x0800), at, 0x44)),
	refused("ihl beyond the packet", BadLength, edit(short(0x0800), at, 0x4f)),
	refused("total length 0", BadLength, edit(short(0x0800), at+3, 0)),
	refused("total length below the header", BadLength, edit(short(0x0800), at+3, 19)),
	refused("total length beyond the frame", BadLength, edit(short(0x0800), at+3, 41)),
	refused("total length in the low byte's sign", BadLength, edit(short(0x0800), at+2, 0x80)),
	refused("options beyond the total length", BadLength, edit(eth(0x0800, ip4(1, 0, nil, zeros(3))), at, 0x46)),
	refused("tcp of 19 bytes", TruncatedTransport, eth(0x0800, ip4(6, 0, nil, tcp(2)[:19]), zeros(7))),
	refused("tcp of none", TruncatedTransport, eth(0x0800, ip4(6, 0, nil), zeros(26))),
	refused("tcp cut by options", TruncatedTransport, edit(short(0x0800), at, 0x46)),
	refused("udp of 7 bytes", TruncatedTransport, eth(0x0800, ip4(17, 0, nil, zeros(7)), zeros(19))),
	refused("sctp of 11 bytes", TruncatedTransport, eth(0x0800, ip4(132, 0, nil, zeros(11)), zeros(15))),

	refused("half an IPv6 header", TruncatedHeader, eth(0x86dd, ip6(6)[:39])),
	refused("payload beyond the frame", BadLength, edit(eth(0x86dd, ip6(6, tcp(2))), at+5, 21)),
	refused("payload of 65535", BadLength, edit(edit(eth(0x86dd, ip6(6, tcp(2))), at+5, 0xff), at+4, 0xff)),
	refused("tcp6 of 19 bytes", TruncatedTransport, eth(0x86dd, ip6(6, zeros(19)), zeros(9))),
	refused("udp6 of 7 bytes", TruncatedTransport, eth(0x86dd, ip6(17, zeros(7)))),
	refused("sctp6 of 11 bytes", TruncatedTransport, eth(0x86dd, ip6(132, zeros(11)))),
	refused("tcp of 19 bytes behind an extension", TruncatedTransport, eth(0x86dd, ip6(0, ext(6, 0), zeros(19)), zeros(9))),
	refused("jumbogram: no length of ours, RFC 2675", TruncatedHeader, edit(eth(0x86dd, ip6(0, ext(6, 0), tcp(2))), at+5, 0)),
	refused("no room for an extension", TruncatedHeader, eth(0x86dd, ip6(60, zeros(7)), zeros(9))),
	refused("no room for ah", TruncatedHeader, eth(0x86dd, ip6(51, zeros(7)), zeros(9))),
	refused("no room for a fragment header", TruncatedHeader, eth(0x86dd, ip6(44, zeros(7)), zeros(9))),
	refused("extension beyond the packet", TruncatedHeader, eth(0x86dd, ip6(43, ext(6, 1)[:15]), zeros(20))),
	refused("ah beyond the packet", TruncatedHeader, eth(0x86dd, ip6(51, auth(6, 2)[:15]), zeros(20))),
	refused("extension ends with the packet", TruncatedHeader, eth(0x86dd, ip6(0, ext(60, 0)), zeros(20))),
	refused("one extension more than we walk over", TooManyExtensions,
		eth(0x86dd, ip6(60, ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(6, 0), tcp(2)))),
	refused("a hundred atomic fragments", TooManyExtensions, func() []byte {
		var chain []byte
		for range 100 {
			chain = append(chain, frag(44, 0, 0)...)
		}
		return eth(0x86dd, ip6(44, chain))
	}()),
}

// stale is what an earlier frame may have left in a Headers.
var stale = Headers{L3: 1, L4: 2, End: 3, Proto: 4, TOS: 5, TCPFlags: 6, IPv6: true, Ports: true, FirstFragment: true}

func (s shape) check(t *testing.T, frame []byte) {
	t.Helper()
	for _, h := range []Headers{{}, stale} {
		got := Parse(frame, s.vlan, &h)
		if got != s.want {
			t.Errorf("%s: %s, want %s", s.name, name(got), name(s.want))
		} else if (got == Whole || got == Fragment) && h != s.h {
			t.Errorf("%s:\n got %+v\nwant %+v", s.name, h, s.h)
		}
	}
}

func TestParse(t *testing.T) {
	reached := [Results]bool{}
	for _, shapes := range [][]shape{wellFormed, faulty} {
		for _, s := range shapes {
			s.check(t, s.frame)
			reached[s.want] = true
		}
	}
	for r := Whole; r < Results; r++ {
		if !reached[r] {
			t.Errorf("no frame ends as %s", name(r))
		}
	}
}

// Ethernet pads a frame to 60 bytes, and a careless sender leaves old data
// there: none of it is the packet's.
func TestPaddingIsIgnored(t *testing.T) {
	for _, s := range wellFormed {
		for _, n := range []int{1, 6, 46, 2000} {
			for _, fill := range []byte{0, 0x45, 0xff} {
				padding := zeros(n)
				for i := range padding {
					padding[i] = fill
				}
				s.check(t, cat(s.frame, padding))
			}
		}
	}
}

// A frame that is cut anywhere is refused, and for the right reason.
func TestCutFrames(t *testing.T) {
	for _, s := range wellFormed {
		header := IPv4Len
		if s.h.IPv6 {
			header = IPv6Len
		}
		for n := range s.frame {
			want := BadLength // is beyond the frame
			switch {
			case n < int(s.h.L3):
				want = TruncatedFrame
			case n < int(s.h.L3)+header:
				want = TruncatedHeader
			}
			var h Headers
			if got := Parse(s.frame[:n:n], s.vlan, &h); got != want {
				t.Errorf("%s, cut to %d bytes: %s, want %s", s.name, n, name(got), name(want))
			}
		}
	}
}

// A packet that is cut, with an IP length that says so, is whole as long as
// the fixed part of its transport header is there.
func TestCutPackets(t *testing.T) {
	need := map[uint8]int{6: 20, 17: 8, 132: 12}
	for _, s := range wellFormed {
		l3, l4, end := int(s.h.L3), int(s.h.L4), int(s.h.End)
		header := IPv4Len
		if s.h.IPv6 {
			header = IPv6Len
		}
		for n := l3 + header; n < end; n++ {
			frame := cat(s.frame[:n], zeros(end-n)) // as padding
			want := Whole
			if s.h.IPv6 {
				copy(frame[l3+4:], word(n-l3-header))
				if n < l4 || s.want == Fragment && n < l4+8 {
					want = TruncatedHeader
				}
			} else {
				copy(frame[l3+2:], word(n-l3))
				if n < l4 {
					want = BadLength
				}
			}
			if want == Whole && s.want == Fragment {
				want = Fragment
			} else if want == Whole && n < l4+need[s.h.Proto] {
				want = TruncatedTransport
			}
			short := s
			short.name, short.want, short.h.End = s.name+", packet cut", want, uint16(n)
			short.check(t, frame)
		}
	}
}

// Offsets are 16 bits: what ends beyond them is refused, never wrapped.
func TestLongFrames(t *testing.T) {
	const most = MaxFrame - at // of an IP packet
	for _, s := range []shape{
		whole("the longest IPv4", eth(0x0800, ip4(17, 0, nil, udp(most-28))), Headers{L3: at, L4: at4, End: MaxFrame, Proto: 17, Ports: true}),
		refused("IPv4 one longer", BadLength, eth(0x0800, ip4(17, 0, nil, udp(most-27)))),
		whole("the longest IPv6", eth(0x86dd, ip6(17, udp(most-48))), Headers{L3: at, L4: at6, End: MaxFrame, Proto: 17, IPv6: true, Ports: true}),
		refused("IPv6 one longer", BadLength, eth(0x86dd, ip6(17, udp(most-47)))),
		refused("the longest payload of IPv6", BadLength, eth(0x86dd, ip6(17, udp(65527)))),
	} {
		s.check(t, s.frame)
		s.check(t, cat(s.frame, zeros(1<<16)))
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	var h Headers
	for _, s := range append(wellFormed, faulty...) {
		if n := testing.AllocsPerRun(10, func() { Parse(s.frame, s.vlan, &h) }); n != 0 {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
}
