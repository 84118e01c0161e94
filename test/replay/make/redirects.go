package main

import (
	"fmt"
	"net/netip"

	"guideway/fragments"
	"guideway/maglev/flow"
)

// The nodes of redirects.toml; the first is the one that runs.
var nodes = []string{"192.0.2.11", "192.0.2.12", "192.0.2.13"}

// owner is the node that datagrams of a flow belong to. All nodes agree about
// that, so it is part of what a capture stands for; docs/fragments.md says how
// it is worked out.
func owner(h ip, proto byte) string {
	var list []fragments.Node
	for _, n := range nodes {
		list = append(list, fragments.Node{Addr: netip.MustParseAddr(n)})
	}
	o, err := fragments.NewOwners(list, list[0].Addr)
	must(err)
	var k flow.Key
	k.SrcHi, k.SrcLo, k.IPv6 = flow.Words(netip.MustParseAddr(h.src))
	k.DstHi, k.DstLo, _ = flow.Words(netip.MustParseAddr(h.dst))
	k.Proto = proto
	n, _ := o.Owner(&k)
	return o.Nodes()[n].String()
}

// owned is the i-th client whose datagrams to a VIP belong to a node.
func owned(dst string, node, i int) ip {
	for c := 0; ; c++ {
		h := ip{src: c4(c), dst: dst, tos: 0x51}
		if netIs6(dst) {
			h.src = c6(c)
		}
		if owner(h, udp17) == nodes[node] {
			if i--; i < 0 {
				return h
			}
		}
	}
}

// marked is a packet in the tunnel from one node to another.
func marked(from string, flags int, packet []byte) []byte {
	etherType := 0x0800
	if len(packet) > 0 && packet[0]>>4 == 6 {
		etherType = 0x86dd
	}
	return eth(ip{src: from, dst: nodes[0], ttl: 64, word: df}.packet(gre47, word(flags), word(etherType), packet))
}

func redirects() []*scene {
	s := newScene("redirects", `One node of three. Fragments go, marked, to the node that owns their datagram; what comes marked from a
		node is dealt with here, and from nobody else.`, "config redirects", setFour, setSix)
	s.squeeze = true
	for _, f := range []family{families()[0], families()[2]} {
		for node := range nodes {
			h := owned(f.h.dst, node, 0)
			h.id = 1
			d := h.udpDatagram(7000, 53, 2000)
			first, last := h.fragment(udp17, 0, true, d[:1400]), h.fragment(udp17, 1400, false, d[1400:])
			if node == 0 {
				k := s.forward(h.udp(7000, 53, 20), f.to, "a whole packet of a flow")
				s.forward(last, as(k), "a fragment that is this node's own")
				s.forward(first, as(k), "the first of its datagram")
				continue
			}
			s.add(last, "redirected", "node "+nodes[node], "a fragment of node "+fmt.Sprint(node+1))
			s.add(padded(first), "redirected", "node "+nodes[node], "the first of its datagram")
			s.forward(h.udp(7000, 53, 20), f.to, "a whole packet of its flow: this node's, as any")
		}
	}
	s.nextBurst()
	for _, f := range []family{families()[0], families()[2]} {
		for node := range nodes {
			h := owned(f.h.dst, node, 1)
			h.id = 2
			d := h.udpDatagram(7000, 53, 2000)
			k := s.forward(h.udp(7000, 53, 20), f.to, "a whole packet of a flow")
			from := nodes[1+node%2]
			s.forward(marked(from, 0x0100, h.fragment(udp17, 1400, false, d[1400:])[14:]), as(k)+" inside", "a fragment from a node: not sent on, whoever owns it")
			s.forward(marked(from, 0x0100, h.fragment(udp17, 0, true, d[:1400])[14:]), as(k)+" inside", "the first of its datagram")
		}
	}
	h := owned(dns4, 1, 2)
	h.id = 3
	d := h.udpDatagram(7000, 53, 3000)
	s.add(h.fragment(udp17, 0, true, d[:1480]), "redirected*2", "node "+nodes[1]+" pieces 2", "a fragment of 1500 bytes: cut to fit the tunnel")
	h6 := owned(dns6, 2, 2)
	h6.id = 3
	s.add(h6.fragment(udp17, 0, true, h6.udpDatagram(7000, 53, 3000)[:1448]), "too_big_answered", "error 2/0 mtu 1456", "a fragment of 1496 bytes, IPv6: the client is told what would fit the way on, too")

	fine := h.fragment(udp17, 0, true, d[:80])[14:]
	s.drop(marked("192.0.2.99", 0x0100, fine), "stranger", "marked by who is no node")
	s.drop(marked(nodes[0], 0x0100, fine), "stranger", "marked by this node itself")
	s.drop(marked(nodes[1], 0x0200, fine), "bad_redirect", "with another mark")
	s.drop(marked(nodes[1], 0x8100, cat(make([]byte, 4), fine)), "bad_redirect", "with a checksum")
	s.drop(marked(nodes[1], 0x2100, cat(make([]byte, 4), fine)), "bad_redirect", "with a key")
	s.drop(marked(nodes[1], 0x0101, fine), "bad_redirect", "of another version")
	s.drop(marked(nodes[1], 0x0100, nil), "bad_redirect", "with nothing inside")
	s.drop(patched(marked(nodes[1], 0x0100, fine), 36, 0x08, 0x06), "bad_redirect", "with ARP inside")
	s.drop(marked(nodes[1], 0x0100, h.udp(7000, 53, 20)[14:]), "bad_redirect", "with a whole packet inside")
	s.drop(marked(nodes[1], 0x0100, h.icmp(8, 0, 1, text(8))[14:]), "bad_redirect", "with an echo request inside")
	s.drop(marked(nodes[1], 0x0100, fine[:30]), "bad_length", "with a packet that is cut inside")
	s.drop(patched(marked(nodes[1], 0x0100, fine), 36, 0x86, 0xdd), "bad_version", "with GRE and the packet of two minds about its version")
	s.drop(marked(nodes[1], 0x0100, marked(nodes[1], 0x0100, fine)[14:]), "not_vip", "with a marked tunnel inside")
	s.drop(marked(nodes[1], 0x0100, ip{src: client4, dst: "203.0.113.99", word: more}.packetOf(udp17)[14:]), "not_vip", "with a fragment for nobody that we know")
	s.drop(marked(nodes[1], 0x0100, ip{src: client4, dst: "203.0.113.60", word: more}.packetOf(udp17)[14:]), "fragment_dropped", "with a fragment for a VIP that takes none")
	s.drop(marked(nodes[1], 0, fine), "not_vip", "GRE without a mark")
	s.drop(eth(ip{src: nodes[1], dst: nodes[0]}.packet(gre47, []byte{1, 0, 8})), "not_vip", "three bytes of GRE")
	return []*scene{s, relay()}
}

// relay are ICMP errors that another node may know the flow of.
func relay() *scene {
	s := newScene("icmp-relay", "An ICMP error whose flow this node does not know is shown to the other nodes; what they show is not shown again.",
		"config redirects", setFour, setSix)
	for _, f := range []family{families()[0], families()[2]} {
		client, router := another4, router4
		kind, code := byte(3), byte(4)
		if netIs6(f.h.dst) {
			client, router, kind, code = "2001:db8:1::8", router6, 2, 0
		}
		flow, back := ip{src: client, dst: f.h.dst}, ip{src: f.h.dst, dst: client}
		about := func(port int) []byte {
			return ip{src: router, dst: f.h.dst, id: uint16(port)}.icmp(kind, code, 1300, back.packet(udp17, back.udpDatagram(53, port, 100)))
		}
		k := s.forward(flow.udp(7000, 53, 0), f.to, "a flow")
		s.forward(about(7000), as(k), "an error about it")
		s.forward(marked(nodes[1], 0x0100, about(7000)[14:]), as(k)+" inside", "the same, shown by another node")
		everyone := f.to + "; node " + nodes[1] + "; node " + nodes[2]
		s.add(about(7001), "forwarded + relayed*2", everyone, "an error about a flow that is not known")
		s.add(padded(about(7002)), "forwarded + relayed*2", everyone, "another")
		s.drop(marked(nodes[1], 0x0100, about(7003)[14:]), "relay_unknown", "one shown by another node, of a flow that is not known here either")
		s.drop(marked(nodes[2], 0x0100, about(7003)[14:]), "relay_unknown", "and by the third")
	}
	return s
}
