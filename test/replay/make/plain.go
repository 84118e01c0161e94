package main

import (
	"fmt"
)

// Addresses of base.toml.
const (
	v44, v66  = "203.0.113.10", "2001:db8:cafe::10"
	v46, v64  = "203.0.113.20", "2001:db8:cafe:1::77"
	client4   = "198.51.100.7"
	client6   = "2001:db8:1::7"
	another4  = "198.51.100.8"
	router4   = "198.51.100.254"
	router6   = "2001:db8:1::fe"
	setFour   = "set four 10.0.0.1 10.0.0.2 10.0.0.3"
	setSix    = "set six 2001:db8:b::1 2001:db8:b::2"
	useBase   = "config base"
	spreadAll = "spread four six"
)

// clients are addresses of many clients.
func c4(i int) string { return fmt.Sprintf("198.51.100.%d", i%200+1) }
func c6(i int) string { return fmt.Sprintf("2001:db8:1::%x", i+1) }

func plain() []*scene {
	s := newScene("plain", `Whole packets of TCP and UDP, IPv4 and IPv6, in tunnels over either. A flow keeps
		its backend; padding does not come out.`, useBase, setFour, setSix, spreadAll, "entries 62")
	for i := range 10 {
		h4, h6 := ip{src: c4(i), dst: v44, id: uint16(i)}, ip{src: c6(i), dst: v66}
		k := s.forward(padded(h4.tcp(1000+i, 80, syn, 0)), "to four", "SYN, padded to the Ethernet minimum")
		s.forward(h4.tcp(1000+i, 80, ack, 2*i+1), as(k), "its flow: odd payload")
		s.forward(h4.tcp(1000+i, 80, fin|ack, 0), as(k), "its flow: FIN")
		s.forward(h4.tcp(1000+i, 8000+i, ack, 100), "to four", "a port of the range")
		k = s.forward(h6.tcp(1000+i, 80, syn, 0), "to six", "SYN over IPv6")
		s.forward(h6.tcp(1000+i, 80, ack, i), as(k), "its flow: data")
		s.forward(h6.tcp(1000+i, 80, rst, 0), as(k), "its flow: RST")
		s.forward(ip{src: c4(i), dst: v46, id: uint16(i)}.udp(50000+i, 40000+i, i), "to six", "UDP over IPv4 to IPv6 backends")
		s.forward(ip{src: c6(i), dst: v64}.udp(50000+i, 40000, i), "to four", "UDP over IPv6 to IPv4 backends")
		s.forward(ip{src: c6(i), dst: "2001:db8:cafe:1:ffff:ffff:ffff:ffff"}.udp(50000+i, 40000, i), "to four", "the same, the last address of a prefix VIP")
	}
	s.forward(ip{src: c4(0), dst: v44}.tcp(9, 80, ack, 1476-40), "to four", "the largest that fits")
	h := ip{src: client4, dst: v46}
	none := h.packet(udp17, cat(word(50000), word(40000), word(12), word(0), text(4)))
	k := s.forward(eth(none), "to six", "UDP without a checksum")
	h.ttl = 1
	s.forward(h.udp(50000, 40000, 11), as(k), "its flow: TTL 1, which is not counted down: a tunnel is one hop")
	return []*scene{s, unsound(), tos(), hashModes(), sourcePool()}
}

// unsound are packets with faults that are not a node's to find.
func unsound() *scene {
	s := newScene("unsound", "What only a packet's receiver looks at is left to it.", useBase, setFour, setSix, "odd")
	h := ip{src: client4, dst: v46}
	k := s.forward(h.udp(50000, 40000, 9), "to six", "a sound packet")
	s.forward(patched(h.udp(50000, 40000, 9), 41, 0x55), as(k), "a wrong UDP checksum")
	s.forward(patched(h.udp(50000, 40000, 10), 38, 0xff, 0xff), as(k), "a wrong UDP length")
	t := ip{src: client4, dst: v44}
	s.forward(patched(t.tcp(1000, 80, syn, 0), 46, 0x10), "to four", "a TCP header of one word")
	s.add(patched(ip{src: client4, dst: v44}.icmp(8, 0, 0x00080004, text(8)), 36, 0xde, 0xad), "echo_answered", "echo", "an echo request with a wrong checksum, which stays wrong")
	return s
}

func tos() *scene {
	s := newScene("dscp-ecn", "DSCP and ECN of the packet stand in the outer header, in every mix of families.", useBase, setFour, setSix)
	for i, v := range []int{0x00, 0x01, 0x02, 0x03, 0x04, 0x28, 0xb8, 0xb9, 0xc0, 0xe3, 0xfc, 0xff} {
		tos := fmt.Sprintf(" tos %#02x", v)
		name := fmt.Sprintf("DSCP %d, ECN %d", v>>2, v&3)
		s.forward(ip{src: c4(i), dst: v44, tos: byte(v)}.tcp(1000, 80, syn, 0), "to four"+tos, name+", IPv4 in IPv4")
		s.forward(ip{src: c4(i), dst: v46, tos: byte(v)}.udp(1000, 40000, 0), "to six"+tos, name+", IPv4 in IPv6")
		s.forward(ip{src: c6(i), dst: v66, tos: byte(v)}.tcp(1000, 80, syn, 0), "to six"+tos, name+", IPv6 in IPv6")
		s.forward(ip{src: c6(i), dst: v64, tos: byte(v)}.udp(1000, 40000, 0), "to four"+tos, name+", IPv6 in IPv4")
	}
	return s
}

func hashModes() *scene {
	s := newScene("hash-modes", "What decides the backend: all of the 5-tuple, all but the ports, or the source alone.",
		"set many 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8", "spread many")
	for _, family := range []struct {
		client              func(int) string
		five, three, source string
	}{
		{c4, "203.0.113.5", "203.0.113.3", "203.0.113.1"},
		{c6, "2001:db8:cafe::5", "2001:db8:cafe::3", "2001:db8:cafe::1"},
	} {
		for i := range 24 {
			s.forward(ip{src: family.client(0), dst: family.five, id: uint16(i)}.udp(1000+i, 40000, 0), "to many", "5-tuple: one client's ports are spread")
		}
		for i := range 3 {
			h := ip{src: family.client(i), dst: family.three}
			u := s.forward(h.udp(1000, 40000, 0), "to many", "3-tuple: UDP")
			t := s.forward(h.tcp(1000, 80, syn, 0), "to many", "3-tuple: TCP")
			for p := range 4 {
				s.forward(h.udp(2000+p, 40000+p, 0), as(u), "3-tuple: other ports")
				s.forward(h.tcp(2000+p, 80+p, syn, 0), as(t), "3-tuple: other ports")
			}
			h.dst = family.source
			u = s.forward(h.udp(1000, 40000, 0), "to many", "source: UDP")
			for p := range 4 {
				s.forward(h.udp(2000+p, 40000+p, 0), as(u), "source: other ports")
				s.forward(h.tcp(2000+p, 80+p, syn, 0), as(u), "source: another protocol")
			}
		}
	}
	return s
}

func sourcePool() *scene {
	s := newScene("source-pool", "Outer sources come of a pool: each flow has one of them and keeps it.", setFour, setSix,
		"sources 192.0.2.128 192.0.2.129 192.0.2.130 192.0.2.131 2001:db8::100 2001:db8::101 2001:db8::102 2001:db8::103")
	for i := range 80 {
		for _, way := range [][2]string{{v44, "to four"}, {v46, "to six"}} {
			h := ip{src: c4(i), dst: way[0], id: uint16(i)}
			k := s.forward(h.udp(1000+i, 40000, 0), way[1], "a flow")
			s.forward(h.udp(1000+i, 40000, 1), as(k), "its next packet: by the same source")
		}
	}
	return s
}

func services() []*scene {
	s := newScene("services", `VIPs inside each other: the longest prefix wins, then a named protocol, then the narrower
		range of ports. What a longer prefix does not claim falls to the shorter.`)
	to := func(i int) string { return fmt.Sprint("to 10.0.0.", i) }
	client := 0
	from4 := func(dst string) ip { client++; return ip{src: c4(client), dst: dst} }
	from6 := func(dst string) ip { client++; return ip{src: c6(client), dst: dst} }
	raw := func(h ip, proto byte, n int) []byte { return eth(h.packet(proto, text(n))) }
	sctpPacket := func(h ip, port int) []byte {
		return eth(h.packet(sctp, word(1000), word(port), long(1), long(0), []byte{11, 0, 0, 4}))
	}
	s.forward(from4("203.0.113.0").tcp(1000, 80, syn, 0), to(1), "the first address of a /24, protocol any")
	s.forward(from4("203.0.113.255").udp(1000, 40000, 5), to(1), "its last")
	s.forward(sctpPacket(from4("203.0.113.9"), 80), to(1), "SCTP to protocol any")
	s.forward(raw(from4("203.0.113.9"), esp, 40), to(1), "ESP to protocol any")
	s.forward(raw(from4("203.0.113.9"), 200, 3), to(1), "an unknown protocol of three bytes")
	s.forward(raw(from4("203.0.113.9"), 200, 0), to(1), "an unknown protocol of none")
	s.forward(from4("203.0.113.64").udp(1000, 65535, 0), to(2), "a /26 that takes UDP: its first address, the last port")
	s.forward(from4("203.0.113.127").udp(1000, 40000, 0), to(2), "its last address")
	s.forward(from4("203.0.113.100").tcp(1000, 80, syn, 0), to(1), "TCP, which it does not take: falls to the /24")
	s.forward(from4("203.0.113.128").udp(1000, 40000, 0), to(1), "one address beyond it")
	s.forward(from4("203.0.113.70").tcp(1000, 80, syn, 0), to(3), "one address, port of a list")
	s.forward(from4("203.0.113.70").tcp(1000, 443, syn, 0), to(3), "the other")
	s.forward(from4("203.0.113.70").tcp(1000, 81, syn, 0), to(1), "a port that it does not take: falls to the /24")
	s.forward(from4("203.0.113.70").tcp(1000, 1000, syn, 0), to(4), "first port of a range")
	s.forward(from4("203.0.113.70").tcp(1000, 2000, syn, 0), to(4), "last port of a range")
	s.forward(from4("203.0.113.70").tcp(1000, 2001, syn, 0), to(1), "one beyond")
	s.forward(from4("203.0.113.70").tcp(1000, 999, syn, 0), to(1), "one before")
	s.forward(from4("203.0.113.70").tcp(1000, 1500, syn, 0), to(5), "first port of a narrower range inside it")
	s.forward(from4("203.0.113.70").tcp(1000, 1600, syn, 0), to(5), "its last")
	s.forward(from4("203.0.113.70").tcp(1000, 1499, syn, 0), to(4), "one before")
	s.forward(from4("203.0.113.70").udp(1000, 1500, 0), to(2), "UDP: the /26's")
	s.forward(from4("203.0.113.71").tcp(1000, 1, syn, 0), to(6), "TCP, any port, beside protocol any")
	s.forward(from4("203.0.113.71").udp(1000, 1, 0), to(7), "UDP: protocol any of the address, not the /26's")
	s.forward(raw(from4("203.0.113.71"), esp, 40), to(7), "ESP: protocol any")
	s.forward(sctpPacket(from4("203.0.113.72"), 9), to(8), "SCTP by name")
	s.forward(from4("203.0.113.72").tcp(1000, 9, syn, 0), to(1), "TCP there")
	s.forward(from6("2001:db8:cafe:ffff::1").udp(1000, 53, 0), to(9), "IPv6, a /48")
	s.forward(from6("2001:db8:cafe:7::2").udp(1000, 53, 0), to(8), "a /64 inside, a range of ports")
	s.forward(from6("2001:db8:cafe:7::1").udp(1000, 53, 0), to(7), "one address inside that, protocol any")
	s.forward(raw(from6("2001:db8:cafe:7::1"), noNext, 0), to(7), "No Next Header to protocol any")
	refused := func(h ip, frame []byte, what string) { s.add(frame, "port_refused", "error 1/4 from "+h.dst, what) }
	h := from6("2001:db8:cafe:7::2")
	refused(h, h.udp(1000, 61, 0), "beyond the range, and no other takes it")
	h = from6("2001:db8:cafe:8::2")
	refused(h, h.tcp(1000, 53, syn, 0), "TCP, which nobody takes there")
	s.drop(from4("203.0.112.255").tcp(1000, 80, syn, 0), "not_vip", "one address before the /24")
	s.drop(from4("203.0.114.0").tcp(1000, 80, syn, 0), "not_vip", "one behind")
	s.drop(from6("2001:db8:caff::1").udp(1000, 53, 0), "not_vip", "one beyond the /48")
	return []*scene{s, closed(), closedSilent()}
}

// closed are packets to VIPs' addresses that nobody takes.
func closed() *scene {
	s := newScene("closed-ports", "What no service of a VIP takes is refused as a host refuses it, from the VIP; what must not be spoken of is not.", useBase, setFour)
	h4, h6 := ip{src: client4, dst: v44}, ip{src: client6, dst: v66}
	s.add(h4.tcp(1000, 81, syn, 0), "port_refused", "error 3/3 from "+v44, "a closed port")
	s.add(h4.udp(1000, 80, 30), "port_refused", "error 3/3 from "+v44, "a closed protocol, the port as of another")
	s.add(h4.udp(1000, 80, 1400), "port_refused", "error 3/3 from "+v44, "a long packet is quoted in part")
	s.add(h6.tcp(1000, 81, syn, 0), "port_refused", "error 1/4 from "+v66, "a closed port, IPv6")
	s.add(h6.udp(1000, 80, 1400), "port_refused", "error 1/4 from "+v66, "a long packet, IPv6")
	s.add(ip{src: client4, dst: v44, options: []byte{7, 7, 4, 0, 0, 0, 0, 0}}.tcp(1000, 81, syn, 0), "port_refused", "error 3/3 from "+v44, "with options, which are quoted")
	s.add(tagged(0x8100, 0, h4.tcp(1001, 81, syn, 0)), "port_refused", "error 3/3 from "+v44, "with a priority tag, which comes back")
	s.add(padded(h4.packetOf(esp)), "port_refused", "error 3/3 from "+v44, "ESP")
	s.drop(ip{src: "224.0.0.9", dst: v44}.tcp(1000, 81, syn, 0), "no_service", "from a group")
	s.drop(ip{src: "127.0.0.1", dst: v44}.tcp(1000, 81, syn, 0), "no_service", "from loopback")
	s.drop(ip{src: "0.0.0.0", dst: v44}.tcp(1000, 81, syn, 0), "no_service", "from nobody")
	s.drop(ip{src: "255.255.255.255", dst: v44}.tcp(1000, 81, syn, 0), "no_service", "from everybody")
	s.drop(ip{src: "ff02::1", dst: v66}.tcp(1000, 81, syn, 0), "no_service", "from an IPv6 group")
	s.drop(ip{src: "::", dst: v66}.tcp(1000, 81, syn, 0), "no_service", "from nobody, IPv6")
	s.drop(ip{src: "::1", dst: v66}.tcp(1000, 81, syn, 0), "no_service", "from loopback, IPv6")
	s.drop(patched(h4.tcp(1000, 81, syn, 0), 6, 0x03), "no_service", "by a station that is a group")
	s.drop(patched(h4.tcp(1000, 81, syn, 0), 24, 0xde, 0xad), "no_service", "with a wrong header checksum: the source may be wrong")
	s.drop(ip{src: client4, dst: "203.0.113.30"}.tcp(1000, 80, syn, 0), "no_backend", "an open port, but all backends drain")
	s.add(ip{src: client4, dst: "203.0.113.31"}.tcp(1000, 80, syn, 0), "vip_unreachable", "error 3/1 from 203.0.113.31", "the same, and the VIP is to say so")
	return s
}

func (h ip) packetOf(proto byte) []byte { return eth(h.packet(proto, text(20))) }

func closedSilent() *scene {
	s := newScene("closed-silent", `closed_port = "drop": nobody is told; source = "vip": other errors come from the VIP.
		tshark sums up what is quoted, too, though it is cut.`, "config silent", setFour, "odd")
	s.drop(ip{src: client4, dst: v44}.tcp(1000, 81, syn, 0), "no_service", "a closed port")
	s.drop(ip{src: client6, dst: v66}.udp(1000, 80, 0), "no_service", "a closed protocol, IPv6")
	s.add(ip{src: client4, dst: v44, word: df}.tcp(1000, 80, ack, 1437), "too_big_answered", "error 3/4 mtu 1476 from "+v44, "too long: the VIP says so")
	s.add(ip{src: client6, dst: v66}.tcp(1000, 80, ack, 1397), "too_big_answered", "error 2/0 mtu 1456 from "+v66, "too long, IPv6")
	return s
}

// vlans are frames on a tagged port, with another that is not, and frames with
// tags on a port that has none.
func vlans() []*scene {
	s := newScene("vlan", `A port of VLAN 42: tunnels to IPv4 backends leave by another port, untagged, in whose subnet these
		are; all else goes back tagged.`, "config vlan", setFour, setSix, "tag wan 42", spreadAll)
	in := func(frame []byte) []byte { return tagged(0x8100, 42, frame) }
	for i := range 6 {
		s.forward(in(padded(ip{src: c4(i), dst: v44}.tcp(1000, 80, syn, 0))), "to four by lan", "tagged; leaves untagged")
		s.forward(in(ip{src: c6(i), dst: "2001:db8:cafe::20"}.udp(1000, 40000, i)), "to four by lan", "tagged, IPv6 inside")
		s.forward(in(ip{src: c4(i), dst: v46}.udp(1000, 40000, i)), "to six", "tagged; leaves tagged")
		s.forward(in(ip{src: c6(i), dst: v66}.tcp(1000, 80, syn, 0)), "to six", "tagged, IPv6 inside")
	}
	h := ip{src: client4, dst: v44}
	s.forward(tagged(0x8100, 0x6000|42, h.udp(1000, 40000, 0)), "to four by lan", "with a priority")
	s.forward(tagged(0x8100, 0x1000|42, h.udp(1000, 40001, 0)), "to four by lan", "drop-eligible")
	s.drop(h.udp(1000, 40002, 0), "foreign_vlan", "untagged")
	s.drop(tagged(0x8100, 0, h.udp(1000, 40002, 0)), "foreign_vlan", "of VLAN 0: untagged, with a priority")
	s.drop(tagged(0x8100, 43, h.udp(1000, 40002, 0)), "foreign_vlan", "of another VLAN")
	s.drop(tagged(0x88a8, 42, h.udp(1000, 40002, 0)), "foreign_vlan", "with a service tag")
	s.drop(in(tagged(0x8100, 42, h.udp(1000, 40002, 0))), "not_ip", "tagged twice")
	s.drop(in(h.udp(1000, 40002, 0))[:16], "truncated_frame", "cut inside the tag")
	s.add(in(h.icmp(8, 0, 1, text(20))), "echo_answered", "echo", "echo request: answered tagged")
	s.add(in(ip{src: client4, dst: v44, word: df}.udp(1000, 40003, 1449)), "too_big_answered", "error 3/4 mtu 1476", "too long: the error is tagged")
	back := ip{src: v44, dst: client4}
	s.forward(in(h.icmp(3, 1, 0, back.packet(udp17, back.udpDatagram(40000, 1000, 4)))), "to four by lan", "an ICMP error")
	s.add(in(h.udp(1000, 40004, 1449)), "forwarded*2", "to four by lan pieces 2", "too long, may be cut")

	u := newScene("vlan-untagged", "Frames with tags on a port of no VLAN.", useBase, setFour, setSix)
	h = ip{src: client4, dst: v46}
	u.forward(tagged(0x8100, 0, h.udp(1000, 40000, 0)), "to six", "of VLAN 0, which is none")
	u.forward(tagged(0x8100, 0xe000, padded(h.udp(1000, 40001, 0))), "to six", "with a priority, padded")
	u.drop(tagged(0x8100, 5, h.udp(1000, 40002, 0)), "foreign_vlan", "of a VLAN")
	u.drop(tagged(0x88a8, 5, h.udp(1000, 40002, 0)), "not_ip", "with a service tag")
	u.drop(tagged(0x8100, 0, tagged(0x8100, 0, h.udp(1000, 40002, 0))), "not_ip", "with two priority tags")
	u.drop(tagged(0x8100, 0, h.udp(1000, 40002, 0))[:17], "truncated_frame", "cut inside the tag")
	u.add(tagged(0x8100, 0, ip{src: client4, dst: v46}.icmp(8, 0, 1, text(9))), "echo_answered", "echo", "echo request with a priority tag")
	return []*scene{s, u}
}
