package main

import (
	"fmt"
	"slices"
)

// Addresses of fragments.toml and its kin.
const (
	dns4, dns46 = "203.0.113.53", "203.0.113.54"
	dns6, dns64 = "2001:db8:cafe::53", "2001:db8:cafe::54"
	anyVIP      = "203.0.113.55"
)

// fragments cuts a datagram into frames with so many bytes of data each.
func (h ip) fragments(proto byte, datagram []byte, step int) (frames [][]byte) {
	for at := 0; at < len(datagram); at += step {
		data := datagram[at:min(at+step, len(datagram))]
		frames = append(frames, h.fragment(proto, at, at+len(data) < len(datagram), data))
	}
	return frames
}

// fragment is one fragment of the datagram with h's identification.
func (h ip) fragment(proto byte, at int, isMore bool, data []byte) []byte {
	if h.is6() {
		flag := 0
		if isMore {
			flag = 1
		}
		h.chain = append(slices.Clone(h.chain), piece(at, flag, uint32(h.id)))
	} else {
		h.word |= uint16(at / 8)
		if isMore {
			h.word |= more
		}
	}
	return eth(h.packet(proto, data))
}

// nextBurst fills up the burst of 32 frames that the node takes in one go: what
// follows is seen after all before.
func (s *scene) nextBurst() {
	for i := 0; len(s.shapes)%32 != 0; i++ {
		s.forward(ip{src: c4(len(s.shapes)), dst: dns4}.udp(60000+i, 40000, i), "to four", "so that what follows comes in another burst")
	}
}

// family is one way for fragments: a VIP and where its backends are.
type family struct {
	h    ip
	to   string
	step int // data that fits the tunnel
}

func families() []family {
	return []family{
		{ip{dst: dns4, tos: 0xb9}, "to four", 1456}, {ip{dst: dns46, tos: 0x2a}, "to six", 1432},
		{ip{dst: dns6, tos: 0xe3}, "to six", 1408}, {ip{dst: dns64, tos: 0x04}, "to four", 1424},
	}
}

func pieces() []*scene {
	settings := []string{"config fragments", setFour, setSix, spreadAll, "odd"}
	f4 := newScene("fragments4", `Fragments over IPv4, in every order: all of a datagram go where its flow's whole packets go. All
		that comes in one burst of 32 is seen with first fragments first; what must wait comes in a burst before.`, settings...)
	f6 := newScene("fragments6", "The same over IPv6.", settings...)
	f4.squeeze, f6.squeeze = true, true
	for i, f := range families() {
		s := f4
		if i >= 2 {
			s = f6
		}
		orders(s, f)
	}
	odd4(f4)
	odd6(f6)
	return []*scene{f4, f6, overlaps(), fragmentsTooBig()}
}

// orders adds datagrams of one family in every order.
func orders(s *scene, f family) {
	type waiting struct {
		frame []byte
		flow  int
		what  string
	}
	var late []waiting
	for i, order := range []struct {
		name string
		size int
		of   []int // pieces in the order of arrival; those behind -1 come in a later burst
	}{
		{"in order", 8192, []int{0, 1, 2, 3, 4, 5}},
		{"reversed", 8192, []int{5, 4, 3, 2, 1, 0}},
		{"shuffled", 8192, []int{3, 0, 5, 1, 4, 2}},
		{"each twice", 3000, []int{0, 0, 1, 1, 2, 2}},
		{"with the last missing", 4000, []int{0, 1}},
		{"first alone", 4000, []int{0}},
		{"reversed, the first in a later burst", 8192, []int{5, 4, 3, 2, 1, -1, 0}},
		{"shuffled over two bursts", 8192, []int{2, 4, -1, 5, 0, 3, 1}},
		{"each twice, the first in a later burst", 4000, []int{1, 1, 2, 2, -1, 0, 0}},
		{"all but the first, which comes in a later burst with a late second", 4000, []int{2, -1, 0, 1}},
	} {
		h := f.h
		h.src, h.id = c4(i), uint16(100+i)
		if netIs6(h.dst) {
			h.src = c6(i)
		}
		flow := s.forward(h.udp(1000+i, 53, 20), f.to, "a whole packet of a flow")
		frames := h.fragments(udp17, h.udpDatagram(1000+i, 53, order.size), f.step)
		later := false
		for _, k := range order.of {
			if k < 0 {
				later = true
				continue
			}
			what := fmt.Sprintf("piece %d of %d, %s", k+1, len(frames), order.name)
			if later {
				late = append(late, waiting{frames[k], flow, what})
			} else {
				s.forward(frames[k], as(flow), what)
			}
		}
	}
	s.nextBurst()
	for _, w := range late {
		s.forward(w.frame, as(w.flow), w.what)
	}
	s.nextBurst()
}

func netIs6(addr string) bool { return ip{src: addr}.is6() }

// odd4 adds fragments that are not as usual, and those that nobody honest
// sends.
func odd4(s *scene) {
	h := ip{src: client4, dst: dns4, id: 500}
	d := h.udpDatagram(7000, 53, 1000)
	k := s.forward(h.fragment(udp17, 0, true, d[:8]), "to four", "a first fragment of eight bytes: all of the UDP header")
	s.forward(h.fragment(udp17, 8, true, d[8:16]), as(k), "a second of eight bytes")
	s.forward(h.fragment(udp17, 16, false, d[16:17]), as(k), "a last of one byte")
	s.forward(h.udp(7000, 53, 0), as(k), "a whole packet of the flow")
	h.id = 501
	h.options = []byte{148, 4, 0, 0}
	s.forward(padded(h.fragment(udp17, 0, true, d[:16])), as(k), "a first fragment with options, padded")
	h.options = nil
	s.forward(padded(h.fragment(udp17, 16, false, d[16:19])), as(k), "its last, padded")
	other := ip{src: another4, dst: dns4, id: 501}
	s.forward(other.fragment(udp17, 0, true, d[:16]), "to four", "another client's with the same identification")

	a := ip{src: client4, dst: anyVIP, id: 502}
	s.forward(a.fragment(tcp6, 0, true, a.tcpSegment(7000, 80, ack, nil, 100)[:24]), "to four", "a first fragment of TCP")
	a.id = 503
	s.forward(a.fragment(esp, 0, true, text(8)), "to four", "a first fragment of ESP, which has no ports")
	a.id = 504
	s.drop(a.fragment(tcp6, 0, true, text(16)), "fragment_too_short", "a first fragment with 16 bytes of a TCP header")
	s.drop(a.fragment(sctp, 0, true, text(8)), "fragment_too_short", "a first fragment with 8 bytes of an SCTP header")
	s.drop(a.fragment(tcp6, 8, false, text(40)), "fragment_overlay", "a later fragment inside the TCP header, over its flags")
	s.drop(a.fragment(tcp6, 16, true, text(8)), "fragment_overlay", "a later fragment over the TCP checksum")
	s.drop(a.fragment(sctp, 8, false, text(40)), "fragment_overlay", "a later fragment inside the SCTP header")
	s.drop(a.fragment(udp17, 1480, true, text(9)), "fragment_bad_extent", "not the last, and not of whole eights")
	s.drop(a.fragment(udp17, 1480, true, nil), "fragment_bad_extent", "without data")
	s.drop(a.fragment(udp17, 0, true, nil), "fragment_bad_extent", "a first one without data")
	s.drop(a.fragment(udp17, 65528, false, text(8)), "fragment_bad_extent", "ends beyond byte 65535")
	s.drop(ip{src: client4, dst: "203.0.113.60", id: 505}.fragment(udp17, 0, true, d[:16]), "fragment_dropped", "for a VIP that takes none")
	s.drop(ip{src: client4, dst: "203.0.113.60", id: 505}.fragment(udp17, 16, false, d[16:]), "fragment_dropped", "its last")
	web := ip{src: client4, dst: dns4, id: 506}
	s.drop(web.fragment(tcp6, 0, true, web.tcpSegment(7000, 80, ack, nil, 100)[:24]), "fragment_dropped", "a first one for a service that takes none, at an address where another does")
	s.add(web.fragment(tcp6, 0, true, web.tcpSegment(7000, 81, ack, nil, 100)[:24]), "port_refused", "error 3/3 from "+dns4, "a first one for a port that nobody takes")
	s.drop(web.fragment(tcp6, 80, false, text(8)), "fragment_drained", "its last, which waits until the node stops")
}

func odd6(s *scene) {
	h := ip{src: client6, dst: dns6, id: 500}
	d := h.udpDatagram(7000, 53, 1000)
	k := s.forward(h.fragment(udp17, 0, true, d[:8]), "to six", "a first fragment of eight bytes: all of the UDP header")
	s.forward(h.fragment(udp17, 8, true, d[8:16]), as(k), "a second of eight bytes")
	s.forward(h.fragment(udp17, 16, false, d[16:17]), as(k), "a last of one byte")
	s.forward(h.udp(7000, 53, 0), as(k), "a whole packet of the flow")
	h.id = 501
	h.chain = []ext{hbh(), segments()}
	s.forward(h.fragment(udp17, 0, true, d[:16]), as(k), "a first fragment behind hop-by-hop and routing headers")
	s.forward(h.fragment(udp17, 16, false, d[16:40]), as(k), "its last")
	h.chain, h.id = nil, 502
	behind := func(next byte, n int, data []byte) []byte { // n destination options, then data
		b := []byte{}
		for i := range n {
			kind := byte(destination)
			if i == n-1 {
				kind = next
			}
			b = append(b, kind, 0, 1, 4, 0, 0, 0, 0)
		}
		return append(b, data...)
	}
	s.forward(h.fragment(destination, 0, true, behind(udp17, 1, d[:16])), as(k), "a first fragment with destination options behind the fragment header")
	s.forward(h.fragment(noNext, 24, false, text(7)), as(k), "its last, whose fragment header names another protocol")
	h.id = 503
	s.forward(h.fragment(destination, 0, true, behind(udp17, 8, d[:16])), as(k), "a first fragment with eight headers there")
	h.id = 504
	s.drop(h.fragment(destination, 0, true, behind(udp17, 9, d[:16])), "fragment_bad_chain", "a first fragment with nine headers there")
	s.drop(h.fragment(fragment, 0, true, cat([]byte{udp17, 0, 0, 0}, long(7), d[:16])), "fragment_bad_chain", "a first fragment with another fragment header")
	s.drop(h.fragment(destination, 0, true, behind(udp17, 1, nil)), "fragment_too_short", "a first fragment that ends in front of its UDP header")
	s.drop(h.fragment(destination, 0, true, cat([]byte{udp17, 1, 1, 12}, make([]byte, 4))), "fragment_too_short", "a first fragment that ends inside its destination options")
	s.drop(h.fragment(tcp6, 0, true, text(16)), "fragment_too_short", "a first fragment with 16 bytes of a TCP header")
	s.drop(h.fragment(udp17, 1480, true, text(9)), "fragment_bad_extent", "not the last, and not of whole eights")
	s.drop(h.fragment(udp17, 1480, false, nil), "fragment_bad_extent", "without data")
	s.drop(h.fragment(udp17, 65528, false, text(8)), "fragment_bad_extent", "ends beyond byte 65535")
	s.drop(ip{src: client6, dst: dns6, id: 505, chain: []ext{hbh(), dest(), dest(), dest(), dest(), dest(), dest(), dest()}}.
		fragment(udp17, 0, true, d[:16]), "too_many_extensions", "a fragment header behind eight others")
}

// overlaps are datagrams of which two fragments hold the same bytes.
func overlaps() *scene {
	s := newScene("fragments-overlap", `Where a fragment overlaps the first, or there are two different firsts, nothing more of the datagram is
		forwarded: nobody shall have other ports put together at the backend than those that chose it.`, "config fragments", setFour, setSix, "odd")
	for i, f := range []family{families()[0], families()[2]} {
		h := f.h
		if h.src = client4; i == 1 {
			h.src = client6
		}
		version := []string{"", ", IPv6"}[i]
		d := h.udpDatagram(7000, 53, 1000)
		at := func(id uint16, at int, isMore bool, n int) []byte {
			h.id = id
			return h.fragment(udp17, at, isMore, d[at:at+n])
		}
		s.forward(at(1, 0, true, 800), f.to, "a first fragment"+version)
		s.drop(at(1, 400, true, 400), "fragment_overlap", "a later one inside it"+version)
		s.drop(at(1, 800, false, 200), "fragment_overlap", "the honest rest: too late"+version)
		s.forward(at(2, 0, true, 800), f.to, "another datagram's first"+version)
		s.forward(at(2, 800, true, 80), f.to, "its second"+version)
		s.forward(at(2, 800, false, 200), f.to, "its second again, longer: overlaps what has no ports"+version)
		h.id = 3
		s.forward(h.fragment(udp17, 0, true, d[:16]), f.to, "a first fragment"+version)
		other := h.udpDatagram(7001, 53, 1000)
		s.drop(h.fragment(udp17, 0, true, other[:16]), "fragment_overlap", "another first, of other ports"+version)
		s.drop(h.fragment(udp17, 16, false, d[16:]), "fragment_overlap", "its rest"+version)
	}
	s.nextBurst()
	for i, f := range []family{families()[0], families()[2]} {
		h := f.h
		if h.src = client4; i == 1 {
			h.src = client6
		}
		h.id = 4
		d := h.udpDatagram(7000, 53, 1000)
		s.drop(h.fragment(udp17, 16, true, d[16:400]), "fragment_overlap", "a later fragment that waits for its first")
		s.drop(h.fragment(udp17, 800, false, d[800:]), "fragment_overlap", "another")
		h.id, h.ttl = 1, 60
		s.drop(h.fragment(udp17, 0, true, d[:800]), "fragment_overlap", "the first of the first datagram again: too late")
	}
	s.nextBurst()
	for i, f := range []family{families()[0], families()[2]} {
		h := f.h
		if h.src = client4; i == 1 {
			h.src = client6
		}
		h.id = 4
		s.drop(h.fragment(udp17, 0, true, h.udpDatagram(7000, 53, 1000)[:800]), "fragment_overlap", "the first, which overlaps what waited: all are dropped")
	}
	return s
}

func fragmentsTooBig() *scene {
	s := newScene("fragments-too-big", "Fragments that do not fit their tunnel: IPv4's are cut once more, of IPv6's the client is told.",
		"config fragments", setFour, setSix)
	s.squeeze = true
	h := ip{src: client4, dst: dns4, id: 1}
	d := h.udpDatagram(7000, 53, 3000)
	k := s.add(h.fragment(udp17, 0, true, d[:1480]), "forwarded*2", "to four pieces 2", "a first fragment of 1500 bytes")
	s.add(h.fragment(udp17, 1480, true, d[1480:2960]), "forwarded*2", as(k)+" pieces 2", "its second")
	s.forward(h.fragment(udp17, 2960, false, d[2960:]), as(k), "its last")
	h.id, h.word = 2, df
	s.add(h.fragment(udp17, 0, true, d[:1480]), "too_big_answered", "error 3/4 mtu 1476", "a first fragment with Don't Fragment")
	s.drop(h.fragment(udp17, 1480, true, d[1480:2960]), "too_big", "its second: no error about that")
	h = ip{src: client4, dst: "203.0.113.61", id: 3}
	s.drop(h.fragment(udp17, 0, true, d[:1480]), "too_big", "a first fragment for a VIP that does not cut")
	s.forward(h.fragment(udp17, 1480, false, d[1480:2000]), "to four", "its last, which fits")
	h6 := ip{src: client6, dst: dns6, id: 4}
	d = h6.udpDatagram(7000, 53, 3000)
	s.add(h6.fragment(udp17, 0, true, d[:1448]), "too_big_answered", "error 2/0 mtu 1456", "a first fragment of 1496 bytes, IPv6")
	s.add(h6.fragment(udp17, 1448, true, d[1448:2896]), "too_big_answered", "error 2/0 mtu 1456", "its second")
	s.forward(h6.fragment(udp17, 2896, false, d[2896:]), "to six", "its last, which fits")
	h.id, h.dst = 5, dns4
	h6.id = 5
	w := s.add(h.fragment(udp17, 1480, true, d[1480:2960]), "forwarded*2", "to four pieces 2", "a second fragment that waits, of 1500 bytes")
	s.drop(h6.fragment(udp17, 1448, true, d[1448:2896]), "too_big", "a second fragment that waits, IPv6: by then nobody knows whom to tell")
	s.nextBurst()
	s.forward(h.fragment(udp17, 0, true, d[:1456]), as(w), "its first")
	s.forward(h6.fragment(udp17, 0, true, d[:800]), "to six", "its first")
	return s
}
