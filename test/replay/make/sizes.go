package main

import "fmt"

// sizes are packets that do not fit, and SYNs that say what would.
func sizes() []*scene {
	s := newScene("too-big", `Packets that do not fit their tunnel. The port's MTU is 1500, GRE takes 24 bytes over IPv4 and 44 over
		IPv6. Where Don't Fragment is set, and for IPv6, the client is told the MTU that is left; else the packet is cut before it
		goes into tunnels, or dropped.`, "config size", setFour, setSix)
	s.squeeze = true
	sized := func(h ip, n int) []byte {
		head := 28 + len(h.options)
		if h.is6() {
			head = 48
		}
		return h.udp(1000, 40000, n-head)
	}
	for _, way := range []struct {
		h    ip
		to   string
		room int
		kind string
	}{
		{ip{src: client4, dst: v44, word: df}, "to four", 1476, "error 3/4"},
		{ip{src: client4, dst: "203.0.113.20", word: df}, "to six", 1456, "error 3/4"},
		{ip{src: client6, dst: v66}, "to six", 1456, "error 2/0"},
		{ip{src: client6, dst: "2001:db8:cafe::20"}, "to four", 1476, "error 2/0"},
	} {
		k := s.forward(sized(way.h, way.room), way.to, fmt.Sprintf("%d bytes: the most that fits", way.room))
		s.add(sized(way.h, way.room+1), "too_big_answered", fmt.Sprintf("%s mtu %d", way.kind, way.room), "one byte more")
		s.add(sized(way.h, 1500), "too_big_answered", fmt.Sprintf("%s mtu %d", way.kind, way.room), "1500 bytes")
		if !way.h.is6() {
			way.h.word, way.h.id = 0, 1
			s.add(sized(way.h, way.room+1), "forwarded*2", as(k)+" pieces 2", "one byte more, without Don't Fragment")
			way.h.id = 2
			s.add(sized(way.h, 1500), "forwarded*2", as(k)+" pieces 2", "1500 bytes, without Don't Fragment")
		}
	}
	h := ip{src: client4, dst: v44, id: 3, options: []byte{148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0}}
	s.add(sized(h, 1500), "forwarded*2", "to four pieces 2", "with options, one of which goes into every piece")
	h.word = df
	s.add(sized(h, 1500), "too_big_answered", "error 3/4 mtu 1476", "the same with Don't Fragment")
	h = ip{src: client4, dst: "203.0.113.30", id: 4}
	s.forward(sized(h, 1476), "to four", "a VIP that does not cut: the most that fits")
	s.drop(sized(h, 1477), "too_big", "one byte more, without Don't Fragment")
	h.word = df
	s.add(sized(h, 1477), "too_big_answered", "error 3/4 mtu 1476", "one byte more, with it")
	s.drop(sized(ip{src: "224.0.0.9", dst: v44, word: df}, 1500), "too_big", "from a group, which nobody speaks to")
	s.drop(patched(sized(ip{src: another4, dst: v44, word: df}, 1500), 24, 0xde, 0xad), "too_big", "with a wrong header checksum")
	s.drop(patched(sized(ip{src: another4, dst: v44}, 1500), 24, 0xde, 0xad), "too_big", "the same, to be cut: pieces would hide it")
	back := ip{src: v44, dst: client4}
	quote := back.packet(udp17, back.udpDatagram(40000, 1000, 1444))
	s.add(ip{src: router4, dst: v44, id: 5}.icmp(3, 1, 0, quote), "forwarded*2", "to four pieces 2", "an ICMP error of 1500 bytes, without Don't Fragment")
	s.drop(ip{src: router4, dst: v44, word: df}.icmp(3, 1, 0, quote), "too_big", "an ICMP error with Don't Fragment: no error about errors")

	m := newScene("mss", "SYNs to VIPs with an mss have theirs lowered, and the checksum is right again. Nothing else is touched.", "config size", setFour, setSix)
	option := func(v int) []byte { return cat([]byte{2, 4}, word(v)) }
	for i, v := range []struct {
		name    string
		flags   byte
		options []byte
		lowered bool
	}{
		{"SYN with MSS 1460", syn, option(1460), true},
		{"SYN with MSS 65535", syn, option(65535), true},
		{"SYN with MSS behind other options", syn, cat([]byte{1, 1, 4, 2, 3, 3, 7, 1}, option(1460)), true},
		{"SYN with MSS at an odd place", syn, cat([]byte{1}, option(1460), []byte{4, 2, 0}), true},
		{"SYN with ECN flags", syn | 0xc0, option(1460), true},
		{"SYN with MSS below that", syn, option(1000), false},
		{"SYN with no MSS", syn, nil, false},
		{"SYN with options that cannot be read", syn, cat([]byte{3, 0, 1, 1}, option(1460)), false},
		{"SYN with an authentication option", syn, cat(option(1460), []byte{29, 4, 0, 0}), false},
		{"ACK with what looks like an MSS", ack, option(1460), false},
	} {
		for _, way := range []struct {
			h   ip
			to  string
			mss string
		}{
			{ip{src: c4(i), dst: "203.0.113.50"}, "to four", " mss 1220"},
			{ip{src: c6(i), dst: "2001:db8:cafe::50"}, "to six", " mss 1200"},
			{ip{src: c4(i), dst: v44}, "to four", ""},
		} {
			to, name := way.to, v.name
			if v.lowered && way.mss != "" {
				to += way.mss
			}
			if way.mss == "" {
				name += ", to a VIP with no mss"
			}
			m.forward(eth(way.h.packet(tcp6, way.h.tcpSegment(1000, 80, v.flags, v.options, i))), to, name)
		}
	}
	return []*scene{s, m}
}
