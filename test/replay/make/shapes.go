package main

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
