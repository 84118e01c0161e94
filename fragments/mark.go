package fragments

import (
	"encoding/binary"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// A Passage tells how a packet to this node's own address came.
type Passage uint8

// The passages.
const (
	Plain      Passage = iota // not GRE, or GRE without a mark: nothing of ours
	Redirected                // by another node, with a packet inside
	Stranger                  // marked, but not from a node of the list: the mark means nothing
	BadMark                   // marked and from a node, but not as nodes write it
	Passages                  // how many there are
)

// Redirected tells how a packet came that is addressed to this node itself, and
// in which packet.Parse found a Whole packet, h being what it found. Of a
// Redirected one it returns the offset of the packet inside, which is in front
// of h.End, is IPv4 or IPv6, and is otherwise unchecked.
//
// Source addresses can be forged where the network lets them: a mark is worth
// as much as the filters at its border.
func (o *Owners) Redirected(frame []byte, h *packet.Headers) (inner int, passage Passage) {
	gre := frame[h.L4:h.End]
	if h.Proto != packet.ProtoGRE || len(gre) < packet.GRELen {
		return 0, Plain
	}
	word := binary.BigEndian.Uint16(gre)
	if word&packet.GRERecursion == 0 {
		return 0, Plain
	}
	var k flow.Key
	k.Read(frame, h)
	if !o.other(k.SrcHi, k.SrcLo, k.IPv6) {
		return 0, Stranger
	}
	etherType := binary.BigEndian.Uint16(gre[packet.GREProtocol:])
	if word != packet.GREMarked || len(gre) == packet.GRELen || etherType != packet.EtherTypeIPv4 && etherType != packet.EtherTypeIPv6 {
		return 0, BadMark
	}
	return int(h.L4) + packet.GRELen, Redirected
}

// Unwrap takes the tunnel off a frame in which Redirected found a packet at
// inner; h is still what packet.Parse found. The frame is then as if the packet
// had come by itself, with the same addresses of Ethernet, to a port of the
// given VLAN, and is to be parsed like any other.
func Unwrap(f *pmd.Frame, h *packet.Headers, inner int, vlan uint16) {
	b := f.Bytes()
	dst, src := [6]byte(b), [6]byte(b[6:])
	etherType := binary.BigEndian.Uint16(b[inner-packet.GRELen+packet.GREProtocol:])
	header := packet.EthernetLen
	if vlan != 0 {
		header += packet.VLANLen
	}
	// Both lengths are within the frame: the outer IP and GRE headers are
	// longer than a tag.
	f.Trim(int(h.End))
	f.Shrink(inner - header)
	packet.PutEthernet(f.Bytes(), dst, src, vlan, etherType)
}
