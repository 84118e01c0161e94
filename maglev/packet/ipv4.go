package packet

// IPv4, RFC 791, 3.1:
//
//	 0                   1                   2                   3
//	+-------+-------+---------------+-------------------------------+
//	|Version|  IHL  |  TOS          |          Total Length         |
//	+-------+-------+---------------+-----+-------------------------+
//	|         Identification        |Flags|     Fragment Offset     |
//	+---------------+---------------+-----+-------------------------+
//	|  Time to Live |    Protocol   |         Header Checksum       |
//	+---------------+---------------+-------------------------------+
//	|                        Source Address                         |
//	+---------------------------------------------------------------+
//	|                     Destination Address                       |
//	+---------------------------------------------------------------+
const (
	IPv4Len = 20 // without options

	ipv4TOS      = 1
	ipv4Length   = 2
	ipv4ID       = 4
	ipv4Fragment = 6
	ipv4TTL      = 8
	ipv4Protocol = 9
	ipv4Checksum = 10
	IPv4Src      = 12
	IPv4Dst      = 16

	ipv4DontFragment  = 0x4000
	ipv4MoreFragments = 0x2000
	// ipv4IsFragment masks More Fragments and the offset: a packet is a
	// fragment when either is set.
	ipv4IsFragment = 0x3fff
	// ipv4Offset masks the fragment offset, in units of eight bytes.
	ipv4Offset = 0x1fff
)

// parseIPv4 reads the header at b[l3:].
func parseIPv4(b []byte, l3 int, h *Headers) Result {
	p := b[l3:]
	if len(p) < IPv4Len {
		return TruncatedHeader
	}
	if p[0]>>4 != 4 {
		return BadVersion
	}
	header := int(p[0]&0x0f) * 4
	if header < IPv4Len {
		return BadHeaderLength
	}
	total := int(be16(p[ipv4Length:]))
	if total < header || total > len(p) {
		return BadLength
	}
	h.L3, h.L4, h.End = uint16(l3), uint16(l3+header), uint16(l3+total)
	h.Proto, h.TOS, h.TCPFlags = p[ipv4Protocol], p[ipv4TOS], 0
	h.IPv6, h.Ports, h.FirstFragment = false, false, false
	if f := be16(p[ipv4Fragment:]); f&ipv4IsFragment != 0 {
		h.FirstFragment = f&ipv4Offset == 0
		return Fragment
	}
	return transport(p[header:total], h)
}

// unicast4 tells whether the address at the start of a can be one host's: not
// of this network, loopback, multicast, class E or broadcast (RFC 1122,
// 3.2.1.3).
func unicast4(a []byte) bool { return a[0] != 0 && a[0] != 127 && a[0] < 224 }

// PutIPv4 writes a header without options to the start of b: Don't Fragment,
// identification zero (RFC 6864, 4.1: an atomic datagram needs none), length
// and checksum of a packet with no payload. src and dst are big-endian numbers.
func PutIPv4(b []byte, ttl, protocol uint8, src, dst uint32) {
	_ = b[IPv4Len-1]
	b[0], b[ipv4TOS] = 0x45, 0
	put16(b[ipv4Length:], IPv4Len)
	put16(b[ipv4ID:], 0)
	put16(b[ipv4Fragment:], ipv4DontFragment)
	b[ipv4TTL], b[ipv4Protocol] = ttl, protocol
	put16(b[ipv4Checksum:], 0)
	put16(b[IPv4Src:], uint16(src>>16))
	put16(b[IPv4Src+2:], uint16(src))
	put16(b[IPv4Dst:], uint16(dst>>16))
	put16(b[IPv4Dst+2:], uint16(dst))
	put16(b[ipv4Checksum:], ^Fold(Sum(b[:IPv4Len])))
}

// SetIPv4 patches TOS, total length and checksum of a header that [PutIPv4]
// wrote. rest is [IPv4Rest] of that header, so that the checksum costs two
// additions.
func SetIPv4(b []byte, tos uint8, total uint16, rest uint32) {
	_ = b[IPv4Len-1]
	b[ipv4TOS] = tos
	put16(b[ipv4Length:], total)
	put16(b[ipv4Checksum:], ^Fold(uint64(rest)+uint64(tos)+uint64(total)))
}

// IPv4Rest returns the one's-complement sum of a header that [PutIPv4] wrote,
// over all but TOS, total length and checksum.
func IPv4Rest(b []byte) uint32 {
	var c [IPv4Len]byte
	copy(c[:], b)
	ClearIPv4(c[:])
	return uint32(Fold(Sum(c[:])))
}

// ClearIPv4 zeroes what [SetIPv4] sets: a header that it can be or'ed into.
func ClearIPv4(b []byte) {
	_ = b[IPv4Len-1]
	b[ipv4TOS] = 0
	put16(b[ipv4Length:], 0)
	put16(b[ipv4Checksum:], 0)
}
