package packet

// ICMP, RFC 792, and ICMPv6, RFC 4443, 2.1. An error quotes the packet that
// caused it: at least its IP header and eight bytes, as far as the sender
// pleases (RFC 1812, 4.3.2.3; RFC 4443, 2.4 c).
//
//	+---------------+---------------+-------------------------------+
//	|     Type      |     Code      |           Checksum            |
//	+---------------+---------------+-------------------------------+
//	|      by type: the next hop's MTU, a pointer, or unused        |
//	+---------------------------------------------------------------+
//	|   the packet that caused the error, cut off somewhere         |
const (
	icmpLen = 8

	icmpUnreachable      = 3 // frag-needed is its code 4
	icmpTimeExceeded     = 11
	icmpParameterProblem = 12

	icmpv6Unreachable      = 1
	icmpv6PacketTooBig     = 2
	icmpv6TimeExceeded     = 3
	icmpv6ParameterProblem = 4

	// quotedTransport is how much of the transport header RFC 792 promises.
	quotedTransport = 8
)

// ICMPError tells whether the whole packet that h describes is an ICMP error
// of its own IP version: unreachable, packet too big, time exceeded or
// parameter problem. Redirects are none: no host takes them from afar.
func ICMPError(frame []byte, h *Headers) bool {
	p := frame[h.L4:h.End]
	if len(p) < icmpLen {
		return false
	}
	switch {
	case !h.IPv6 && h.Proto == ProtoICMP:
		return p[0] == icmpUnreachable || p[0] == icmpTimeExceeded || p[0] == icmpParameterProblem
	case h.IPv6 && h.Proto == ProtoICMPv6:
		return icmpv6Unreachable <= p[0] && p[0] <= icmpv6ParameterProblem
	}
	return false
}

// Quoted reads the headers of the packet inside an ICMP error, for which h is
// what Parse found, into q: offsets from the frame's first byte, End where the
// quote ends. The quoted packet's own length is not looked at: it is cut off,
// and nothing beyond its first eight bytes of transport is promised.
//
// It reports false where the quote does not tell a flow: cut within its IP or
// extension headers or within those eight bytes, of the other IP version, or a
// fragment other than the first.
func Quoted(frame []byte, h, q *Headers) bool {
	start := int(h.L4) + icmpLen
	if start > int(h.End) {
		return false
	}
	p := frame[start:h.End]
	*q = Headers{L3: uint16(start), End: h.End, IPv6: h.IPv6}
	var whole bool
	if h.IPv6 {
		whole = quotedIPv6(p, q)
	} else {
		whole = quotedIPv4(p, q)
	}
	if !whole {
		return false
	}
	switch q.Proto {
	case ProtoTCP, ProtoUDP, ProtoSCTP:
		q.Ports = int(q.L4)+quotedTransport <= int(q.End)
		return q.Ports
	}
	return true
}

func quotedIPv4(p []byte, q *Headers) bool {
	if len(p) < IPv4Len || p[0]>>4 != 4 {
		return false
	}
	header := int(p[0]&0x0f) * 4
	if header < IPv4Len || header > len(p) || be16(p[ipv4Fragment:])&ipv4Offset != 0 {
		return false
	}
	q.Proto, q.L4 = p[ipv4Protocol], q.L3+uint16(header)
	return true
}

func quotedIPv6(p []byte, q *Headers) bool {
	if len(p) < IPv6Len || p[0]>>4 != 6 {
		return false
	}
	q.Proto, q.L4 = p[ipv6NextHeader], q.L3+IPv6Len
	result := extensions(p[IPv6Len:], q)
	if result == Fragment && q.FirstFragment {
		p = p[q.L4-q.L3:] // at least a fragment header: extensions saw it
		q.Proto, q.L4, q.FirstFragment = p[extensionNext], q.L4+extensionMin, false
		result = extensions(p[extensionMin:], q)
	}
	q.TCPFlags = 0
	// What extensions finds too short for a header may hold its ports.
	return result == Whole || result == TruncatedTransport
}
