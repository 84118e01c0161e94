package health

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Echo request and reply, RFC 792 and RFC 4443 section 4. An error (RFC 792;
// RFC 4443 section 3) has the same length, and then quotes the packet that it
// is about, from its IP header on.
//
//	 0                   1                   2                   3
//	+---------------+---------------+-------------------------------+
//	|     Type      |     Code      |           Checksum            |
//	+---------------+---------------+-------------------------------+
//	|          Identifier           |        Sequence Number        |
//	+-------------------------------+-------------------------------+
//	|     Data ...
const (
	typeAt  = 0
	codeAt  = 1
	idAt    = 4
	seqAt   = 6
	icmpLen = 8
)

// Of the IP headers what is needed (RFC 791 section 3.1, RFC 8200 section 3).
const (
	len4     = 20
	proto4At = 9
	src4At   = 12
	dst4At   = 16
	len6     = 40
	proto6At = 6
	src6At   = 8
	dst6At   = 24
)

// errors4 and errors6 are the messages that say why a request came to nothing,
// in words; by code where that tells more.
var (
	errors4 = map[ipv4.ICMPType]string{
		ipv4.ICMPTypeDestinationUnreachable: "unreachable",
		ipv4.ICMPTypeTimeExceeded:           "time exceeded",
		ipv4.ICMPTypeParameterProblem:       "parameter problem",
	}
	codes4 = map[byte]string{ // RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1
		0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable", 4: "fragmentation needed",
		9: "network prohibited", 10: "host prohibited", 13: "administratively prohibited",
	}
	errors6 = map[ipv6.ICMPType]string{
		ipv6.ICMPTypeDestinationUnreachable: "unreachable",
		ipv6.ICMPTypePacketTooBig:           "packet too big",
		ipv6.ICMPTypeTimeExceeded:           "time exceeded",
		ipv6.ICMPTypeParameterProblem:       "parameter problem",
	}
	codes6 = map[byte]string{ // RFC 4443 section 3.1
		0: "no route", 1: "administratively prohibited", 2: "beyond scope of source address",
		3: "address unreachable", 5: "source address not allowed", 6: "route rejected",
	}
)

// request makes an echo request. Of ICMPv6 the kernel makes the checksum
// (RFC 3542 section 3.1).
func request(to netip.Addr, id, seq uint16, t token) ([]byte, error) {
	return echoRequest(to, id, seq, t).Marshal(nil)
}

func echoRequest(to netip.Addr, id, seq uint16, t token) *icmp.Message {
	m := &icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(id), Seq: int(seq), Data: t[:]}}
	if to.Is6() {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	return m
}

const (
	ttl      = 64
	length4  = 2
	ttl4At   = 8
	sum4At   = 10
	length6  = 4
	ttl6At   = 7
	version4 = 4<<4 | len4>>2
	version6 = 6 << 4
)

// wholeRequest makes an IP packet of an echo request, with room of GRE's length
// before it.
func wholeRequest(from, to netip.Addr, id, seq uint16, t token) ([]byte, error) {
	m := echoRequest(to, id, seq, t)
	if to.Is6() {
		body, err := m.Marshal(icmp.IPv6PseudoHeader(from.AsSlice(), to.AsSlice()))
		b := make([]byte, greLen+len6, greLen+len6+len(body))
		h := b[greLen:]
		h[0], h[proto6At], h[ttl6At] = version6, unix.IPPROTO_ICMPV6, ttl
		binary.BigEndian.PutUint16(h[length6:], uint16(len(body)))
		copy(h[src6At:], from.AsSlice())
		copy(h[dst6At:], to.AsSlice())
		return append(b, body...), err
	}
	body, err := m.Marshal(nil)
	b := make([]byte, greLen+len4, greLen+len4+len(body))
	h := b[greLen:]
	h[0], h[proto4At], h[ttl4At] = version4, unix.IPPROTO_ICMP, ttl
	binary.BigEndian.PutUint16(h[length4:], uint16(len4+len(body)))
	copy(h[src4At:], from.AsSlice())
	copy(h[dst4At:], to.AsSlice())
	sum := uint32(0)
	for i := 0; i < len4; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(h[sum4At:], ^uint16(sum>>16+sum))
	return append(b, body...), err
}

// A message is what a socket heard.
type message struct {
	kind    messageKind
	peer    netip.Addr // the target: whom a reply is from, or whom an error is about
	id, seq uint16
	token   token // of a reply
	err     error // an error, in words
}

type messageKind uint8

const (
	noMessage messageKind = iota // nothing that we asked for
	echoReply
	echoError
)

// parse reads what a raw socket gave: of IPv4 with its header, of IPv6 without.
func parse(b []byte, from unix.Sockaddr) message {
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		if len(b) < len4 || int(b[0]&0xf)<<2 < len4 || int(b[0]&0xf)<<2 > len(b) {
			return message{}
		}
		return parse4(b[b[0]&0xf<<2:], netip.AddrFrom4(from.Addr))
	case *unix.SockaddrInet6:
		return parse6(b, netip.AddrFrom16(from.Addr))
	}
	return message{}
}

func parse4(b []byte, from netip.Addr) message {
	if len(b) < icmpLen {
		return message{}
	}
	if ipv4.ICMPType(b[typeAt]) == ipv4.ICMPTypeEchoReply {
		return reply(b, from)
	}
	what, known := errors4[ipv4.ICMPType(b[typeAt])]
	q := b[icmpLen:]
	if !known || len(q) < len4 || q[0]>>4 != 4 || q[proto4At] != unix.IPPROTO_ICMP {
		return message{}
	}
	if words := codes4[b[codeAt]]; words != "" && ipv4.ICMPType(b[typeAt]) == ipv4.ICMPTypeDestinationUnreachable {
		what = words
	}
	header := int(q[0]&0xf) << 2
	if header < len4 || len(q) < header+icmpLen || ipv4.ICMPType(q[header+typeAt]) != ipv4.ICMPTypeEcho {
		return message{}
	}
	return quoted(q[header:], netip.AddrFrom4([4]byte(q[dst4At:])), what, from)
}

func parse6(b []byte, from netip.Addr) message {
	if len(b) < icmpLen {
		return message{}
	}
	if ipv6.ICMPType(b[typeAt]) == ipv6.ICMPTypeEchoReply {
		return reply(b, from)
	}
	what, known := errors6[ipv6.ICMPType(b[typeAt])]
	q := b[icmpLen:]
	// A request has no extension headers, so its quote has none.
	if !known || len(q) < len6+icmpLen || q[0]>>4 != 6 || q[proto6At] != unix.IPPROTO_ICMPV6 ||
		ipv6.ICMPType(q[len6+typeAt]) != ipv6.ICMPTypeEchoRequest {
		return message{}
	}
	if words := codes6[b[codeAt]]; words != "" && ipv6.ICMPType(b[typeAt]) == ipv6.ICMPTypeDestinationUnreachable {
		what = words
	}
	return quoted(q[len6:], netip.AddrFrom16([16]byte(q[dst6At:])), what, from)
}

func reply(b []byte, from netip.Addr) message {
	if len(b) != icmpLen+tokenLen {
		return message{}
	}
	return message{
		kind: echoReply, peer: from, token: token(b[icmpLen:]),
		id: binary.BigEndian.Uint16(b[idAt:]), seq: binary.BigEndian.Uint16(b[seqAt:]),
	}
}

// quoted is an error about a request, of which b is at least the head.
func quoted(b []byte, to netip.Addr, what string, from netip.Addr) message {
	return message{
		kind: echoError, peer: to, err: fmt.Errorf("%s, says %s", what, from),
		id: binary.BigEndian.Uint16(b[idAt:]), seq: binary.BigEndian.Uint16(b[seqAt:]),
	}
}
