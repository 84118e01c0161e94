package trace

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// What of a packet is not for packet.PutIPv4 and PutIPv6.
const (
	ttl = 64

	ipv4ID        = 4
	ipv4Fragment  = 6
	moreFragments = 0x2000
	fragmentLen   = 8 // of IPv6's fragment header, RFC 8200, 4.5

	tcpLen, udpLen, sctpLen = 20, 8, 12
	tcpOffset               = 5 << 4 // words of the header, in the upper half of its byte
	tcpWindow               = 1024
)

// MayTrace tells why a flow cannot be traced, or nil: it has TCP, UDP or SCTP
// between two hosts.
func MayTrace(k flow.Key) error {
	switch k.Proto {
	case packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP:
	default:
		return fmt.Errorf("only tcp, udp and sctp have packets that can be marked and harm nobody: explain tells of others")
	}
	for _, a := range []interface{ IsMulticast() bool }{k.Src(), k.Dst()} {
		if a.IsMulticast() {
			return fmt.Errorf("%v is no address of a host", a)
		}
	}
	return nil
}

// craft makes the packets of one datagram of a flow, from the IP header on: one,
// or two that are its fragments. Each has room for a mark at its end, which mark
// fills in.
//
// The datagram's checksum is wrong, always. Nothing on the way looks at that,
// but the backend's kernel does, and drops it: no service gets it, no connection
// takes notice, and nothing is answered, not even by RST. Besides, a TCP segment
// bears no flag at all, so that it opens and ends nothing.
func craft(k flow.Key, id uint32, split bool, mark func(packet []byte, p Piece)) [][]byte {
	size, head := packet.TracedLen4, packet.IPv4Len
	if k.IPv6 {
		size, head = packet.TracedLen6, packet.IPv6Len
		if split {
			head += fragmentLen
		}
	}
	parts := []Piece{Whole}
	if split {
		parts = []Piece{First, Last}
	}
	step := size - head
	datagram := make([]byte, len(parts)*step)
	header(k, datagram)
	for i, p := range parts {
		mark(datagram[i*step:][:step], p)
	}
	spoil(k, datagram)
	var all [][]byte
	for i := range parts {
		all = append(all, wrap(k, id, split, i*step, datagram))
	}
	return all
}

// header writes the transport header of a datagram, without its checksum.
func header(k flow.Key, b []byte) {
	binary.BigEndian.PutUint16(b, k.SrcPort())
	binary.BigEndian.PutUint16(b[2:], k.DstPort())
	switch k.Proto {
	case packet.ProtoTCP:
		b[12] = tcpOffset
		binary.BigEndian.PutUint16(b[14:], tcpWindow)
	case packet.ProtoUDP:
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	}
}

// spoil writes a checksum that is wrong, whatever the datagram: of TCP and UDP
// (RFC 9293, 3.1; RFC 768; RFC 8200, 8.1) neither right nor none, of SCTP (RFC
// 9260, 6.8) the complement of the right one.
func spoil(k flow.Key, b []byte) {
	if k.Proto == packet.ProtoSCTP {
		binary.LittleEndian.PutUint32(b[8:], ^crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
		return
	}
	at := 6
	if k.Proto == packet.ProtoTCP {
		at = 16
	}
	src, dst := k.Src().AsSlice(), k.Dst().AsSlice()
	sum := packet.Sum(src) + packet.Sum(dst) + uint64(len(b)) + uint64(k.Proto) + packet.Sum(b)
	wrong := ^packet.Fold(sum) ^ 0x5555
	if wrong == 0 {
		wrong = 0xaaaa
	}
	binary.BigEndian.PutUint16(b[at:], wrong)
}

// wrap puts the part of a datagram that begins at an offset into a packet.
func wrap(k flow.Key, id uint32, split bool, at int, datagram []byte) []byte {
	if k.IPv6 {
		return wrap6(k, id, split, at, datagram)
	}
	b := make([]byte, packet.TracedLen4)
	src, dst := k.Src().As4(), k.Dst().As4()
	packet.PutIPv4(b, ttl, k.Proto, binary.BigEndian.Uint32(src[:]), binary.BigEndian.Uint32(dst[:]))
	n := copy(b[packet.IPv4Len:], datagram[at:])
	if split {
		word := uint16(at / 8)
		if at+n < len(datagram) {
			word |= moreFragments
		}
		binary.BigEndian.PutUint16(b[ipv4Fragment:], word)
	}
	binary.BigEndian.PutUint16(b[ipv4ID:], max(1, uint16(id))) // of zero the kernel makes another
	packet.SetIPv4(b, 0, packet.TracedLen4, packet.IPv4Rest(b))
	return b
}

func wrap6(k flow.Key, id uint32, split bool, at int, datagram []byte) []byte {
	b := make([]byte, packet.TracedLen6)
	rest, next := b[packet.IPv6Len:], k.Proto
	if split {
		rest[0], next = k.Proto, packet.ProtoFragment
		word := uint16(at)
		if at+len(rest)-fragmentLen < len(datagram) {
			word |= 1
		}
		binary.BigEndian.PutUint16(rest[2:], word)
		binary.BigEndian.PutUint32(rest[4:], id)
		rest = rest[fragmentLen:]
	}
	packet.PutIPv6(b, ttl, next, k.Src().As16(), k.Dst().As16())
	packet.SetIPv6(b, 0, packet.TracedLen6-packet.IPv6Len)
	copy(rest, datagram[at:])
	return b
}
