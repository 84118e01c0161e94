package fragments

import (
	"encoding/binary"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// A Kind tells what Read made of a fragment.
type Kind uint8

// The kinds. All but First and Later mean that the fragment is not to be
// forwarded.
const (
	Unread    Kind = iota // the zero value: nothing looked at it
	First                 // offset zero, with its whole transport header
	Later                 // any other
	BadExtent             // empty, or not the last and not of whole eights, or beyond 65535 bytes (RFC 791, 3.2; RFC 8200, 4.5)
	TooShort              // a first one that ends inside its headers (RFC 1858, 3; RFC 7112, 5)
	Overlay               // a later one inside the transport header: would replace what the first was scheduled by (RFC 1858, 4; RFC 3128)
	BadChain              // a first one with a fragment header again, or with more IPv6 extension headers than we walk over
	Kinds                 // how many there are
)

// A Piece is what is to be known of one fragment.
type Piece struct {
	// Key names the datagram: addresses, the identification in the place
	// of the ports, and the protocol. Of IPv6 the protocol is zero, for it
	// is not part of what a datagram is known by (RFC 8200, 4.5), and later
	// fragments need not repeat the first one's.
	Key flow.Key

	Offset uint16 // of its data in the datagram's, bytes; a multiple of eight
	Length uint16 // of its data, bytes; more than zero
	More   bool   // it is not the last

	// Of a First: what the datagram is scheduled by. Zero of a Later.
	Ports uint32 // as in flow.Key
	Proto uint8  // of the header that the ports are in
}

// Offsets in the IPv4 header (RFC 791, 3.1) and in the IPv6 fragment header
// (RFC 8200, 4.5); diagrams in maglev/packet.
const (
	ipv4ID       = 4
	ipv4Fragment = 6

	ipv4More   = 0x2000
	ipv4Offset = 0x1fff // in units of eight bytes

	fragmentNext   = 0
	fragmentOffset = 2
	fragmentID     = 4
	fragmentLen    = 8

	fragmentMore       = 0x0001
	fragmentOffsetMask = 0xfff8 // in bytes
)

// Transport headers, of which a first fragment has the fixed part.
const (
	tcpLen  = 20
	udpLen  = 8
	sctpLen = 12

	tcpFlags = 13
)

// maxExtensions bounds the walk over IPv6 extension headers behind the
// fragment header. RFC 8200, 4.1 recommends at most two there, ESP apart.
const maxExtensions = 8

// Read fills p from a frame in which packet.Parse found a Fragment, h being
// what it found. Of a First it also completes h with what is behind the
// fragment header: L4, Proto, Ports and TCPFlags are as Parse finds them in a
// whole packet, so that flow.Key.Read gives the flow that the datagram belongs
// to. What p and h hold is defined for First and Later only.
func Read(frame []byte, h *packet.Headers, p *Piece) Kind {
	p.Key.Read(frame, h)
	p.Ports, p.Proto = 0, 0
	if h.IPv6 {
		return read6(frame, h, p)
	}
	ip := frame[h.L3:h.L4]
	word := binary.BigEndian.Uint16(ip[ipv4Fragment:])
	p.Key.Ports = uint32(binary.BigEndian.Uint16(ip[ipv4ID:]))
	p.Offset, p.More = word&ipv4Offset<<3, word&ipv4More != 0
	p.Length = h.End - h.L4
	switch {
	case !p.fits(int(h.L4 - h.L3)):
		return BadExtent
	case p.Offset == 0:
		return p.transport(frame[h.L4:h.End], h)
	case int(p.Offset) < transportLen(h.Proto):
		return Overlay
	}
	return Later
}

// read6 is Read of an IPv6 fragment: h.L4 is its fragment header, which is
// whole.
func read6(frame []byte, h *packet.Headers, p *Piece) Kind {
	header := frame[h.L4:][:fragmentLen]
	word := binary.BigEndian.Uint16(header[fragmentOffset:])
	p.Key.Ports, p.Key.Proto = binary.BigEndian.Uint32(header[fragmentID:]), 0
	p.Offset, p.More = word&fragmentOffsetMask, word&fragmentMore != 0
	p.Length = h.End - h.L4 - fragmentLen
	switch {
	case !p.fits(int(h.L4-h.L3) - packet.IPv6Len):
		return BadExtent
	case p.Offset == 0:
		return p.chain(frame, header[fragmentNext], h)
	}
	return Later
}

// fits tells whether the piece can be a part of a datagram whose length field
// counts so many bytes of headers besides data.
func (p *Piece) fits(headers int) bool {
	return p.Length != 0 && (!p.More || p.Length%8 == 0) && headers+int(p.Offset)+int(p.Length) <= 65535
}

// chain walks over the IPv6 extension headers behind the fragment header to
// the transport's. All of them are in the first fragment (RFC 7112, 5).
func (p *Piece) chain(frame []byte, next uint8, h *packet.Headers) Kind {
	data := frame[h.L4+fragmentLen : h.End]
	h.L4 += fragmentLen
	for n := 0; ; n++ {
		var unit int // of the length field, in bytes
		switch next {
		case packet.ProtoHopByHop, packet.ProtoRouting, packet.ProtoDestination:
			unit = 8
		case packet.ProtoAH:
			unit = 4
		case packet.ProtoFragment:
			return BadChain
		default:
			h.Proto = next
			return p.transport(data, h)
		}
		if n == maxExtensions {
			return BadChain
		}
		if len(data) < 8 {
			return TooShort
		}
		length := 8 + unit*int(data[1])
		if length > len(data) {
			return TooShort
		}
		next = data[0]
		data = data[length:]
		h.L4 += uint16(length) // never beyond End
	}
}

// transport reads the header that h.Proto names at the start of data, which
// ends where the fragment ends.
func (p *Piece) transport(data []byte, h *packet.Headers) Kind {
	n := transportLen(h.Proto)
	if len(data) < n {
		return TooShort
	}
	p.Proto = h.Proto
	h.Ports = n != 0
	if h.Ports {
		p.Ports = binary.BigEndian.Uint32(data)
	}
	if h.Proto == packet.ProtoTCP {
		h.TCPFlags = data[tcpFlags]
	}
	return First
}

// transportLen returns the length of the fixed part of a protocol's header;
// zero if the protocol has no ports.
func transportLen(proto uint8) int {
	switch proto {
	case packet.ProtoTCP:
		return tcpLen
	case packet.ProtoUDP:
		return udpLen
	case packet.ProtoSCTP:
		return sctpLen
	}
	return 0
}
