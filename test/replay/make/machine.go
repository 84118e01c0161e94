package main

import "fmt"

// portMAC is the address that net_pcap gives the port, which is the kernel
// interface's, too.
var portMAC = []byte{2, 0x70, 0x63, 0x61, 0x70, 0}

// arp is an ARP frame about IPv4.
func arp(dst []byte, operation byte, srcMAC []byte, src, target string) []byte {
	return cat(dst, srcMAC, word(0x0806), []byte{0, 1, 8, 0, 6, 4, 0, operation}, srcMAC, address(src), make([]byte, 6), address(target), make([]byte, 18))
}

func address(a string) []byte { return ip{src: a, dst: a}.packet(noNext)[12:16] }

// group sends a packet to a link-layer group.
func group(mac []byte, packet []byte) []byte { return cat(mac, eth(packet)[6:]) }

// kernels are captures with a kernel interface.
func kernels() []*scene {
	s := newScene("kernel", `What is for no VIP goes up to the kernel as it came, and what the kernel sends goes out as it is. VIPs' packets
		stay away from it.`, setFour, setSix, "mtu 1600", "some from_kernel")
	upward(s, func(frame []byte) []byte { return frame })
	s.forward(ip{src: client4, dst: v44}.tcp(1000, 80, syn, 0), "to four", "for a VIP")
	s.forward(ip{src: client6, dst: v66}.tcp(1000, 80, syn, 0), "to six", "for a VIP, IPv6")
	s.add(ip{src: client4, dst: v44}.icmp(8, 0, 1, text(8)), "echo_answered", "echo", "echo request to a VIP: no matter of the kernel's")
	s.add(ip{src: client4, dst: v44}.tcp(1000, 81, syn, 0), "port_refused", "error 3/3 from "+v44, "a closed port of a VIP: neither")
	s.drop(tagged(0x8100, 7, arp(everyone, 1, routerMAC, "192.0.2.1", nodes[0])), "foreign_vlan", "ARP of a VLAN")
	s.drop(ip{src: client4, dst: nodes[0]}.udp(1000, 9, 1540), "kernel_full", "longer than the kernel's interface takes")
	s.drop(patched(ip{src: client4, dst: nodes[0]}.udp(1000, 9, 0), 14, 0x55), "bad_version", "for the node, of version 5")
	s.drop(ip{src: client4, dst: nodes[0]}.udp(1000, 9, 0)[:30], "truncated_header", "for the node, cut in its header")
	s.kernel = fromKernel()

	v := newScene("kernel-vlan", "The same on a tagged port: the kernel's interface is in the VLAN itself.",
		setFour, setSix, "tag wan 42", "some from_kernel")
	upward(v, func(frame []byte) []byte { return tagged(0x8100, 0x6000|42, frame) })
	v.forward(tagged(0x8100, 42, ip{src: client4, dst: v44}.tcp(1000, 80, syn, 0)), "to four", "for a VIP")
	v.drop(arp(everyone, 1, routerMAC, "192.0.2.1", nodes[0]), "foreign_vlan", "ARP without a tag")
	v.drop(tagged(0x8100, 43, arp(everyone, 1, routerMAC, "192.0.2.1", nodes[0])), "foreign_vlan", "ARP of another VLAN")
	v.drop(tagged(0x8100, 43, ip{src: client4, dst: nodes[0]}.udp(1000, 9, 0)), "foreign_vlan", "a packet for the node, of another VLAN")
	v.kernel = s.kernel

	return []*scene{s, v, kernelRate()}
}

// upward adds what goes up.
func upward(s *scene, in func([]byte) []byte) {
	up := func(frame []byte, what string) { s.add(in(frame), "to_kernel", "up", what) }
	up(arp(everyone, 1, routerMAC, "192.0.2.1", "192.0.2.77"), "ARP: who has another?")
	up(arp(portMAC, 2, routerMAC, "192.0.2.1", nodes[0]), "ARP: the router answers")
	solicit := ip{src: "2001:db8::1", dst: "ff02::1:ff00:77", ttl: 255}
	up(group([]byte{0x33, 0x33, 0xff, 0, 0, 0x77}, solicit.icmp(135, 0, 0, make([]byte, 16))[14:]), "ND: a solicitation to a group")
	up(ip{src: "2001:db8::1", dst: "2001:db8::11", ttl: 255}.icmp(136, 0, 0x60000000, make([]byte, 16)), "ND: an advertisement")
	up(group([]byte{0x33, 0x33, 0, 0, 0, 1}, ip{src: "fe80::1", dst: "ff02::1", ttl: 255}.icmp(134, 0, 0, make([]byte, 8))[14:]), "ND: a router advertises")
	up(ip{src: "192.0.2.1", dst: nodes[0], ttl: 1}.tcp(40000, 179, ack, 19), "BGP")
	up(ip{src: "192.0.2.1", dst: nodes[0], ttl: 255}.udp(49152, 3784, 24), "BFD")
	up(group([]byte{1, 0, 0x5e, 0, 0, 5}, ip{src: "192.0.2.1", dst: "224.0.0.5", ttl: 1}.packet(ospf, text(24))), "OSPF")
	up(group([]byte{1, 0, 0x5e, 0, 0, 18}, ip{src: "192.0.2.1", dst: "224.0.0.18", ttl: 255}.packet(112, text(20))), "VRRP")
	up(cat([]byte{1, 0x80, 0xc2, 0, 0, 0x0e}, routerMAC, word(0x88cc), text(46)), "LLDP")
	up(cat([]byte{1, 0x80, 0xc2, 0, 0, 0}, routerMAC, word(46), text(46)), "a spanning tree's, of IEEE 802.3")
	up(ip{src: client4, dst: nodes[0]}.tcp(40000, 22, syn, 0), "SSH")
	up(ip{src: client4, dst: nodes[0]}.icmp(8, 0, 1, text(56)), "ping to the node")
	up(ip{src: client6, dst: "2001:db8::11"}.icmp(128, 0, 1, text(56)), "ping to the node, IPv6")
	up(ip{src: client4, dst: nodes[0]}.icmp(3, 4, 1400, ip{src: nodes[0], dst: client4}.packet(gre47, text(8))), "an error about the node's own")
	up(ip{src: nodes[1], dst: nodes[0]}.udp(40000, 40001, 20), "from another node")
	up(ip{src: client4, dst: nodes[0], word: more}.packetOf(udp17), "a fragment to the node")
	up(ip{src: client4, dst: nodes[0], options: []byte{148, 4, 0, 0}}.packetOf(2), "with options")
	up(eth(ip{src: client4, dst: nodes[0]}.packet(gre47, []byte{0, 0, 8, 0}, text(40))), "GRE to the node")
	up(padded(ip{src: client4, dst: "203.0.113.99"}.udp(1000, 9, 0)), "for nobody that we know, padded")
	up(ip{src: client4, dst: nodes[0]}.udp(1000, 9, 1472), "of 1500 bytes")
	up(group(everyone, ip{src: "192.0.2.1", dst: "255.255.255.255"}.packetOf(udp17)[14:]), "broadcast")
	up(group(everyone, ip{src: client4, dst: v44}.udp(1000, 80, 0)[14:]), "for a VIP, but to everybody: the kernel's to drop")
}

// fromKernel are frames as a kernel sends them.
func fromKernel() (list []shape) {
	add := func(frame []byte, what string) {
		list = append(list, shape{cat(frame[:6], portMAC, frame[12:]), "from_kernel", "out", what})
	}
	up := func(frame []byte) []byte { return cat(routerMAC, frame[6:]) }
	add(arp(routerMAC, 2, portMAC, nodes[0], "192.0.2.1"), "ARP: the node answers")
	add(arp(everyone, 1, portMAC, nodes[0], "192.0.2.1"), "ARP: the node asks")
	add(up(ip{src: nodes[0], dst: "192.0.2.1"}.tcp(179, 40000, ack, 19)), "BGP")
	add(up(ip{src: "2001:db8::11", dst: "2001:db8::1"}.udp(40000, 40001, 1452)), "of 1500 bytes, IPv6")
	add(up(ip{src: nodes[0], dst: v44}.tcp(40000, 80, syn, 0)), "for a VIP: out as it is, for the router to send to some node")
	return list
}

func kernelRate() *scene {
	s := newScene("kernel-rate", `A hundred frames a second go up, ten at once, of each class: a flood of one leaves the others, and the VIPs,
		alone.`, setFour, "some from_kernel kernel_limited")
	for i := range 60 {
		verdict := "to_kernel"
		if i >= 10 {
			verdict = "to_kernel or kernel_limited"
		}
		for port, what := range []string{"junk", "BGP"} {
			s.add(ip{src: client4, dst: nodes[0], id: uint16(i)}.tcp(40000+i, []int{9, 179}[port], ack, 0), verdict, "up", what)
		}
		s.add(arp(portMAC, 2, routerMAC, "192.0.2.1", fmt.Sprintf("192.0.2.%d", 100+i)), verdict, "up", "ARP")
		s.forward(ip{src: c4(i), dst: v44}.tcp(1000, 80, syn, 0), "to four", "for a VIP")
	}
	return s
}

// cores are captures for two lcores.
func cores() []*scene {
	s := newScene("cores", `One receive queue, two lcores: both carry load, and all that is of a flow (whole packets, fragments, ICMP
		errors) uses one entry of one connection table.`, setFour, setSix, spreadAll, "busy 2", "entries 48", "some handed_over")
	flows(s, 12)
	q := newScene("cores-queues", "A receive queue for each of two lcores, of a device that does not tell how it spreads: flows are brought together here.",
		"config queues", setFour, setSix, spreadAll, "busy 2", "entries 48", "some handed_over")
	flows(q, 12)
	s.squeeze, q.squeeze = true, true

	f := newScene("handover", `A core's CPU is taken by others, and the ring to it fills up: fragments that it alone can go on with are
		lost. How many is up to chance.`, "config cores", "hog 1", "some handed_over handover_full")
	f.squeeze = true
	for i := range 16000 {
		h := ip{src: client6, dst: dns6, id: uint16(i % 250)}
		f.drop(h.fragment(udp17, 800, false, text(8)), "fragment_drained or fragment_pushed_out or fragment_too_many_held or handover_full", "fragments without their firsts, of 250 datagrams")
	}
	return []*scene{s, q, coresErrors(), f}
}

// coresErrors are ICMP errors that come to another lcore than their flow's.
func coresErrors() *scene {
	s := newScene("cores-errors", `ICMP errors find their flow's entry, whichever of two lcores has it: the other nodes of the fleet would be
		asked about a flow that is not known.`, setFour, setSix, "busy 2", "entries 48", "some handed_over")
	for i := range 24 {
		for _, way := range []struct{ vip, client, router, to string }{{v44, c4(i), router4, "to four"}, {v66, c6(i), router6, "to six"}} {
			kind, quote := byte(3), 28
			if netIs6(way.vip) {
				kind, quote = 1, 48
			}
			k := s.forward(ip{src: way.client, dst: way.vip}.tcp(7000+i, 80, syn, 0), way.to, "SYN of a flow")
			back := ip{src: way.vip, dst: way.client}
			s.forward(ip{src: way.router, dst: way.vip}.icmp(kind, 0, 0, back.packet(tcp6, back.tcpSegment(80, 7000+i, ack, nil, 0))[:quote]), as(k), "an ICMP error about it")
		}
	}
	return s
}

// flows adds n flows of each kind with all that belongs to them.
func flows(s *scene, n int) {
	for i := range n {
		for _, f := range []family{families()[0], families()[2]} {
			h, router := f.h, router4
			if h.src = c4(i); netIs6(h.dst) {
				h.src, router = c6(i), router6
			}
			h.id = uint16(i)
			k := s.forward(h.udp(7000+i, 53, 20), f.to, "a whole packet of a flow")
			frames := h.fragments(udp17, h.udpDatagram(7000+i, 53, 2000), 1400)
			s.forward(frames[1], as(k), "its flow: a fragment")
			s.forward(frames[0], as(k), "its flow: the first of that datagram")
			back := ip{src: h.dst, dst: h.src}
			kind, quote := byte(3), 28 // unreachable, and eight bytes of transport
			if netIs6(h.dst) {
				kind, quote = 1, 48
			}
			s.forward(ip{src: router, dst: h.dst}.icmp(kind, 0, 0, back.packet(udp17, back.udpDatagram(53, 7000+i, 0))), as(k), "its flow: an ICMP error")
			web, way := ip{src: h.src, dst: v44}, "to four"
			if netIs6(h.dst) {
				web.dst, way = v66, "to six"
			}
			k = s.forward(web.tcp(7000+i, 80, syn, 0), way, "SYN of another flow")
			s.forward(web.tcp(7000+i, 80, ack, i), as(k), "its flow: data")
			s.forward(web.tcp(7000+i, 80, fin|ack, 0), as(k), "its flow: FIN")
			back = ip{src: web.dst, dst: web.src}
			s.forward(ip{src: router, dst: web.dst}.icmp(kind, 0, 0, back.packet(tcp6, back.tcpSegment(80, 7000+i, ack, nil, 0))[:quote]), as(k), "its flow: an ICMP error")
		}
	}
}

// limits are ends that take a device or a setting of their own.
func limits() []*scene {
	r := newScene("icmp-rate", "Ten errors a second: one at once, and then none for a tenth of a second.", setFour, "some too_big")
	r.squeeze = true
	for i := range 40 {
		verdict := "too_big_answered or too_big"
		if i == 0 {
			verdict = "too_big_answered"
		}
		r.add(ip{src: c4(i), dst: v44, word: df}.udp(1000, 40000, 1472), verdict, "error 3/4 mtu 1476", "too long")
		r.forward(ip{src: c4(i), dst: v44, word: df}.udp(1000, 40000, 10), "to four", "a packet that fits")
	}

	n := newScene("no-next-hop", "A port that learns next hops, and nobody to learn them of.")
	n.drop(ip{src: client4, dst: dns4}.udp(1000, 53, 0), "no_next_hop", "for a backend")
	own, other := owned(dns4, 0, 0), owned(dns4, 1, 0)
	n.drop(own.fragment(udp17, 0, true, own.udpDatagram(7000, 53, 800)[:400]), "no_next_hop", "a first fragment for a backend")
	n.drop(other.fragment(udp17, 0, true, other.udpDatagram(7000, 53, 800)[:400]), "no_next_hop", "a fragment for another node")
	n.add(ip{src: client4, dst: dns4}.icmp(8, 0, 1, text(8)), "echo_answered", "echo", "echo request: the way back is known")

	p := newScene("peerless", "A tunnel's device takes nothing; others do.", setSix)
	for i := range 40 {
		p.drop(ip{src: c4(i), dst: v44}.udp(1000, 40000, 0), "tx_full", "by the device that takes nothing")
		p.forward(ip{src: c4(i), dst: v46}.udp(1000, 40000, 0), "to six", "by another")
	}

	j := newScene("jumbo", "Copies are made in buffers of the first port, which may be too small for what comes by another.", setFour, "mtu 9000")
	about := func(port, n int) []byte {
		back := ip{src: dns4, dst: client4}
		return ip{src: router4, dst: dns4}.icmp(3, 1, 0, back.packet(udp17, back.udpDatagram(53, port, n)))
	}
	j.add(about(7000, 3000), "forwarded + no_frame*2", "to four by jumbo", "an ICMP error of 3056 bytes, whose flow is not known: no room to copy it")
	j.add(about(7001, 1000), "forwarded + relayed*2", "to four by jumbo; node 192.0.2.12; node 192.0.2.13", "one of 1056 bytes: copied to the other nodes")
	j.forward(ip{src: client4, dst: dns4}.udp(1000, 53, 8900), "to four by jumbo", "a jumbo packet")
	return []*scene{r, n, p, j}
}
