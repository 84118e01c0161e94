package main

import "fmt"

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

	unknown.dst = c4(40)
	s.forward(from.icmp(3, 4, 1400, unknown.packet(tcp6, unknown.tcpSegment(80, 2001, ack, nil, 0))), "to four", "about another that is not known: it has no entry then either")

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
	s := newScene("echo", "Echo requests: answered by the node, forwarded, or dropped, as the VIP says. They make no entry in the connection table.",
		useBase, setFour, setSix, "entries 0")
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
