package traffic

import (
	"encoding/binary"

	"guideway/maglev/packet"
)

// A Kind is what a received frame turned out to be.
type Kind uint8

// The kinds. All but Foreign have a whole tag where a packet of the plan has it.
const (
	Foreign Kind = iota // none of ours
	Whole               // a packet of a flow
	First               // its first fragment
	Later               // another fragment
	Flooded             // a packet or fragment of a flood
	Kinds               // how many there are
)

// Seen is what [Plan.Read] finds in a frame.
type Seen struct {
	Kind     Kind
	Reversed bool   // from the service to the client, as a server or testpmd's 5tswap sends it
	Tunnel   Tunnel // around it; zero: none
	Flow     uint32
	Sequence uint32
	Stamp    uint64 // the last 48 bits of the time; see Age
}

// A Tunnel is a GRE tunnel, by its end: a backend's address.
type Tunnel struct {
	Hi, Lo uint64
	IPv6   bool
	GRE    bool // there is one
}

// GRE, RFC 2784: no flags, version 0, and an EtherType.
const greLen = packet.GRELen

// Read finds out what a frame is. It knows the shapes that the plan's packets
// have, and that they have in a GRE tunnel over IPv4 or IPv6, without options or
// extension headers; everything else is foreign. It shares no code with the
// packet path that it judges. Every length is checked.
func (p *Plan) Read(frame []byte, s *Seen) {
	*s = Seen{}
	if len(frame) < packet.EthernetLen {
		return
	}
	b := frame[packet.EthernetLen-2:]
	if binary.BigEndian.Uint16(b) == packet.EtherTypeVLAN {
		if len(b) < packet.VLANLen+2 {
			return
		}
		b = b[packet.VLANLen:]
	}
	etherType := binary.BigEndian.Uint16(b)
	b = b[2:]
	var ip header
	if !ip.read(etherType, b) {
		return
	}
	if ip.proto == packet.ProtoGRE {
		gre := ip.data
		if ip.piece || len(gre) < greLen || binary.BigEndian.Uint16(gre) != 0 {
			return
		}
		s.Tunnel = Tunnel{ip.dst.hi, ip.dst.lo, ip.ipv6, true}
		if !ip.read(binary.BigEndian.Uint16(gre[packet.GREProtocol:]), gre[greLen:]) {
			return
		}
	}
	p.judge(&ip, s)
}

// words128 is an address as two words.
type words128 struct{ hi, lo uint64 }

// A header is what is read of an IP packet.
type header struct {
	ipv6     bool
	piece    bool // it is a fragment
	later    bool // and not the first
	proto    uint8
	src, dst words128
	data     []byte // behind the headers, without padding
}

// read reads the packet of an EtherType at the start of b.
func (h *header) read(etherType uint16, b []byte) bool {
	switch {
	case etherType == packet.EtherTypeIPv4 && len(b) >= packet.IPv4Len && b[0] == 0x45:
		total := int(binary.BigEndian.Uint16(b[ipv4Total:]))
		if total < packet.IPv4Len || total > len(b) {
			return false
		}
		at := binary.BigEndian.Uint16(b[ipv4Offset:])
		h.ipv6, h.proto = false, b[9]
		h.piece, h.later = at&^ipv4DontFragment != 0, at&(ipv4MoreFragments-1) != 0
		h.src = words128{0, uint64(binary.BigEndian.Uint32(b[packet.IPv4Src:]))}
		h.dst = words128{0, uint64(binary.BigEndian.Uint32(b[packet.IPv4Dst:]))}
		h.data = b[packet.IPv4Len:total]
		return true
	case etherType == packet.EtherTypeIPv6 && len(b) >= packet.IPv6Len && b[0]>>4 == 6:
		end := packet.IPv6Len + int(binary.BigEndian.Uint16(b[4:]))
		if end > len(b) {
			return false
		}
		h.ipv6, h.proto, h.piece, h.later = true, b[6], false, false
		h.src = words128{binary.BigEndian.Uint64(b[packet.IPv6Src:]), binary.BigEndian.Uint64(b[packet.IPv6Src+8:])}
		h.dst = words128{binary.BigEndian.Uint64(b[packet.IPv6Dst:]), binary.BigEndian.Uint64(b[packet.IPv6Dst+8:])}
		h.data = b[packet.IPv6Len:end]
		if h.proto != packet.ProtoFragment {
			return true
		}
		if len(h.data) < ipv6FragmentLen {
			return false
		}
		h.proto, h.piece, h.later = h.data[0], true, binary.BigEndian.Uint16(h.data[2:])&^7 != 0
		h.data = h.data[ipv6FragmentLen:]
		return true
	}
	return false
}

// judge finds the flow of a packet.
func (p *Plan) judge(h *header, s *Seen) {
	at, least := udpLen, tagLen
	if h.proto == packet.ProtoTCP {
		at = tcpLen
	}
	if h.piece {
		least = pieceTagLen
	}
	if h.later {
		at = 0
	}
	if len(h.data) < at+least {
		return
	}
	tag := h.data[at:]
	s.Stamp, s.Sequence = readTag(tag)
	if h.later {
		// No ports lead to the service: the tag says which flow it is, and the
		// client's address must bear that out where it can.
		p.judgeLater(h, binary.BigEndian.Uint32(tag[tagFlow:]), s)
		return
	}
	from, to := binary.BigEndian.Uint16(h.data), binary.BigEndian.Uint16(h.data[2:])
	service, source, port := p.service(h, h.dst, to), h.src, from
	if service < 0 {
		if service, source, port = p.service(h, h.src, from), h.dst, to; service < 0 {
			return
		}
		s.Reversed = true
	}
	flow, ok := p.flow(service, source.hi, source.lo, port)
	switch {
	case !ok:
		s.Kind = Flooded
	case h.piece:
		s.Kind, s.Flow = First, flow
	default:
		s.Kind, s.Flow = Whole, flow
	}
}

func (p *Plan) judgeLater(h *header, flow uint32, s *Seen) {
	if flow == noFlow {
		s.Kind = Flooded
		return
	}
	if uint64(flow) >= p.flows {
		return
	}
	c := p.client(uint64(flow))
	t := &p.templates[c.service]
	service := p.spec.Services[c.service]
	hi, lo := words(service.Addr)
	ends := words128{hi, lo}
	if t.ipv6 != h.ipv6 || t.proto != h.proto || ends != h.dst && ends != h.src {
		return
	}
	client, reversed := h.src, ends != h.dst
	if reversed {
		client = h.dst
	}
	if client.hi == t.clients.hi && client.lo&^t.clients.mask() == t.clients.lo {
		s.Kind, s.Flow, s.Reversed = Later, flow, reversed
	}
}

// service returns the number of the service at an address and port, -1 if there
// is none.
func (p *Plan) service(h *header, a words128, port uint16) int {
	k := key{a.hi, a.lo, uint32(port)<<8 | uint32(h.proto)}
	if h.ipv6 {
		k.rest |= 1 << 24
	}
	return p.services.find(k)
}
