package main

import "fmt"

// Extension headers, by how they are usually seen.
func hbh() ext  { return ext{hopByHop, []byte{0, 0, 1, 4, 0, 0, 0, 0}} } // PadN
func dest() ext { return ext{destination, []byte{0, 0, 1, 4, 0, 0, 0, 0}} }
func auth() ext { return ext{ah, append(make([]byte, 4), text(20)...)} } // SPI, sequence, 96 bits of ICV
func segments() ext { // RFC 8754: one segment, the last, is reached
	return ext{routing, cat([]byte{0, 0, 4, 0, 0, 0, 0, 0}, make([]byte, 16))}
}
func piece(offset, more int, id uint32) ext { // RFC 8200, 4.5
	return ext{fragment, cat([]byte{0, 0}, word(offset|more), long(id))}
}
func long8(n int) ext {
	return ext{destination, append([]byte{0, 0, 1, byte(n - 4)}, make([]byte, n-4)...)}
}

// extensions are packets with IPv4 options and IPv6 extension headers.
func extensions() []*scene {
	o := newScene("ipv4-options", "IPv4 options: they go through as they came, and stand in nobody's way.", useBase, setFour, setSix, "entries 9")
	h := ip{src: client4, dst: v44}
	plain := o.forward(h.tcp(1000, 80, syn, 0), "to four", "a flow without options")
	options := []struct {
		name  string
		bytes []byte
	}{
		{"no-operation and end", []byte{1, 1, 1, 0}},
		{"record route", []byte{7, 7, 4, 0, 0, 0, 0, 0}},
		{"timestamp", cat([]byte{68, 12, 5, 0}, make([]byte, 8))},
		{"router alert", []byte{148, 4, 0, 0}},
		{"loose source route, reached", []byte{131, 7, 8, 192, 0, 2, 1, 0}},
		{"strict source route, reached", []byte{137, 7, 8, 192, 0, 2, 1, 0}},
		{"all forty bytes", cat([]byte{7, 39, 4}, make([]byte, 36), []byte{0})},
		{"an unknown option", []byte{0x9e, 4, 1, 2}},
		{"an option of no length", []byte{0x9e, 0, 0, 0}},
		{"an option longer than the header", []byte{0x9e, 44, 0, 0}},
	}
	for i, v := range options {
		h.options, h.id = v.bytes, uint16(i)
		o.forward(h.tcp(1000, 80, ack, i), as(plain), "its flow: "+v.name)
	}
	for i := range 8 {
		h := ip{src: c4(20 + i), dst: v46, options: options[i].bytes}
		o.forward(padded(h.udp(1000, 40000, 0)), "to six", "another flow: "+options[i].name+", padded")
	}

	s := newScene("ipv6-extensions", "IPv6 extension headers: walked over to the ports, up to eight of them.", useBase, setFour, setSix, "entries 2")
	h6 := ip{src: client6, dst: v66}
	k := s.forward(h6.tcp(1000, 80, syn, 0), "to six", "a flow without extension headers")
	u := s.forward(ip{src: client6, dst: v64}.udp(1000, 40000, 0), "to four", "another, of UDP to IPv4 backends")
	chains := []struct {
		name  string
		chain []ext
	}{
		{"hop-by-hop", []ext{hbh()}},
		{"destination options", []ext{dest()}},
		{"segment routing", []ext{segments()}},
		{"routing, type 0", []ext{{routing, make([]byte, 8)}}},
		{"authentication", []ext{auth()}},
		{"a fragment header of a whole packet", []ext{piece(0, 0, 77)}},
		{"all that RFC 8200 recommends, in its order", []ext{hbh(), dest(), segments(), piece(0, 0, 78), auth(), dest()}},
		{"any order", []ext{auth(), dest(), hbh(), segments(), hbh()}},
		{"eight", []ext{hbh(), dest(), dest(), dest(), dest(), dest(), dest(), dest()}},
		{"destination options of 256 bytes", []ext{long8(256)}},
	}
	for i, c := range chains {
		h6.chain = c.chain
		s.forward(h6.tcp(1000, 80, ack, i), as(k), "its flow: "+c.name)
		s.forward(ip{src: client6, dst: v64, chain: c.chain}.udp(1000, 40000, i+1), as(u), "the other flow: "+c.name)
	}
	h6.chain = []ext{hbh(), dest(), dest(), dest(), dest(), dest(), dest(), dest(), dest()}
	s.drop(h6.tcp(1000, 80, ack, 20), "too_many_extensions", "nine")
	h6.chain = []ext{hbh()}
	s.drop(patched(h6.tcp(1000, 80, ack, 0), 55, 9), "truncated_header", "an extension header longer than the packet")
	h6.chain = []ext{hbh(), dest()}
	whole := h6.packet(noNext)
	s.drop(eth(patched(whole[:52], 4, 0, 12)), "truncated_header", "the packet ends inside its second extension header")
	h6.chain = []ext{dest()}
	s.add(eth(h6.packet(noNext)), "port_refused", "error 1/4 from "+v66, "No Next Header behind destination options, for a VIP of TCP")
	s.drop(eth(h6.packet(tcp6, text(19))), "truncated_transport", "a TCP header that is cut, behind destination options")
	return []*scene{o, s}
}

func malformed() []*scene {
	s := newScene("malformed", "What cannot be read, or is not for a node to forward: one verdict each.", useBase, setFour)
	h4, h6 := ip{src: client4, dst: v44}, ip{src: client6, dst: v66}
	good, good6 := h4.tcp(1000, 80, ack, 50), h6.tcp(1000, 80, ack, 50)
	s.drop(good[:10], "truncated_frame", "ten bytes")
	s.drop(good[:13], "truncated_frame", "an Ethernet header but for a byte")
	s.drop(good[:14], "truncated_header", "an Ethernet header alone")
	s.drop(good[:14+19], "truncated_header", "cut in the IPv4 header")
	s.drop(good6[:14+39], "truncated_header", "cut in the IPv6 header")
	s.drop(cat(everyone, good[6:]), "group_address", "broadcast")
	s.drop(cat([]byte{0x01, 0, 0x5e, 0, 0, 1}, good[6:]), "group_address", "IPv4 multicast")
	s.drop(cat([]byte{0x33, 0x33, 0, 0, 0, 1}, good6[6:]), "group_address", "IPv6 multicast")
	s.drop(padded(patched(good[:42], 12, 0x08, 0x06)), "not_ip", "ARP, with nobody to take it")
	s.drop(patched(good, 12, 0x99, 0x99), "not_ip", "an unknown EtherType")
	s.drop(patched(good, 12, 0, 46), "not_ip", "an IEEE 802.3 length")
	s.drop(patched(good, 14, 0x55), "bad_version", "version 5")
	s.drop(patched(good, 14, 0x65), "bad_version", "version 6 as IPv4")
	s.drop(patched(good6, 14, 0x40), "bad_version", "version 4 as IPv6")
	s.drop(patched(good, 14, 0x44), "bad_header_length", "an IPv4 header of four words")
	s.drop(patched(good, 14, 0x40), "bad_header_length", "of none")
	s.drop(patched(good, 16, 0x7f), "bad_length", "longer than the frame")
	s.drop(patched(good, 16, 0, 19), "bad_length", "shorter than its header")
	s.drop(patched(patched(good, 14, 0x4f), 16, 0, 59), "bad_length", "shorter than its header with options")
	s.drop(patched(good6, 18, 0x7f), "bad_length", "IPv6, longer than the frame")
	s.drop(eth(h4.packet(tcp6, text(19))), "truncated_transport", "TCP of 19 bytes")
	s.drop(padded(eth(h4.packet(udp17, text(7)))), "truncated_transport", "UDP of 7 bytes, padded")
	s.drop(eth(h6.packet(sctp, text(11))), "truncated_transport", "SCTP of 11 bytes")
	s.drop(eth(h4.packet(tcp6)), "truncated_transport", "TCP of none")
	s.drop(h4.tcp(1000, 80, ack, 2100), "multi_segment", "a frame longer than a buffer: beyond any MTU of the port")
	inner := h4.packet(tcp6, h4.tcpSegment(1000, 80, syn, nil, 0))
	s.drop(eth(h4.packet(gre47, []byte{0, 0, 8, 0}, inner)), "tunnelled", "GRE to a VIP")
	s.drop(eth(h4.packet(ipip, inner)), "tunnelled", "IP in IP to a VIP")
	s.drop(eth(h6.packet(ipv6, good6[14:])), "tunnelled", "IPv6 in IPv6 to a VIP")
	s.drop(eth(h6.packet(gre47, []byte{1, 0, 8, 0}, inner)), "tunnelled", "GRE that says it is from another node, to a VIP")
	s.drop(ip{src: client4, dst: "203.0.113.99"}.tcp(1000, 80, syn, 0), "not_vip", "for nobody that we know")
	s.drop(ip{src: client6, dst: "2001:db8:cafe::99"}.tcp(1000, 80, syn, 0), "not_vip", "the same, IPv6")
	s.drop(eth(ip{src: client4, dst: "203.0.113.99"}.packet(gre47, []byte{0, 0, 8, 0}, inner)), "not_vip", "GRE for nobody that we know")
	s.drop(ip{src: client4, dst: "203.0.113.99"}.icmp(8, 0, 1, text(8)), "not_vip", "echo request for nobody that we know")
	s.drop(ip{src: client4, dst: "203.0.113.99", word: more}.packetOf(udp17), "not_vip", "a fragment for nobody that we know")
	s.drop(ip{src: client4, dst: v44, word: more}.udp(1000, 80, 8), "fragment_dropped", "a first fragment for a VIP that takes none")
	s.drop(ip{src: client4, dst: v44, word: 100}.packetOf(udp17), "fragment_dropped", "a later one")
	s.forward(good, "to four", "and after all that a good packet")
	return []*scene{s}
}

// icmps are ICMP and ICMPv6 messages to VIPs.
func icmps() []*scene {
	s := newScene("icmp-errors", `Errors about packets that backends sent to clients: they go where the client's flow goes, by what they
		quote, and make no entry in the connection table.`, useBase, setFour, setSix, "entries 5", "odd")
	flow4 := ip{src: client4, dst: v44}
	t4 := s.forward(flow4.tcp(1000, 80, syn, 0), "to four", "a TCP flow")
	u4 := s.forward(ip{src: client4, dst: v46}.udp(1000, 40000, 0), "to six", "a UDP flow to IPv6 backends")
	flow6 := ip{src: client6, dst: v66}
	t6 := s.forward(flow6.tcp(1000, 80, syn, 0), "to six", "a TCP flow over IPv6")
	u6 := s.forward(ip{src: client6, dst: v64}.udp(1000, 40000, 0), "to four", "a UDP flow over IPv6 to IPv4 backends")

	back := ip{src: v44, dst: client4, word: df}
	answer := back.packet(tcp6, back.tcpSegment(80, 1000, ack, nil, 1000))
	from := ip{src: router4, dst: v44}
	for _, kind := range []struct {
		kind, code byte
		rest       uint32
		name       string
	}{
		{3, 0, 0, "network unreachable"}, {3, 1, 0, "host unreachable"}, {3, 3, 0, "port unreachable"},
		{3, 4, 1400, "fragmentation needed, MTU 1400"}, {3, 13, 0, "prohibited"},
		{11, 0, 0, "time exceeded on the way"}, {11, 1, 0, "reassembly time exceeded"}, {12, 0, 20 << 24, "parameter problem"},
	} {
		s.forward(from.icmp(kind.kind, kind.code, kind.rest, answer[:548]), as(t4), kind.name)
		s.forward(from.icmp(kind.kind, kind.code, kind.rest, answer[:28]), as(t4), kind.name+", quotes eight bytes of TCP")
	}
	s.forward(padded(from.icmp(3, 4, 1300, answer[:28])), as(t4), "padded")
	options := from
	options.options = []byte{148, 4, 0, 0}
	s.forward(options.icmp(3, 4, 1400, answer[:28]), as(t4), "with options of its own")
	quoted := back
	quoted.options = cat([]byte{7, 39, 4}, make([]byte, 37))
	s.forward(from.icmp(3, 4, 1400, quoted.packet(tcp6, back.tcpSegment(80, 1000, ack, nil, 0))[:68]), as(t4), "options inside the quote, all forty bytes")
	first := back
	first.word = more
	s.forward(from.icmp(11, 1, 0, first.packet(tcp6, back.tcpSegment(80, 1000, ack, nil, 1000))[:60]), as(t4), "about a first fragment")
	udpBack := ip{src: v46, dst: client4}
	s.forward(ip{src: router4, dst: v46}.icmp(3, 3, 0, udpBack.packet(udp17, udpBack.udpDatagram(40000, 1000, 4))), as(u4), "about UDP, to IPv6 backends")
	s.forward(ip{src: client4, dst: v46}.icmp(3, 3, 0, udpBack.packet(udp17, udpBack.udpDatagram(40000, 1000, 0))), as(u4), "from the client itself")

	back6, from6 := ip{src: v66, dst: client6}, ip{src: router6, dst: v66}
	answer6 := back6.packet(tcp6, back6.tcpSegment(80, 1000, ack, nil, 1300))
	for _, kind := range []struct {
		kind, code byte
		rest       uint32
		name       string
	}{
		{1, 0, 0, "no route"}, {1, 4, 0, "port unreachable"}, {2, 0, 1280, "packet too big, MTU 1280"},
		{3, 0, 0, "hop limit exceeded"}, {3, 1, 0, "reassembly time exceeded"}, {4, 1, 40, "parameter problem"},
	} {
		s.forward(from6.icmp(kind.kind, kind.code, kind.rest, answer6[:1232]), as(t6), kind.name+", IPv6")
		s.forward(from6.icmp(kind.kind, kind.code, kind.rest, answer6[:48]), as(t6), kind.name+", quotes eight bytes of TCP")
	}
	own := from6
	own.chain = []ext{dest()}
	s.forward(own.icmp(2, 0, 1300, answer6[:48]), as(t6), "with an extension header of its own")
	for _, c := range []struct {
		name  string
		chain []ext
	}{
		{"hop-by-hop", []ext{hbh()}}, {"segment routing and authentication", []ext{segments(), auth()}},
		{"the fragment header of a first fragment", []ext{piece(0, 1, 7)}},
		{"eight extension headers", []ext{hbh(), dest(), dest(), dest(), dest(), dest(), dest(), dest()}},
	} {
		inside := back6
		inside.chain = c.chain
		s.forward(from6.icmp(2, 0, 1280, inside.packet(tcp6, back6.tcpSegment(80, 1000, ack, nil, 0))), as(t6), "inside the quote: "+c.name)
	}
	udpBack6 := ip{src: v64, dst: client6}
	s.forward(ip{src: router6, dst: v64}.icmp(1, 4, 0, udpBack6.packet(udp17, udpBack6.udpDatagram(40000, 1000, 4))), as(u6), "about UDP over IPv6, to IPv4 backends")

	unknown := ip{src: v44, dst: another4}
	e := s.forward(from.icmp(3, 4, 1400, unknown.packet(tcp6, unknown.tcpSegment(80, 2000, ack, nil, 0))), "to four", "about a flow that is not known: by the lookup table")
	s.forward(ip{src: another4, dst: v44}.tcp(2000, 80, ack, 0), as(e), "which takes the flow itself to the same backend")

	s.drop(from.icmp(3, 1, 0, answer[:27]), "icmp_unreadable", "quotes seven bytes of TCP")
	s.drop(from.icmp(3, 1, 0, answer[:19]), "icmp_unreadable", "quotes a part of the IPv4 header")
	s.drop(from.icmp(3, 1, 0), "icmp_unreadable", "quotes nothing")
	later := back
	later.word = 100
	s.drop(from.icmp(11, 1, 0, later.packet(tcp6, text(100))), "icmp_unreadable", "about a later fragment")
	s.drop(from.icmp(3, 1, 0, answer6[:60]), "icmp_unreadable", "quotes IPv6")
	s.drop(from6.icmp(1, 0, 0, answer6[:47]), "icmp_unreadable", "quotes seven bytes of TCP, IPv6")
	inside := back6
	inside.chain = []ext{piece(800, 0, 7)}
	s.drop(from6.icmp(3, 1, 0, inside.packet(tcp6, text(100))), "icmp_unreadable", "about a later fragment, IPv6")
	inside.chain = []ext{hbh(), dest(), dest(), dest(), dest(), dest(), dest(), dest(), dest()}
	s.drop(from6.icmp(1, 0, 0, inside.packet(tcp6, text(100))), "icmp_unreadable", "nine extension headers inside the quote")
	s.drop(from.icmp(3, 1, 0, udpBack.packet(udp17, udpBack.udpDatagram(40000, 1000, 0))), "icmp_mismatch", "about a packet from another VIP")
	s.drop(from6.icmp(1, 0, 0, udpBack6.packet(udp17, udpBack6.udpDatagram(40000, 1000, 0))), "icmp_mismatch", "the same, IPv6")
	s.drop(from.icmp(3, 1, 0, back.packet(tcp6, back.tcpSegment(81, 1000, ack, nil, 0))), "no_service", "about a port that no service has: nobody is told of an error")
	for _, kind := range []struct {
		kind byte
		name string
	}{{0, "echo reply"}, {4, "source quench"}, {5, "redirect"}, {9, "router advertisement"}, {13, "timestamp"}, {17, "address mask"}, {255, "an unknown type"}} {
		s.drop(from.icmp(kind.kind, 0, 0, answer[:28]), "icmp_dropped", kind.name)
	}
	for _, kind := range []struct {
		kind byte
		name string
	}{{129, "echo reply"}, {130, "listener query"}, {134, "router advertisement"}, {135, "neighbour solicitation"}, {137, "redirect"}, {5, "an unknown error type"}} {
		s.drop(from6.icmp(kind.kind, 0, 0, answer6[:48]), "icmp_dropped", kind.name+", IPv6")
	}
	s.drop(eth(from.packet(icmp4, text(7))), "icmp_dropped", "seven bytes of ICMP")
	s.drop(eth(from.packet(icmp6, text(30))), "icmp_dropped", "ICMPv6 over IPv4")
	return []*scene{s, echo()}
}

func echo() *scene {
	s := newScene("echo", "Echo requests: answered by the node, forwarded, or dropped, as the VIP says.", useBase, setFour, setSix)
	answered := func(frame []byte, what string) { s.add(frame, "echo_answered", "echo", what) }
	for _, n := range []int{0, 1, 8, 56, 57, 1400, 1472} {
		answered(ip{src: client4, dst: v44, tos: 0xb8}.icmp(8, 0, 0x00070001, text(n)), fmt.Sprintf("of %d bytes", n))
		answered(ip{src: client6, dst: v66}.icmp(128, 0, 0x00070001, text(min(n, 1452))), fmt.Sprintf("of %d bytes, IPv6", min(n, 1452)))
	}
	answered(padded(ip{src: client4, dst: v44}.icmp(8, 0, 0x00080001)), "padded")
	answered(ip{src: client4, dst: v44, ttl: 1}.icmp(8, 0, 0x00080002), "with TTL 1, as traceroute has it")
	answered(ip{src: client6, dst: "2001:db8:cafe:1:2:3:4:5"}.icmp(128, 0, 0x00080001), "to some address of a prefix VIP")
	answered(ip{src: client4, dst: "203.0.113.30"}.icmp(8, 0, 0x00080003), "where all backends drain")
	h4, h6 := ip{src: client4, dst: "203.0.113.40"}, ip{src: client6, dst: "2001:db8:cafe::40"}
	k := s.forward(h4.icmp(8, 0, 0x00070001, text(56)), "to four", "forwarded: to the backend of the client")
	s.forward(h4.icmp(8, 0, 0x00070002, text(56)), as(k), "forwarded: the next one")
	s.forward(h4.icmp(8, 0, 0x00080001, text(57)), as(k), "forwarded: another identifier")
	k = s.forward(h6.icmp(128, 0, 0x00070001, text(56)), "to six", "forwarded, IPv6")
	s.forward(h6.icmp(128, 0, 0x00080001, text(56)), as(k), "forwarded: another identifier, IPv6")
	s.drop(ip{src: client4, dst: "203.0.113.50"}.icmp(8, 0, 0x00070001), "icmp_dropped", "dropped")
	s.drop(ip{src: client4, dst: v44, options: []byte{1, 1, 1, 0}}.icmp(8, 0, 0x00070001), "icmp_dropped", "with options, which an answer would have to take apart")
	s.drop(ip{src: client6, dst: v66, chain: []ext{dest()}}.icmp(128, 0, 0x00070001), "icmp_dropped", "with an extension header")
	s.drop(ip{src: "224.0.0.1", dst: v44}.icmp(8, 0, 0x00070001), "icmp_dropped", "from a group")
	s.drop(ip{src: "::", dst: v66}.icmp(128, 0, 0x00070001), "icmp_dropped", "from nobody")
	return s
}

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
