package packet

import (
	"encoding/binary"
	"net/netip"
)

// A Reason says what an ICMP error reports. Both versions have a type and a
// code for each.
type Reason uint8

// The reasons.
const (
	TooBig          Reason = iota // does not fit the next hop's MTU: RFC 1191, 4, and RFC 4443, 3.2
	PortUnreachable               // nobody listens there: RFC 792 and RFC 4443, 3.1
	HostUnreachable               // the address does not answer: RFC 1812, 4.3.3.1, and RFC 4443, 3.1
	Prohibited                    // administratively: RFC 1812, 5.2.7.1, and RFC 4443, 3.1
	Reasons                       // how many there are
)

// reasons holds type and code of each, for IPv4 and for IPv6.
var reasons = [Reasons][2][2]byte{
	TooBig:          {{icmpUnreachable, 4}, {icmpv6PacketTooBig, 0}},
	PortUnreachable: {{icmpUnreachable, 3}, {icmpv6Unreachable, 4}},
	HostUnreachable: {{icmpUnreachable, 1}, {icmpv6Unreachable, 3}},
	Prohibited:      {{icmpUnreachable, 13}, {icmpv6Unreachable, 1}},
}

const (
	icmpData = 4 // offset of what goes by type

	// Errors are no longer than what every path carries and every host takes:
	// RFC 1812, 4.3.2.3, and RFC 4443, 2.4 c.
	icmpErrorMax   = 576
	icmpv6ErrorMax = 1280

	// internetworkControl is the TOS of IPv4 errors: precedence 6 (RFC 1812,
	// 4.3.2.5), today's DSCP CS6 (RFC 2474, 4.2.2). RFC 4443 asks for nothing:
	// ICMPv6 errors have the default, 0.
	internetworkControl = 6 << 5
)

// An ICMPErrorSpec describes an error about a packet. Whether it is ICMP or
// ICMPv6 goes by the packet.
type ICMPErrorSpec struct {
	Reason Reason

	// MTU, in bytes, is the longest IP packet that would have fitted; for
	// TooBig only. IPv4 hosts ignore what is below 68, and IPv6 hosts what is
	// below 1280 (RFC 1191, 3; RFC 8201, 4).
	MTU uint32

	// Src is the address that the error is from. Unless it is of the packet's
	// IP version, that is the address that the packet was for (RFC 4443, 2.2 a).
	Src netip.Addr
}

// MayAnswer tells whether an ICMP error may be sent about the packet, whole or
// a fragment, that h describes. It may not (RFC 1122, 3.2.2; RFC 1812, 4.3.2.7;
// RFC 4443, 2.4 e)
//
//   - about ICMP, unless it is seen to be an echo request or reply: an error
//     about an error or a redirect would beget others;
//   - about an IPv4 fragment other than the first, nor about an IPv6 one that
//     may be a part of an ICMPv6 message;
//   - about an IPv4 header with a wrong checksum: its source may be wrong;
//   - where source or destination address is not of one host: multicast,
//     broadcast, unspecified, loopback, class E;
//   - where source or destination station is a link-layer group.
//
// How often errors are sent is for the caller to bound (RFC 1812, 4.3.2.8;
// RFC 4443, 2.4 f).
func MayAnswer(frame []byte, h *Headers) bool {
	if (frame[ethernetDst]|frame[ethernetSrc])&1 != 0 {
		return false
	}
	if ip := frame[h.L3:h.L4]; h.IPv6 {
		return unicast6(ip[IPv6Src:]) && unicast6(ip[IPv6Dst:]) && mayAnswer6(frame, h)
	} else if !unicast4(ip[IPv4Src:]) || !unicast4(ip[IPv4Dst:]) ||
		be16(ip[ipv4Fragment:])&ipv4Offset != 0 || Fold(Sum(ip)) != 0xffff {
		return false
	}
	if h.Proto == ProtoICMP {
		return h.L4 < h.End && (frame[h.L4] == icmpEchoRequest || frame[h.L4] == icmpEchoReply)
	}
	return true
}

// mayAnswer6 looks for what MayAnswer refuses behind an IPv6 header: in a first
// fragment behind the rest of the chain, in a later one at what the chain goes
// on with.
func mayAnswer6(frame []byte, h *Headers) bool {
	q := *h
	if h.Proto == ProtoFragment {
		p := frame[h.L4:h.End] // at least a fragment header: Parse saw it
		q.Proto, q.L4 = p[extensionNext], h.L4+extensionMin
		if !h.FirstFragment {
			return q.Proto == ProtoTCP || q.Proto == ProtoUDP || q.Proto == ProtoSCTP
		}
		if r := extensions(p[extensionMin:], &q); r != Whole && r != TruncatedTransport {
			return false
		}
	}
	if q.Proto == ProtoICMPv6 {
		return q.L4 < q.End && (frame[q.L4] == icmpv6EchoRequest || frame[q.L4] == icmpv6EchoReply)
	}
	return true
}

// ICMPErrorBounds returns where the frame with an ICMP error about the packet
// that h describes begins, from the start of the frame with that packet, and how
// long it is. at is negative: the headers of the error, 28 bytes or 48, go in
// front of the packet, which is quoted where it lies: as much of it as makes
// the error, from its IP header on, at most 576 bytes or 1280 long, and no
// padding. n is at least 62, so that no frame needs padding of its own.
func ICMPErrorBounds(h *Headers) (at, n int) {
	head, most := IPv4Len+icmpLen, icmpErrorMax
	if h.IPv6 {
		head, most = IPv6Len+icmpLen, icmpv6ErrorMax
	}
	l3 := int(h.L3)
	return -head, l3 + min(head+int(h.End)-l3, most)
}

// PutICMPError makes the frame with an ICMP error of the frame with the packet
// that it is about, which h describes. b lies over both, within
// [ICMPErrorBounds] of h; PutICMPError reports false, and writes nothing, where
// it is shorter.
//
//	b:       | room, 28 or 48 bytes   | Ethernet | packet
//	becomes  | Ethernet | IP   | ICMP            | quoted
//
// The error goes back to the station that the packet came from, with the same
// 802.1Q tag, and to the packet's source, with a TTL of 64. It carries Don't
// Fragment and no identification (RFC 6864, 4.1): at its size it needs no
// fragments, and so no state to number it from.
func PutICMPError(b []byte, h *Headers, e ICMPErrorSpec) bool {
	at, n := ICMPErrorBounds(h)
	if len(b) < n {
		return false
	}
	received, l3 := b[-at:n], int(h.L3)
	copy(b[ethernetDst:], received[ethernetSrc:ethernetType])
	copy(b[ethernetSrc:], received[ethernetDst:ethernetSrc])
	copy(b[ethernetType:l3], received[ethernetType:])

	ip, quote := b[l3:n], received[l3:]
	m := ip[-at-icmpLen:]
	mtu := e.MTU
	if e.Reason != TooBig {
		mtu = 0
	}
	if h.IPv6 {
		copy(m, reasons[e.Reason][1][:])
		putICMPv6Head(ip, quote, e.Src)
	} else {
		copy(m, reasons[e.Reason][0][:])
		mtu = min(mtu, 1<<16-1) // RFC 1191, 4: the lower half, the upper is zero
		putICMPHead(ip, quote, e.Src)
	}
	put16(m[icmpChecksum:], 0)
	binary.BigEndian.PutUint32(m[icmpData:], mtu)
	sum := Sum(m)
	if h.IPv6 { // the pseudo-header, RFC 8200, 8.1
		sum += Sum(ip[IPv6Src:IPv6Len]) + uint64(len(m)) + ProtoICMPv6
	}
	put16(m[icmpChecksum:], ^Fold(sum))
	return true
}

// putICMPHead writes the IPv4 header of the error in ip.
func putICMPHead(ip, quote []byte, from netip.Addr) {
	src, dst := binary.BigEndian.Uint32(quote[IPv4Dst:]), binary.BigEndian.Uint32(quote[IPv4Src:])
	if from.Is4() {
		a := from.As4()
		src = binary.BigEndian.Uint32(a[:])
	}
	PutIPv4(ip, answerTTL, ProtoICMP, src, dst)
	SetIPv4(ip, internetworkControl, uint16(len(ip)), IPv4Rest(ip[:IPv4Len]))
}

// putICMPv6Head writes the IPv6 header of the error in ip.
func putICMPv6Head(ip, quote []byte, from netip.Addr) {
	src, dst := [16]byte(quote[IPv6Dst:IPv6Len]), [16]byte(quote[IPv6Src:IPv6Dst])
	if from.Is6() {
		src = from.As16()
	}
	PutIPv6(ip, answerTTL, ProtoICMPv6, src, dst)
	SetIPv6(ip, 0, uint16(len(ip)-IPv6Len))
}
