package hostile

// message begins an ICMP or ICMPv6 packet to a flow's VIP, from a router on the
// way or from the client, and returns where its IP header is.
func (s *Source) icmpTo(f flow, kind, code byte, rest uint32) int {
	src := f.client
	if s.one(2) {
		src = client(f.vip, 1<<15+s.n(64)) // a router
	}
	proto := byte(icmp4)
	if f.vip.Is6() {
		proto = icmp6
	}
	at := s.packet(src, f.vip, proto)
	s.u8(kind, code, 0, 0)
	s.u32(rest)
	return at
}

// sealICMP completes the message behind the IP header at an offset.
func (s *Source) sealICMP(at int) {
	s.seal(at)
	if s.b[at]>>4 == 4 {
		s.put(at+22, int(^checksum(s.b[at+20:])))
		return
	}
	n := len(s.b) - at - 40
	s.put(at+42, int(^checksum(s.b[at+8:at+40], []byte{0, 0, byte(n >> 8), byte(n), 0, 0, 0, icmp6}, s.b[at+40:])))
}

// errorAbout begins an ICMP error to f's VIP.
func (s *Source) errorAbout(f flow) int {
	if f.vip.Is4() {
		return s.icmpTo(f, pick(s, []byte{3, 3, 11, 12}), pick(s, []byte{4, 4, 0, 1, 3}), uint32(s.n(1600)))
	}
	return s.icmpTo(f, 1+byte(s.n(4)), byte(s.n(5)), uint32(s.n(1600)))
}

// quote puts a packet that a backend sent for a flow, n bytes of what follows
// its IP headers.
func (s *Source) quote(f flow, n int) {
	at := s.open(f.vip, f.client, f.proto)
	if f.vip.Is4() && s.one(8) {
		s.b[at] = 0x47
		s.u8(148, 4, 0, 0, 1, 1, 1, 0)
	} else if f.vip.Is6() && s.one(8) {
		s.chain(at+6, f.proto, 1+s.n(3))
	}
	if s.one(8) && f.vip.Is4() {
		s.put(at+6, moreOf)
	}
	from := len(s.b)
	back := f
	back.ports = f.ports>>16 | f.ports<<16
	s.transport(back, max(n, 8))
	s.seal(at) // the length is that of the packet, not of the quote
	s.b = s.b[:from+n]
}

// truthfulError is about a packet that a backend may have sent.
func (s *Source) truthfulError() {
	f := s.flow(pick(s, []byte{tcp, tcp, udp, sctp}))
	at := s.errorAbout(f)
	s.quote(f, pick(s, []int{8, 8, 20, 64, 500}))
	s.sealICMP(at)
}

// cutError quotes too little: cut at every byte.
func (s *Source) cutError() {
	f := s.flow(pick(s, []byte{tcp, udp}))
	at := s.errorAbout(f)
	from := len(s.b)
	s.quote(f, 8)
	s.b = s.b[:from+s.n(len(s.b)-from+1)]
	s.sealICMP(at)
}

// forgedError is about what the VIP it goes to cannot have sent.
func (s *Source) forgedError() {
	f := s.flow(pick(s, []byte{tcp, udp, icmp4, icmp6, gre}))
	at := s.errorAbout(f)
	quoted := f
	switch s.n(4) {
	case 0: // another VIP's
		quoted.vip = pick(s, s.all)
		quoted.client = client(quoted.vip, s.n(256))
	case 1: // nobody's
		quoted.vip = client(f.vip, s.n(1<<16))
	case 2: // a port that no service has
		quoted.ports = s.random.Uint32()
	case 3: // an error about an error
		quoted.proto = icmp4
		if f.vip.Is6() {
			quoted.proto = icmp6
		}
	}
	s.quote(quoted, 8+s.n(40))
	s.sealICMP(at)
}

func (s *Source) echo() {
	f := s.flow(icmp4)
	kind := byte(8)
	if f.vip.Is6() {
		kind = 128
	}
	if s.one(4) {
		f.client = pick(s, nobody[family(f.vip)])
	}
	at := s.icmpTo(f, kind, 0, s.random.Uint32())
	n := s.size()
	if s.one(16) { // as long as the port lets through, and longer
		n = s.t.MTU - 60 + s.n(64)
	}
	s.junk(n)
	s.sealICMP(at)
}

// otherICMP is of any type: replies, redirects, router advertisements, what has
// not been invented.
func (s *Source) otherICMP() {
	at := s.icmpTo(s.flow(icmp4), byte(s.random.Uint32()), byte(s.n(8)), s.random.Uint32())
	s.junk(s.n(64))
	s.sealICMP(at)
}
