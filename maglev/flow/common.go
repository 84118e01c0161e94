package flow

import (
	"encoding/binary"

	"guideway/maglev/packet"
)

// The shape that nearly every packet has, by offsets from the frame's start:
// untagged Ethernet, IP without options or extensions, TCP or UDP, and at
// least as long as such a header with TCP.
const (
	commonL3   = packet.EthernetLen
	commonL4v4 = commonL3 + packet.IPv4Len
	commonL4v6 = commonL3 + packet.IPv6Len
	commonLen4 = commonL4v4 + tcpLen
	commonLen6 = commonL4v6 + tcpLen

	tcpLen, udpLen, tcpFlags = 20, 8, 13
)

// A Common is what is to be known of a packet of that shape besides its key. It
// begins behind an Ethernet header without a tag.
type Common struct {
	Len      uint16 // of the IP packet, without the frame's padding
	TOS      uint8
	TCPFlags uint8 // 0 if it is not TCP
}

// ReadCommon does the work of packet.Parse, [Key.Read] and [Key.Hash] in one go
// for the shape that nearly every packet has. Where it returns true, k and c are
// what they would have found. Where it returns false nothing is said of the frame,
// and what k and c hold is undefined.
//
// It looks at the headers as a few large words, so that each thing a sound
// packet has to be costs one comparison.
func (k *Key) ReadCommon(frame []byte, s *Seed, c *Common) (hash uint64, ok bool) {
	if len(frame) < commonLen4 || len(frame) > packet.MaxFrame || frame[0]&1 != 0 {
		return 0, false
	}
	p := (*[commonLen4]byte)(frame)
	head := binary.BigEndian.Uint32(p[commonL3-2:]) // EtherType 16, then IPv4: version 4, length 4, TOS 8; IPv6: version 4, class 8, label 4
	switch {
	case head>>8 == packet.EtherTypeIPv4<<8|0x45:
		length := int(binary.BigEndian.Uint16(p[commonL3+2:]))
		tail := binary.BigEndian.Uint32(p[commonL3+6:]) // flags and fragment offset 16, TTL 8, protocol 8
		flags, sound := commonTransport(uint8(tail), length-packet.IPv4Len, p[commonL4v4+tcpFlags])
		if !sound || tail&0x3fff_0000 != 0 || commonL3+length > len(frame) {
			return 0, false
		}
		addresses := binary.BigEndian.Uint64(p[commonL3+packet.IPv4Src:])
		ports := binary.BigEndian.Uint32(p[commonL4v4:])
		// Field by field: a composite literal is built aside and copied.
		k.SrcHi, k.SrcLo, k.DstHi, k.DstLo = 0, addresses>>32, 0, addresses&(1<<32-1)
		k.Ports, k.Proto, k.IPv6 = ports, uint8(tail), false
		c.Len, c.TOS, c.TCPFlags = uint16(length), uint8(head), flags
		return s.hash4(addresses, uint64(ports)<<8|uint64(uint8(tail))), true

	case head>>12 == packet.EtherTypeIPv6<<4|6 && len(frame) >= commonLen6:
		p := (*[commonLen6]byte)(frame)
		payload := int(binary.BigEndian.Uint16(p[commonL3+4:]))
		proto := p[commonL3+6]
		flags, sound := commonTransport(proto, payload, p[commonL4v6+tcpFlags])
		if !sound || commonL4v6+payload > len(frame) {
			return 0, false
		}
		src, dst := p[commonL3+packet.IPv6Src:], p[commonL3+packet.IPv6Dst:]
		srcHi, srcLo := binary.BigEndian.Uint64(src), binary.BigEndian.Uint64(src[8:])
		dstHi, dstLo := binary.BigEndian.Uint64(dst), binary.BigEndian.Uint64(dst[8:])
		ports := binary.BigEndian.Uint32(p[commonL4v6:])
		k.SrcHi, k.SrcLo, k.DstHi, k.DstLo = srcHi, srcLo, dstHi, dstLo
		k.Ports, k.Proto, k.IPv6 = ports, proto, true
		c.Len, c.TOS, c.TCPFlags = uint16(packet.IPv6Len+payload), uint8(head>>4), flags
		return s.hash6(srcHi, srcLo, dstHi, dstLo, uint64(ports)<<8|uint64(proto)), true
	}
	return 0, false
}

// commonTransport checks the protocol and that its header fits in n bytes, and
// returns the TCP flags, which are at the given byte if it is TCP.
func commonTransport(proto uint8, n int, atFlags byte) (flags uint8, ok bool) {
	switch proto {
	case packet.ProtoTCP:
		return atFlags, n >= tcpLen
	case packet.ProtoUDP:
		return 0, n >= udpLen
	}
	return 0, false
}
