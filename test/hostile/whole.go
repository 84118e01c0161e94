package hostile

import "net/netip"

// send makes a whole packet of a flow.
func (s *Source) send(f flow, n int) {
	at := s.packet(f.client, f.vip, f.proto)
	s.transport(f, n)
	s.seal(at)
}

func (s *Source) segment() {
	s.send(s.flow(tcp), s.size())
	if at := s.transportAt(); s.one(4) { // any flags at all
		s.b[at+13] = byte(s.random.Uint32())
	}
}

func (s *Source) message()     { s.send(s.flow(udp), s.size()) }
func (s *Source) association() { s.send(s.flow(sctp), s.size()) }

// transportAt is where the transport header of the plain packet just made is.
func (s *Source) transportAt() int {
	if s.b[s.l3]>>4 == 6 {
		return s.l3 + 40
	}
	return s.l3 + 20
}

func (s *Source) otherProtocol() {
	f := s.flow(pick(s, []byte{esp, ah, ipip, ipv6, 2, 46, ospf, 136, 255, noNext}))
	s.send(f, s.size())
}

func (s *Source) closedPort() {
	f := s.flow(pick(s, []byte{tcp, udp, sctp}))
	f.ports = s.random.Uint32()
	s.send(f, s.size())
}

// elsewhere is for nobody here, or from nobody.
func (s *Source) elsewhere() {
	f := s.flow(pick(s, []byte{tcp, udp}))
	switch s.n(6) {
	case 0:
		f.vip = client(f.vip, s.n(1<<16))
	case 1:
		if len(s.t.Self) > 0 {
			f.vip = pick(s, s.t.Self)
			f.client = client(f.vip, s.n(1<<16))
		}
	case 2: // as if from the VIP itself
		f.client = f.vip
	case 3: // no host has it
		f.client = pick(s, nobody[family(f.vip)])
	case 4:
		f.vip = pick(s, nobody[family(f.vip)])
	case 5:
		if list := s.others[family(f.vip)]; len(list) > 0 {
			f.client = pick(s, list)
		}
	}
	s.send(f, s.size())
}

// nobody are addresses that are not of one host.
var nobody = [2][]netip.Addr{
	{netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("240.0.0.1")},
	{netip.MustParseAddr("::"), netip.MustParseAddr("::1"), netip.MustParseAddr("ff02::1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("fe80::1")},
}

// oversized does not fit the tunnel, though it fits the port; with Don't
// Fragment or without.
func (s *Source) oversized() {
	f := s.flow(pick(s, []byte{tcp, udp}))
	s.send(f, max(0, s.t.MTU-80+s.n(61)))
	s.fragmentWord(s.n(2) * dontFragment)
	s.pad(s.t.MTU)
}

// jumbo does not fit the port.
func (s *Source) jumbo() {
	s.send(s.flow(pick(s, []byte{tcp, udp})), s.t.MTU+s.n(MaxFrame-200-s.t.MTU))
	s.fragmentWord(s.n(2) * dontFragment)
}

// fragmentWord sets flags and offset of an IPv4 packet that was just made.
func (s *Source) fragmentWord(v int) {
	if s.b[s.l3]>>4 == 4 {
		s.put(s.l3+6, v)
		s.sum(s.l3)
	}
}

// pad cuts a frame to what the port's MTU lets through, with its lengths.
func (s *Source) pad(mtu int) {
	if len(s.b)-s.l3 > mtu {
		s.b = s.b[:s.l3+mtu]
		s.seal(s.l3)
	}
}

// opening is a SYN with options, of which many are broken: an MSS option of the
// wrong length, cut off, behind many others, twice, in a header that lies about
// its length.
func (s *Source) opening() {
	f := s.flow(tcp)
	at := s.packet(f.client, f.vip, tcp)
	s.u32(f.ports)
	s.tcpRest(s.n(11)*4, pick(s, []byte{0x02, 0x02, 0xc2, 0x12, 0x06}))
	for range s.n(8) {
		switch s.n(8) {
		case 0, 1, 2:
			s.u8(2, 4)
			s.u16(s.n(1 << 16))
		case 3:
			s.u8(2, byte(s.n(8)))
			s.junk(s.n(4))
		case 4:
			s.u8(1, 1, 1)
		case 5:
			s.u8(byte(s.n(30)), byte(s.n(40)))
		case 6:
			s.u8(8, 10)
			s.junk(8)
		case 7:
			s.u8(0)
		}
	}
	s.seal(at)
}

// options is an IPv4 packet with options, sound or not.
func (s *Source) options() {
	f := s.flow(pick(s, []byte{tcp, udp, icmp4}))
	if !f.vip.Is4() {
		s.extensions()
		return
	}
	at := s.packet(f.client, f.vip, f.proto)
	words := s.n(11)
	s.b[at] = 0x40 | byte(5+words)
	switch s.n(3) {
	case 0:
		for range words {
			s.u8(148, 4, 0, 0) // router alert, RFC 2113
		}
	case 1:
		s.junk(4 * words)
	case 2:
		s.zeros(4 * words)
	}
	s.transport(f, s.size())
	s.seal(at)
}

// extensions is an IPv6 packet with extension headers, in any order and number,
// some of which say that they go on beyond the packet.
func (s *Source) extensions() {
	if len(s.vips[1]) == 0 {
		s.message()
		return
	}
	f := s.flow(pick(s, []byte{tcp, udp, icmp6, gre}))
	f.vip = pick(s, s.vips[1])
	f.client = client(f.vip, s.n(256))
	at := s.packet(f.client, f.vip, f.proto)
	s.chain(at+6, f.proto, s.n(10))
	s.transport(f, s.size())
	s.seal(at)
}

// chain puts n extension headers. The offset is that of the byte which names
// the first of them; the last one names proto.
func (s *Source) chain(name int, proto byte, n int) {
	for range n {
		kind := pick(s, []byte{hopByHop, routingHeader, destination, destination, ah, fragmentHeader})
		if kind == fragmentHeader && !s.one(4) {
			kind = destination
		}
		s.b[name] = kind
		name = len(s.b)
		length := s.n(3)
		switch kind {
		case ah: // in words, less two
			s.u8(0, byte(1+2*length))
			s.junk(4 * (1 + 2*length))
			s.junk(2)
		case fragmentHeader:
			s.u8(0, 0)
			s.u16(s.n(4) * s.n(1<<14))
			s.u32(s.random.Uint32())
		default:
			s.u8(0, byte(length))
			s.junk(6 + 8*length)
		}
		if s.one(40) {
			s.b[name+1] = byte(s.random.Uint32())
		}
	}
	s.b[name] = proto
}
