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

// ReadCommon does the work of packet.Parse and [Key.Read] in one go for the
// shape that nearly every packet has. Where it returns true, h and k hold what
// they would have found. Where it returns false nothing is said of the frame,
// and what h and k hold is undefined.
//
// It looks at the headers as a few large words, so that each thing a sound
// packet has to be costs one comparison.
func (k *Key) ReadCommon(frame []byte, h *packet.Headers) bool {
	if len(frame) < commonLen4 || len(frame) > packet.MaxFrame || frame[0]&1 != 0 {
		return false
	}
	p := (*[commonLen4]byte)(frame)
	head := binary.BigEndian.Uint32(p[commonL3-2:]) // EtherType 16, then IPv4: version 4, length 4, TOS 8; IPv6: version 4, class 8, label 4
	switch {
	case head>>8 == packet.EtherTypeIPv4<<8|0x45:
		length := int(binary.BigEndian.Uint16(p[commonL3+2:]))
		tail := binary.BigEndian.Uint32(p[commonL3+6:]) // flags and fragment offset 16, TTL 8, protocol 8
		flags, ok := commonTransport(uint8(tail), length-packet.IPv4Len, p[commonL4v4+tcpFlags])
		if !ok || tail&0x3fff_0000 != 0 || commonL3+length > len(frame) {
			return false
		}
		addresses := binary.BigEndian.Uint64(p[commonL3+packet.IPv4Src:])
		// Field by field: a composite literal is built aside and copied.
		h.L3, h.L4, h.End = commonL3, commonL4v4, uint16(commonL3+length)
		h.Proto, h.TOS, h.TCPFlags = uint8(tail), uint8(head), flags
		h.IPv6, h.Ports, h.FirstFragment = false, true, false
		k.SrcHi, k.SrcLo, k.DstHi, k.DstLo = 0, addresses>>32, 0, addresses&(1<<32-1)
		k.Ports, k.Proto, k.IPv6 = binary.BigEndian.Uint32(p[commonL4v4:]), uint8(tail), false
		return true

	case head>>12 == packet.EtherTypeIPv6<<4|6 && len(frame) >= commonLen6:
		p := (*[commonLen6]byte)(frame)
		payload := int(binary.BigEndian.Uint16(p[commonL3+4:]))
		proto := p[commonL3+6]
		flags, ok := commonTransport(proto, payload, p[commonL4v6+tcpFlags])
		if !ok || commonL4v6+payload > len(frame) {
			return false
		}
		h.L3, h.L4, h.End = commonL3, commonL4v6, uint16(commonL4v6+payload)
		h.Proto, h.TOS, h.TCPFlags = proto, uint8(head>>4), flags
		h.IPv6, h.Ports, h.FirstFragment = true, true, false
		src, dst := p[commonL3+packet.IPv6Src:], p[commonL3+packet.IPv6Dst:]
		k.SrcHi, k.SrcLo = binary.BigEndian.Uint64(src), binary.BigEndian.Uint64(src[8:])
		k.DstHi, k.DstLo = binary.BigEndian.Uint64(dst), binary.BigEndian.Uint64(dst[8:])
		k.Ports, k.Proto, k.IPv6 = binary.BigEndian.Uint32(p[commonL4v6:]), proto, true
		return true
	}
	return false
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
