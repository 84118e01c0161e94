package trace

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"

	"guideway/fragments"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// A Seen is what a traced packet looks like where it comes.
type Seen struct {
	Key    flow.Key // of a later fragment without ports
	Size   int      // from the IP header on, in bytes
	From   netip.Addr
	Piece  Piece
	ID     uint32 // of a fragment's datagram
	Offset int    // of a fragment, in bytes
}

var errUnread = errors.New("no packet can be read from it")

// Read reads the packet of a frame with a traced packet, or the packet alone.
// What is in a tunnel is read from there, From being the tunnel's sender.
func Read(frame []byte) (Seen, error) {
	if n := len(frame); n == packet.TracedLen4 || n == packet.TracedLen6 {
		return readPacket(frame)
	}
	from, _ := TunnelEnds(frame)
	var h packet.Headers
	if packet.Parse(frame, vlanOf(frame), &h) == packet.Whole && h.Proto == packet.ProtoGRE && int(h.End-h.L4) > packet.GRELen {
		s, err := readPacket(frame[int(h.L4)+packet.GRELen : h.End])
		s.From = from
		return s, err
	}
	return readFrame(frame)
}

// readPacket reads a packet without an Ethernet header.
func readPacket(b []byte) (Seen, error) {
	kind := uint16(packet.EtherTypeIPv4)
	if b[0]>>4 == 6 {
		kind = packet.EtherTypeIPv6
	}
	var ethernet [packet.EthernetLen]byte
	packet.PutEthernet(ethernet[:], [6]byte{}, [6]byte{}, 0, kind)
	return readFrame(slices.Concat(ethernet[:], b))
}

func readFrame(frame []byte) (s Seen, err error) {
	var h packet.Headers
	result := packet.Parse(frame, vlanOf(frame), &h)
	if result != packet.Whole && result != packet.Fragment {
		return s, errUnread
	}
	s.Key.Read(frame, &h)
	s.Size = int(h.End - h.L3)
	if result == packet.Whole {
		return s, nil
	}
	var p fragments.Piece
	switch fragments.Read(frame, &h, &p) {
	case fragments.First:
		s.Key.Read(frame, &h)
		s.Piece = First
	case fragments.Later:
		s.Piece = Last
		if h.IPv6 {
			s.Key.Proto = frame[h.L4] // which the fragment header says is behind it
		}
	default:
		return s, errUnread
	}
	s.ID, s.Offset = p.Key.Ports, int(p.Offset)
	return s, nil
}

// vlanOf returns the VLAN of a frame, 0 if it has none.
func vlanOf(frame []byte) uint16 {
	if len(frame) < packet.EthernetLen+packet.VLANLen || binary.BigEndian.Uint16(frame[12:]) != packet.EtherTypeVLAN {
		return 0
	}
	return binary.BigEndian.Uint16(frame[packet.EthernetLen:]) & 0xfff
}

// TunnelEnds returns source and destination of the first IP header of a frame;
// neither is valid if it has none.
func TunnelEnds(frame []byte) (src, dst netip.Addr) {
	var h packet.Headers
	switch packet.Parse(frame, vlanOf(frame), &h) {
	case packet.Whole, packet.Fragment:
		var k flow.Key
		k.Read(frame, &h)
		return k.Src(), k.Dst()
	}
	return src, dst
}
