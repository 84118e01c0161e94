package packet

// Echo, RFC 792 and RFC 4443, 4: the answer is the request with another type,
// its addresses exchanged.
const (
	icmpChecksum = 2

	icmpEchoRequest = 8
	icmpEchoReply   = 0

	icmpv6EchoRequest = 128
	icmpv6EchoReply   = 129

	answerTTL = 64
)

// EchoRequest tells whether the whole packet that h describes is an echo
// request that a host may answer: from a unicast address (RFC 1122, 3.2.2.6,
// RFC 4443, 4.2), and without IP options or extension headers, which an answer
// would have to take apart.
func EchoRequest(frame []byte, h *Headers) bool {
	p := frame[h.L4:h.End]
	if len(p) < icmpLen {
		return false
	}
	ip := frame[h.L3:h.L4]
	if !h.IPv6 {
		return h.Proto == ProtoICMP && p[0] == icmpEchoRequest && h.L4-h.L3 == IPv4Len &&
			unicast4(ip[IPv4Src:])
	}
	return h.Proto == ProtoICMPv6 && p[0] == icmpv6EchoRequest && h.L4-h.L3 == IPv6Len &&
		unicast6(ip[IPv6Src:])
}

// AnswerEcho turns a frame with an EchoRequest, in place, into the frame with
// its answer: back to the station that it came from, with a fresh TTL. What
// was wrong with the request's checksum is wrong with the answer's.
func AnswerEcho(frame []byte, h *Headers) {
	exchange(frame[ethernetDst:ethernetSrc], frame[ethernetSrc:ethernetType])
	ip := frame[h.L3:h.L4]
	answer := byte(icmpEchoReply)
	if h.IPv6 {
		exchange(ip[IPv6Src:IPv6Dst], ip[IPv6Dst:IPv6Len])
		ip[ipv6HopLimit] = answerTTL
		answer = icmpv6EchoReply
	} else {
		exchange(ip[IPv4Src:IPv4Dst], ip[IPv4Dst:IPv4Len])
		ip[ipv4TTL] = answerTTL
		put16(ip[ipv4Checksum:], 0)
		put16(ip[ipv4Checksum:], ^Fold(Sum(ip)))
	}
	p := frame[h.L4:h.End]
	was := be16(p)
	p[0] = answer
	// Of the two zeros of one's complement only 0xffff is right whatever the
	// message: one of all zeros has no other.
	sum := updated(be16(p[icmpChecksum:]), was, be16(p))
	if sum == 0 {
		sum = 0xffff
	}
	put16(p[icmpChecksum:], sum)
}

// exchange swaps the content of two slices of one length.
func exchange(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}
