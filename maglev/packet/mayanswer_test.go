package packet

import "testing"

type answerShape struct {
	name  string
	frame []byte
	want  bool
}

// summed is an Ethernet frame with an IPv4 packet whose header checksum is
// right again.
func summed(frame []byte) []byte {
	ip := frame[14:]
	ip = ip[:ip[0]&0x0f*4]
	copy(ip[10:], zeros(2))
	copy(ip[10:], word(int(^plainSum(ip))))
	return frame
}

// replaced is a copy of b with other bytes from some offset on.
func replaced(b []byte, at int, with ...byte) []byte {
	b = cat(b)
	copy(b[at:], with)
	return b
}

var answerable = func() (list []answerShape) {
	add := func(name string, frame []byte, want bool) { list = append(list, answerShape{name, frame, want}) }
	v4 := eth(0x0800, ip4(17, 0x4000, nil, udp(8)))
	v6 := eth(0x86dd, ip6(17, udp(8)))
	with4 := func(at int, address ...byte) []byte { return summed(replaced(v4, at, address...)) }
	ones, loopback := []byte{255, 255, 255, 255}, append(zeros(15), 1)

	add("IPv4", v4, true)
	add("IPv4 with options", eth(0x0800, ip4(17, 0, zeros(12), udp(8))), true)
	add("IPv4 protocol without ports", eth(0x0800, ip4(253, 0, nil)), true)
	add("IPv4 first fragment", eth(0x0800, ip4(17, 0x2000, nil, udp(8))), true)
	add("IPv4 later fragment", eth(0x0800, ip4(17, 0x2001, nil, udp(8))), false)
	add("IPv4 last fragment", eth(0x0800, ip4(17, 0x1fff, nil, udp(8))), false)
	add("IPv4 header checksum", edit(v4, 22, 1), false)
	add("IPv4 header checksum, in the options", edit(eth(0x0800, ip4(17, 0, zeros(12), udp(8))), 14+31, 1), false)
	for _, c := range []struct {
		name    string
		address []byte
		want    bool
	}{
		{"this network", []byte{0, 1, 2, 3}, false},
		{"1.0.0.0", []byte{1, 0, 0, 0}, true},
		{"loopback", []byte{127, 0, 0, 1}, false},
		{"126 and 128", []byte{126, 255, 255, 255}, true},
		{"128.0.0.0", []byte{128, 0, 0, 0}, true},
		{"below multicast", []byte{223, 255, 255, 255}, true},
		{"multicast", []byte{224, 0, 0, 1}, false},
		{"class E", []byte{240, 0, 0, 1}, false},
		{"broadcast", ones, false},
	} {
		add("IPv4 from "+c.name, with4(26, c.address...), c.want)
		add("IPv4 to "+c.name, with4(30, c.address...), c.want)
	}
	add("IPv6", v6, true)
	for _, c := range []struct {
		name    string
		address []byte
		want    bool
	}{
		{"unspecified", zeros(16), false},
		{"loopback", loopback, false},
		{"::ff", append(zeros(15), 0xff), false},
		{"multicast", []byte{0xff, 0x0e, 15: 1}, false},
		{"link-local", []byte{0xfe, 0x80, 15: 1}, true},
		{"an address of one bit, high", []byte{0x20, 15: 0}, true},
		{"an address of one bit, low", []byte{14: 1, 15: 0}, true},
	} {
		add("IPv6 from "+c.name, replaced(v6, 22, c.address...), c.want)
		add("IPv6 to "+c.name, replaced(v6, 38, c.address...), c.want)
	}
	for _, frame := range [][]byte{v4, v6} {
		add("to a group of stations", edit(frame, 0, 3), false)
		add("from a group of stations", edit(frame, 6, 3), false)
	}
	for kind := range 256 {
		add("ICMP", eth(0x0800, ip4(1, 0, nil, icmp(kind, 0, nil))), kind == 0 || kind == 8)
		add("ICMP, first fragment", eth(0x0800, ip4(1, 0x2000, nil, icmp(kind, 0, nil))), kind == 0 || kind == 8)
		echo := kind == 128 || kind == 129
		add("ICMPv6", eth(0x86dd, ip6(58, icmp(kind, 0, nil))), echo)
		add("ICMPv6, extensions", eth(0x86dd, ip6(0, ext(60, 1), ext(58, 0), icmp(kind, 0, nil))), echo)
		add("ICMPv6, atomic fragment", eth(0x86dd, ip6(44, frag(58, 0, 0), icmp(kind, 0, nil))), echo)
		add("ICMPv6, first fragment", eth(0x86dd, ip6(44, frag(58, 0, 1), icmp(kind, 0, nil))), echo)
		add("ICMPv6, first fragment, extensions", eth(0x86dd, ip6(44, frag(60, 0, 1), ext(58, 1), icmp(kind, 0, nil))), echo)
		// What a later fragment begins with is no type.
		add("ICMPv6, later fragment", eth(0x86dd, ip6(44, frag(58, 1, 1), icmp(kind, 0, nil))), false)
	}
	add("ICMP of no byte", eth(0x0800, ip4(1, 0, nil)), false)
	add("ICMP of no byte, before padding that begins with an echo request", eth(0x0800, ip4(1, 0, nil), icmp(8, 0, nil)), false)
	add("ICMPv6 of no byte", eth(0x86dd, ip6(58), icmp(128, 0, nil)), false)
	add("ICMPv6's number in IPv4", eth(0x0800, ip4(58, 0, nil, icmp(3, 0, nil))), true)
	add("ICMP's number in IPv6", eth(0x86dd, ip6(1, icmp(3, 0, nil))), true)
	add("IPv6 first fragment of UDP", eth(0x86dd, ip6(44, frag(17, 0, 1), udp(8))), true)
	add("IPv6 first fragment of UDP, cut in its header", eth(0x86dd, ip6(44, frag(17, 0, 1), zeros(4))), true)
	add("IPv6 first fragment, cut in its extensions", eth(0x86dd, ip6(44, frag(60, 0, 1), ext(58, 4)[:16])), false)
	add("IPv6 first fragment in a first fragment", eth(0x86dd, ip6(44, frag(44, 0, 1), frag(58, 0, 1), icmp(1, 0, nil))), false)
	for _, proto := range []int{6, 17, 132} {
		add("IPv6 later fragment", eth(0x86dd, ip6(44, frag(proto, 2, 1), zeros(8))), true)
	}
	for _, proto := range []int{0, 43, 44, 51, 58, 60} {
		add("IPv6 later fragment that goes on with an extension", eth(0x86dd, ip6(44, frag(proto, 2, 1), zeros(8))), false)
	}
	return list
}()

func TestMayAnswer(t *testing.T) {
	for _, s := range answerable {
		var h Headers
		if r := Parse(edit(s.frame, 0, 2), 0, &h); r != Whole && r != Fragment {
			t.Fatalf("%s: parse: %s", s.name, name(r))
		}
		if got := MayAnswer(s.frame, &h); got != s.want {
			t.Errorf("%s, % x: %v, want %v", s.name, s.frame, got, s.want)
		}
	}
}
