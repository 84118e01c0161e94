package packet

// IPv6, RFC 8200, 3:
//
//	+-------+---------------+---------------------------------------+
//	|Version| Traffic Class |           Flow Label                  |
//	+-------+---------------+-------+---------------+---------------+
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	+-------------------------------+---------------+---------------+
//	|                      Source Address (16)                      |
//	+---------------------------------------------------------------+
//	|                   Destination Address (16)                    |
//	+---------------------------------------------------------------+
const (
	IPv6Len = 40

	ipv6Length     = 4
	ipv6NextHeader = 6
	ipv6HopLimit   = 7
	IPv6Src        = 8
	IPv6Dst        = 24
)

// Extension headers, RFC 8200, 4, and AH, RFC 4302, 2: the first byte names
// the next header, the second the length, in units of eight bytes beyond the
// first eight (AH: of four beyond the first eight).
const (
	extensionNext   = 0
	extensionLength = 1
	extensionMin    = 8

	// maxExtensions bounds the walk. RFC 8200 names six kinds, each at most
	// once but for destination options, which may come twice.
	maxExtensions = 8
)

// Fragment header, RFC 8200, 4.5:
//
//	+---------------+---------------+-------------------------+-+-+-+
//	|  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
//	+---------------+---------------+-------------------------+-+-+-+
//	|                         Identification                        |
//	+---------------------------------------------------------------+
const (
	fragmentOffset = 2

	fragmentOffsetMask = 0xfff8
	fragmentIsFragment = 0xfff9 // offset or More Fragments
)

// parseIPv6 reads the header at b[l3:].
func parseIPv6(b []byte, l3 int, h *Headers) Result {
	p := b[l3:]
	if len(p) < IPv6Len {
		return TruncatedHeader
	}
	if p[0]>>4 != 6 {
		return BadVersion
	}
	total := IPv6Len + int(be16(p[ipv6Length:]))
	if total > len(p) {
		return BadLength
	}
	h.IPv6, h.Ports, h.TCPFlags = true, false, 0
	h.TOS = p[0]<<4 | p[1]>>4
	h.L3, h.L4, h.End = uint16(l3), uint16(l3+IPv6Len), uint16(l3+total)
	h.Proto = p[ipv6NextHeader]
	switch h.Proto {
	case ProtoTCP, ProtoUDP, ProtoICMPv6:
		return transport(p[IPv6Len:total], h)
	}
	return extensions(p[IPv6Len:total], h)
}

// extensions walks the chain at the start of p to the transport header.
func extensions(p []byte, h *Headers) Result {
	for range maxExtensions {
		var n int
		switch h.Proto {
		case ProtoHopByHop, ProtoRouting, ProtoDestination:
			if len(p) < extensionMin {
				return TruncatedHeader
			}
			n = 8 + 8*int(p[extensionLength])
		case ProtoAH:
			if len(p) < extensionMin {
				return TruncatedHeader
			}
			n = 8 + 4*int(p[extensionLength])
		case ProtoFragment:
			if len(p) < extensionMin {
				return TruncatedHeader
			}
			f := be16(p[fragmentOffset:])
			if f&fragmentIsFragment != 0 {
				h.FirstFragment = f&fragmentOffsetMask == 0
				return Fragment
			}
			n = 8 // an atomic fragment, RFC 6946: a packet like any other
		default:
			return transport(p, h)
		}
		if n > len(p) {
			return TruncatedHeader
		}
		h.Proto = p[extensionNext]
		h.L4 += uint16(n)
		p = p[n:]
	}
	return TooManyExtensions
}

// PutIPv6 writes a header with no payload to the start of b.
func PutIPv6(b []byte, hopLimit, nextHeader uint8, src, dst [16]byte) {
	_ = b[IPv6Len-1]
	b[0], b[1], b[2], b[3] = 0x60, 0, 0, 0
	put16(b[ipv6Length:], 0)
	b[ipv6NextHeader], b[ipv6HopLimit] = nextHeader, hopLimit
	copy(b[IPv6Src:], src[:])
	copy(b[IPv6Dst:], dst[:])
}

// SetIPv6 patches traffic class and payload length of a header that [PutIPv6]
// wrote.
func SetIPv6(b []byte, class uint8, payload uint16) {
	_ = b[IPv6Len-1]
	b[0], b[1] = 0x60|class>>4, class<<4
	put16(b[ipv6Length:], payload)
}
