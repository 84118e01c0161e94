package packet

import (
	"fmt"
	"testing"
)

// icmp is an error message with a quote.
func icmp(kind, code int, quote []byte) []byte {
	return cat([]byte{byte(kind), byte(code)}, word(0), zeros(4), quote)
}

type quoteShape struct {
	name    string
	frame   []byte
	isError bool
	quoted  bool
	proto   uint8
	ports   bool
	l4      int // of the quoted packet, from its first byte
}

var quoteShapes = func() (list []quoteShape) {
	add := func(name string, frame []byte, isError, quoted bool, proto uint8, ports bool, l4 int) {
		list = append(list, quoteShape{name, frame, isError, quoted, proto, ports, l4})
	}
	v4 := func(kind int, quote []byte) []byte { return eth(0x0800, ip4(1, 0, nil, icmp(kind, 4, quote))) }
	v6 := func(kind int, quote []byte) []byte { return eth(0x86dd, ip6(58, icmp(kind, 0, quote))) }
	whole4, whole6 := ip4(6, 0, nil, tcp(0x10)), ip6(6, tcp(0x10))

	for kind := range 256 {
		add(fmt.Sprintf("IPv4 type %d", kind), v4(kind, whole4), kind == 3 || kind == 11 || kind == 12, true, 6, true, 20)
		add(fmt.Sprintf("IPv6 type %d", kind), v6(kind, whole6), 1 <= kind && kind <= 4, true, 6, true, 40)
	}
	add("IPv4, the promised eight bytes", v4(3, whole4[:28]), true, true, 6, true, 20)
	add("IPv4, seven bytes", v4(3, whole4[:27]), true, false, 0, false, 0)
	add("IPv4, cut in the header", v4(3, whole4[:19]), true, false, 0, false, 0)
	add("IPv4, nothing quoted", v4(3, nil), true, false, 0, false, 0)
	add("IPv4 with options", v4(11, ip4(17, 0, zeros(8), udp(4))), true, true, 17, true, 28)
	add("IPv4, options beyond the quote", v4(11, ip4(17, 0, zeros(8), udp(4))[:24]), true, false, 0, false, 0)
	add("IPv4, header length 4", v4(3, patched(whole4, 0, 0x44)), true, false, 0, false, 0)
	add("IPv4, first fragment", v4(11, ip4(6, 0x2000, nil, tcp(0x10))), true, true, 6, true, 20)
	add("IPv4, later fragment", v4(11, ip4(6, 0x0010, nil, tcp(0x10))), true, false, 0, false, 0)
	add("IPv4, a protocol without ports", v4(3, ip4(50, 0, nil, zeros(3))), true, true, 50, false, 20)
	add("IPv4 quotes IPv6", v4(3, whole6), true, false, 0, false, 0)
	add("IPv6 quotes IPv4", v6(1, whole4), true, false, 0, false, 0)
	add("IPv6, eight bytes", v6(2, whole6[:48]), true, true, 6, true, 40)
	add("IPv6, seven bytes", v6(2, whole6[:47]), true, false, 0, false, 0)
	add("IPv6, extensions", v6(2, ip6(0, ext(60, 1), ext(17, 0), udp(4))), true, true, 17, true, 40+16+8)
	add("IPv6, cut in an extension", v6(2, ip6(0, ext(60, 1))[:50]), true, false, 0, false, 0)
	add("IPv6, atomic fragment", v6(2, ip6(44, frag(6, 0, 0), tcp(0x10))), true, true, 6, true, 48)
	add("IPv6, first fragment", v6(3, ip6(44, frag(60, 0, 1), ext(6, 0), tcp(0x10))), true, true, 6, true, 56)
	add("IPv6, later fragment", v6(3, ip6(44, frag(6, 5, 1), tcp(0x10))), true, false, 0, false, 0)
	add("IPv6, a fragment in a fragment", v6(3, ip6(44, frag(44, 0, 1), frag(6, 0, 1), tcp(0x10))), true, false, 0, false, 0)
	add("ICMP's protocol number in IPv6", eth(0x86dd, ip6(1, icmp(3, 0, whole6))), false, true, 6, true, 40)
	add("ICMPv6's protocol number in IPv4", eth(0x0800, ip4(58, 0, nil, icmp(3, 0, whole4))), false, true, 6, true, 20)
	add("seven bytes of ICMP", eth(0x0800, ip4(1, 0, nil, icmp(3, 0, nil)[:7])), false, false, 0, false, 0)
	return list
}()

func patched(b []byte, at int, value byte) []byte {
	c := cat(b)
	c[at] = value
	return c
}

func TestQuoted(t *testing.T) {
	for _, s := range quoteShapes {
		var h, q Headers
		if r := Parse(s.frame, 0, &h); r != Whole {
			t.Fatalf("%s: parse %s", s.name, name(r))
		}
		if got := ICMPError(s.frame, &h); got != s.isError {
			t.Errorf("%s: error %v, want %v", s.name, got, s.isError)
		}
		if got := Quoted(s.frame, &h, &q); got != s.quoted {
			t.Errorf("%s: quoted %v, want %v", s.name, got, s.quoted)
			continue
		}
		if !s.quoted {
			continue
		}
		if q.L3 != h.L4+8 || int(q.L4-q.L3) != s.l4 || q.Proto != s.proto || q.Ports != s.ports || q.IPv6 != h.IPv6 || q.End != h.End {
			t.Errorf("%s: %+v", s.name, q)
		}
	}
}

// FuzzQuoted: whatever is quoted, what is said of it is within the packet.
func FuzzQuoted(f *testing.F) {
	for _, s := range quoteShapes {
		f.Add(s.frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		frame = frame[:len(frame):len(frame)]
		var h, q Headers
		if Parse(frame, 0, &h) != Whole {
			return
		}
		ICMPError(frame, &h)
		if !Quoted(frame, &h, &q) {
			return
		}
		header := uint16(IPv4Len)
		if q.IPv6 {
			header = IPv6Len
		}
		if q.L3 < h.L4 || q.L4 < q.L3+header || q.L4 > q.End || q.End > h.End || q.Ports && q.L4+8 > q.End {
			t.Fatalf("quote %+v in %+v", q, h)
		}
	})
}
