package main

import "fmt"

// floods are more fragments than there is room for.
func floods() []*scene {
	one := newScene("fragments-one-datagram", "Of one datagram as many fragments wait as fit a burst.", "config fragments")
	h := ip{src: client4, dst: dns4, id: 1}
	for i := range 70 {
		verdict := "fragment_drained"
		if i >= 64 {
			verdict = "fragment_too_many_pieces"
		}
		one.drop(h.fragment(udp17, 800+8*i, true, text(8)), verdict, fmt.Sprint("a fragment without its first, ", i+1))
	}
	full := newScene("fragments-one-fills", "Of one datagram come more fragments than may wait: it does not push out itself.", "config held")
	for i := range 20 {
		verdict := "fragment_drained"
		if i >= 16 {
			verdict = "fragment_too_many_held"
		}
		full.drop(h.fragment(udp17, 800+8*i, true, text(8)), verdict, fmt.Sprint("a fragment without its first, ", i+1))
	}
	many := newScene("fragments-many-datagrams", "Of many datagrams come more fragments than may wait: the oldest go, and the newest find their first.",
		"config held", setFour)
	many.squeeze = true
	for i := range 96 {
		h.id = uint16(i)
		frame, what := h.fragment(udp17, 800, false, text(100)), fmt.Sprint("a fragment without its first, datagram ", i)
		switch {
		case i < 80:
			many.drop(frame, "fragment_pushed_out", what)
		case i < 88:
			many.drop(frame, "fragment_drained", what)
		default:
			many.forward(frame, "to four", what+": its first comes in time")
		}
	}
	for i := 88; i < 96; i++ {
		h.id = uint16(i)
		many.forward(h.fragment(udp17, 0, true, h.udpDatagram(7000+i, 53, 792)), "to four", fmt.Sprint("the first of datagram ", i))
	}
	h.id = 3
	many.forward(h.fragment(udp17, 0, true, h.udpDatagram(7003, 53, 792)), "to four", "the first of one that was pushed out: goes alone")

	bytes := newScene("fragments-bytes", `Jumbo fragments: the bytes that may wait are reached before their number. The oldest datagram, of 64
		fragments, cannot go while another frame of the burst is to be freed.`, "config bytes", "mtu 9000")
	bytes.squeeze = true
	h.id = 1
	for range 64 {
		bytes.drop(h.fragment(udp17, 8976, true, text(8976)), "fragment_pushed_out", "a fragment of 8996 bytes without its first")
	}
	h.id = 2
	for i := range 52 {
		bytes.drop(h.fragment(udp17, 8976, true, text(8976)), "fragment_drained", fmt.Sprint("of another datagram, ", i+1))
	}
	for len(bytes.shapes)%32 != 0 {
		bytes.drop(ip{src: client4, dst: "203.0.113.99"}.udp(1, 2, 0), "not_vip", "so that what follows comes in another burst")
	}
	bytes.drop(ip{src: client4, dst: "203.0.113.99"}.udp(1, 2, 0), "not_vip", "a frame to be freed")
	h.ttl = 60
	bytes.drop(h.fragment(udp17, 8976, true, text(8976)), "fragment_too_many_bytes", "one more of the other datagram")
	for len(bytes.shapes)%32 != 0 {
		bytes.drop(ip{src: client4, dst: "203.0.113.99"}.udp(1, 2, 0), "not_vip", "so that what follows comes in another burst")
	}
	h.ttl = 59
	bytes.drop(h.fragment(udp17, 8976, true, text(8976)), "fragment_drained", "one more, in a burst where all of the oldest can go")

	expiry := newScene("fragments-expiry", "Fragments whose first does not come are given up after the timeout.", "config expiry", setFour)
	for i := range 20 {
		h.id = uint16(i)
		expiry.drop(h.fragment(udp17, 800, i%2 == 0, text(80)), "fragment_expired", fmt.Sprint("a fragment without its first, datagram ", i))
	}
	h6 := ip{src: client6, dst: dns6, id: 9}
	expiry.drop(h6.fragment(udp17, 800, true, text(80)), "fragment_expired", "the same over IPv6")
	expiry.drop(h6.fragment(udp17, 1600, false, text(80)), "fragment_expired", "another of its datagram")
	h.id = 100
	expiry.forward(h.fragment(udp17, 0, true, h.udpDatagram(7000, 53, 792)), "to four", "a datagram that is whole")
	expiry.forward(h.fragment(udp17, 800, false, text(8)), "to four", "its last")
	return []*scene{one, full, many, bytes, expiry}
}
