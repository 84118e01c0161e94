package hostile

import (
	"encoding/binary"
	"net/netip"
)

// Numbers of protocols and EtherTypes, as IANA and IEEE have them.
const (
	hopByHop, icmp4, ipip, tcp, udp, ipv6    = 0, 1, 4, 6, 17, 41
	routingHeader, fragmentHeader, gre, esp  = 43, 44, 47, 50
	ah, icmp6, noNext, destination, ospf     = 51, 58, 59, 60, 89
	vrrp, sctp                               = 112, 132
	typeIPv4, typeARP, typeVLAN, typeIPv6    = 0x0800, 0x0806, 0x8100, 0x86dd
	typeQinQ, typeLLDP, dontFragment, moreOf = 0x88a8, 0x88cc, 0x4000, 0x2000
)

func (s *Source) u8(v ...byte)    { s.b = append(s.b, v...) }
func (s *Source) u16(v int)       { s.b = binary.BigEndian.AppendUint16(s.b, uint16(v)) }
func (s *Source) u32(v uint32)    { s.b = binary.BigEndian.AppendUint32(s.b, v) }
func (s *Source) put(at, v int)   { binary.BigEndian.PutUint16(s.b[at:], uint16(v)) }
func (s *Source) junk(n int)      { s.b = append(s.b, s.text[s.n(MaxFrame):][:min(n, MaxFrame)]...) }
func (s *Source) zeros(n int)     { s.b = append(s.b, nothing[:n]...) }
func (s *Source) addr(a [16]byte) { s.b = append(s.b, a[:]...) }

// nothing is as many zeros as any header has.
var nothing [64]byte

// link puts the Ethernet header of a frame to the node.
func (s *Source) link(etherType int) { s.linkTo(s.t.MAC, s.t.VLAN, etherType) }

func (s *Source) linkTo(dst [6]byte, vlan uint16, etherType int) {
	s.b = append(append(s.b[:0], dst[:]...), s.t.Router[:]...)
	if vlan != 0 {
		s.u16(typeVLAN)
		s.u16(int(vlan))
	}
	s.u16(etherType)
	s.l3 = len(s.b)
}

// packet begins a frame with an IP packet, see open.
func (s *Source) packet(src, dst netip.Addr, proto byte) int {
	s.link([...]int{typeIPv4, typeIPv6}[family(src)])
	return s.open(src, dst, proto)
}

// open puts an IP header of src's family and returns where. seal completes it
// when what it carries is there.
func (s *Source) open(src, dst netip.Addr, proto byte) int {
	at := len(s.b)
	if src.Is4() {
		s.u8(0x45, byte(s.random.Uint32()), 0, 0)
		s.u32(uint32(s.n(1<<16)) << 16)
		s.u8(2+byte(s.n(62)), proto, 0, 0)
		a, b := src.As4(), dst.As4()
		s.u8(a[:]...)
		s.u8(b[:]...)
		return at
	}
	s.u32(6<<28 | s.random.Uint32()>>4)
	s.u8(0, 0, proto, 2+byte(s.n(62)))
	s.addr(src.As16())
	s.addr(dst.As16())
	return at
}

// seal fills in the length and the checksum of the IP header at an offset, the
// packet going up to the frame's end.
func (s *Source) seal(at int) {
	if s.b[at]>>4 == 6 {
		s.put(at+4, len(s.b)-at-40)
		return
	}
	s.put(at+2, len(s.b)-at)
	s.sum(at)
}

// sum sets the checksum of the IPv4 header at an offset, if it is whole.
func (s *Source) sum(at int) {
	n := int(s.b[at]&15) * 4
	if n < 20 || at+n > len(s.b) {
		return
	}
	s.put(at+10, 0)
	s.put(at+10, int(^checksum(s.b[at:at+n])))
}

// checksum is the one's complement sum of RFC 1071, over an even number of bytes
// or as if a zero followed.
func checksum(parts ...[]byte) uint16 {
	total := uint64(0)
	for _, b := range parts {
		for ; len(b) >= 4; b = b[4:] {
			total += uint64(binary.BigEndian.Uint32(b))
		}
		if len(b) >= 2 {
			total += uint64(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if len(b) == 1 {
			total += uint64(b[0]) << 8
		}
	}
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	return uint16(total)
}

// A flow is a client's with a VIP.
type flow struct {
	client, vip netip.Addr
	ports       uint32 // source, destination
	proto       byte
}

// flow draws one of a crowd of some ten thousands.
func (s *Source) flow(proto byte) flow {
	var v Service
	for range 8 { // soon there is one that takes it
		if v = pick(s, s.t.Services); v.Proto == proto || v.Proto == 0 {
			break
		}
	}
	f := flow{vip: v.VIP, proto: proto}
	n := s.n(256)
	if s.one(8) { // somebody seen never before
		n = s.n(1 << 24)
	}
	f.client = client(f.vip, n)
	if v.Port == 0 {
		v.Port = uint16(5000 + n%16)
	}
	f.ports = uint32(1024+n%64*16+s.n(4))<<16 | uint32(v.Port)
	return f
}

func client(vip netip.Addr, n int) netip.Addr {
	if vip.Is4() {
		return netip.AddrFrom4([4]byte{198, 18 + byte(n>>16&1), byte(n >> 8), byte(n)})
	}
	return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0xc, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)})
}

// transport puts a transport header and n bytes of payload.
func (s *Source) transport(f flow, n int) {
	s.u32(f.ports)
	switch f.proto {
	case tcp:
		s.tcpRest(0, 0x10)
	case udp:
		s.u16(8 + n)
		s.u16(s.n(1 << 16))
	case sctp:
		s.u32(s.random.Uint32())
		s.u32(s.random.Uint32())
	}
	s.junk(n)
}

// tcpRest puts a TCP header from the sequence number on; it says that so many
// bytes of options follow.
func (s *Source) tcpRest(options int, flags byte) {
	s.u32(s.random.Uint32())
	s.u32(s.random.Uint32())
	s.u8(byte(5+options/4)<<4, flags)
	s.u16(1024)
	s.u32(uint32(s.n(1<<16)) << 16)
}

// size draws the length of a payload: mostly small, or what fills a packet.
func (s *Source) size() int {
	switch s.n(4) {
	case 0:
		return s.n(16)
	case 1:
		return s.n(max(s.t.MTU-120, 1))
	}
	return s.n(200)
}
