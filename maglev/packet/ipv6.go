package packet

import "encoding/binary"

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
// the next header, the second how long this one is beyond its first eight
// bytes, in units of eight bytes (AH: of four).
//
// ESP, RFC 4303, is not walked over: what follows it cannot be read.
const (
	extensionNext   = 0
	extensionLength = 1
	extensionMin    = 8

	// maxExtensions bounds the walk. The order that RFC 8200, 4.1 recommends
	// has six headers in front of the transport's, ESP apart.
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
	h.L3, h.L4, h.End = uint16(l3), uint16(l3+IPv6Len), uint16(l3+total)
	h.Proto, h.TOS, h.TCPFlags = p[ipv6NextHeader], p[0]<<4|p[1]>>4, 0
	h.IPv6, h.Ports, h.FirstFragment = true, false, false
	switch h.Proto {
	case ProtoTCP, ProtoUDP, ProtoICMPv6:
		return transport(p[IPv6Len:total], h)
	}
	return extensions(p[IPv6Len:total], h)
}

// extensions walks the chain at the start of p, which ends where the IP packet
// ends, to the header behind it. Headers come in any order and any number of
// times (RFC 8200, 4.1), up to our bound.
func extensions(p []byte, h *Headers) Result {
	for n := 0; ; n++ {
		var unit int // of the length field, in bytes
		switch h.Proto {
		case ProtoHopByHop, ProtoRouting, ProtoDestination:
			unit = 8
		case ProtoAH:
			unit = 4
		case ProtoFragment: // has no length field
		default:
			return transport(p, h)
		}
		if n == maxExtensions {
			return TooManyExtensions
		}
		if len(p) < extensionMin {
			return TruncatedHeader
		}
		if h.Proto == ProtoFragment {
			if f := be16(p[fragmentOffset:]); f&fragmentIsFragment != 0 {
				h.FirstFragment = f&fragmentOffsetMask == 0
				return Fragment
			} // else an atomic fragment, RFC 6946: a packet like any other
		}
		length := extensionMin + unit*int(p[extensionLength])
		if length > len(p) {
			return TruncatedHeader
		}
		h.Proto = p[extensionNext]
		h.L4 += uint16(length) // never beyond End
		p = p[length:]
	}
}

// unicast6 tells whether the address at the start of a can be one host's: not
// multicast, unspecified or loopback (RFC 4291, 2.5.2, 2.5.3 and 2.7), nor any
// other of their /120, of which none is in use.
func unicast6(a []byte) bool {
	high, low := binary.BigEndian.Uint64(a), binary.BigEndian.Uint64(a[8:])
	return a[0] != 0xff && high|low>>8 != 0
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
