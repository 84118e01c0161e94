package hostile

import "net/netip"

// outer begins a GRE packet and returns where its IP header is. flags are the
// first two bytes of the GRE header.
func (s *Source) outer(src, dst netip.Addr, flags, inner int) int {
	at := s.packet(src, dst, gre)
	s.u16(flags)
	s.u16(inner)
	return at
}

// tunnelEnds draws source and destination of what another node sends to this
// one; where there are no others, of what a stranger sends.
func (s *Source) tunnelEnds() (src, dst netip.Addr) {
	dst = s.all[0]
	if len(s.t.Self) > 0 {
		dst = pick(s, s.t.Self)
	}
	if list := s.others[family(dst)]; len(list) > 0 {
		return pick(s, list), dst
	}
	return client(dst, s.n(256)), dst
}

const marked = 0x0100 // recursion control 1: from one node to another

// redirected is what another node sends on to this one: a fragment or an ICMP
// error, and sometimes what nodes do not send on.
func (s *Source) redirected() {
	src, dst := s.tunnelEnds()
	s.within(src, dst, marked)
}

// within puts a packet for a VIP into a tunnel.
func (s *Source) within(src, dst netip.Addr, flags int) {
	d := &s.datagrams[s.n(len(s.datagrams))]
	if d.sent >= d.count {
		*d = s.newDatagram()
	}
	at := s.outer(src, dst, flags, [...]int{typeIPv4, typeIPv6}[family(d.vip)])
	inner := len(s.b)
	switch s.n(8) {
	case 0, 1, 2, 3, 4:
		s.open(d.client, d.vip, d.proto)
		offset := d.order(d.sent) * d.step
		s.pieceOf(inner, d, offset, min(d.step, max(d.size-offset, 1)), offset+d.step < d.size)
		d.sent++
	case 5:
		proto := byte(icmp4)
		if d.vip.Is6() {
			proto = icmp6
		}
		s.open(d.client, d.vip, proto)
		s.u8(pick(s, []byte{1, 2, 3, 11}), 4, 0, 0)
		s.u32(1400)
		s.quote(s.like(d.flow), 8)
		s.seal(inner)
	case 6: // a whole packet: nodes do not send these
		s.open(d.client, d.vip, d.proto)
		s.transport(d.flow, s.n(100))
		s.seal(inner)
	case 7:
		s.junk(s.n(100))
	}
	s.pad(s.t.MTU)
	s.seal(at)
}

// like is another flow between the same addresses.
func (s *Source) like(f flow) flow {
	f.ports = uint32(1024+s.n(64)*16)<<16 | f.ports&0xffff
	return f
}

// strangersTunnel is from nobody of the fleet.
func (s *Source) strangersTunnel() {
	_, dst := s.tunnelEnds()
	s.within(client(dst, s.n(256)), dst, marked)
}

// oddTunnel has the flags of other kinds of GRE: checksum, key, sequence number,
// routing, versions, no mark, other recursion counts, other protocols inside.
func (s *Source) oddTunnel() {
	src, dst := s.tunnelEnds()
	switch s.n(4) {
	case 0:
		s.within(src, dst, 0)
	case 1:
		s.within(src, dst, int(s.random.Uint32N(1<<16)))
	case 2:
		at := s.outer(src, dst, marked, pick(s, []int{0x6558, typeARP, 0x880b, 0x88be, typeVLAN}))
		s.junk(s.n(80))
		s.seal(at)
	case 3: // to a VIP: would go round in circles
		vip := pick(s, s.all)
		s.within(client(vip, s.n(256)), vip, marked)
	}
}

// nestedTunnel is a tunnel in a tunnel, or a fragment of a tunnel.
func (s *Source) nestedTunnel() {
	src, dst := s.tunnelEnds()
	s.within(src, dst, marked)
	if s.one(2) {
		s.fragmentWord(moreOf * s.n(2))
		return
	}
	inside := append(s.spare[:0], s.b[s.l3:]...)
	s.spare = inside
	at := s.outer(src, dst, marked, [...]int{typeIPv4, typeIPv6}[family(dst)])
	s.u8(inside...)
	s.pad(s.t.MTU)
	s.seal(at)
}
