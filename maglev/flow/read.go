package flow

import (
	"encoding/binary"

	"guideway/maglev/packet"
)

// Read fills k from a frame in which packet.Parse found a whole packet or a
// fragment, h being what it found. A fragment has no ports.
func (k *Key) Read(frame []byte, h *packet.Headers) {
	p := frame[h.L3:]
	if h.IPv6 {
		p = p[:packet.IPv6Len]
		k.SrcHi = binary.BigEndian.Uint64(p[packet.IPv6Src:])
		k.SrcLo = binary.BigEndian.Uint64(p[packet.IPv6Src+8:])
		k.DstHi = binary.BigEndian.Uint64(p[packet.IPv6Dst:])
		k.DstLo = binary.BigEndian.Uint64(p[packet.IPv6Dst+8:])
	} else {
		p = p[:packet.IPv4Len]
		k.SrcHi, k.SrcLo = 0, uint64(binary.BigEndian.Uint32(p[packet.IPv4Src:]))
		k.DstHi, k.DstLo = 0, uint64(binary.BigEndian.Uint32(p[packet.IPv4Dst:]))
	}
	k.IPv6, k.Proto, k.Ports = h.IPv6, h.Proto, 0
	if h.Ports {
		k.Ports = binary.BigEndian.Uint32(frame[h.L4:])
	}
}

// ReadQuoted fills k from the packet inside an ICMP error that packet.Quoted
// read, q being what it found. That packet went from the VIP to the client;
// the key is the one of its flow, from the client to the VIP.
func (k *Key) ReadQuoted(frame []byte, q *packet.Headers) {
	k.Read(frame, q)
	k.SrcHi, k.SrcLo, k.DstHi, k.DstLo = k.DstHi, k.DstLo, k.SrcHi, k.SrcLo
	k.Ports = k.Ports<<16 | k.Ports>>16
}
