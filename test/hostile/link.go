package hostile

// foreignTag has a tag that is not the port's: another VLAN, priority only, two
// tags, one that is cut off.
func (s *Source) foreignTag() {
	f := s.flow(udp)
	s.send(f, s.n(64))
	inside := append(s.spare[:0], s.b[s.l3-2:]...)
	s.spare = inside
	s.b = s.b[:12]
	switch s.n(5) {
	case 0:
		s.u16(typeVLAN)
		s.u16(s.n(1 << 16))
	case 1:
		s.u16(typeVLAN)
		s.u16(s.n(8) << 13)
	case 2:
		s.u16(typeQinQ)
		s.u16(int(s.t.VLAN))
		s.u16(typeVLAN)
		s.u16(int(s.t.VLAN))
	case 3:
		s.u16(typeVLAN)
		s.junk(s.n(4))
		s.l3 = 0
		return
	case 4: // the port's, with any priority; or none where it is tagged
		if s.one(2) {
			s.u16(typeVLAN)
			s.u16(int(s.t.VLAN) | s.n(16)<<12)
		}
	}
	s.u8(inside...)
	s.l3 = len(s.b) - len(inside) + 2
}

// neighbours is ARP and neighbour discovery: who asks, who answers, who lies.
func (s *Source) neighbours() {
	everyone := [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	vip := pick(s, s.all)
	if len(s.t.Self) > 0 && s.one(2) {
		vip = pick(s, s.t.Self)
	}
	if vip.Is4() {
		s.linkTo(pick(s, [][6]byte{everyone, s.t.MAC}), s.t.VLAN, typeARP)
		s.u8(0, 1, 8, 0, 6, 4, 0, 1+byte(s.n(3)))
		s.u8(s.t.Router[:]...)
		from, to := client(vip, s.n(256)).As4(), vip.As4()
		s.u8(from[:]...)
		s.zeros(6)
		s.u8(to[:]...)
		s.l3 = 0
		return
	}
	group := vip.As16()
	s.linkTo([6]byte{0x33, 0x33, 0xff, group[13], group[14], group[15]}, s.t.VLAN, typeIPv6)
	at := s.open(client(vip, s.n(256)), vip, icmp6)
	s.b[at+7] = 255
	s.u8(133+byte(s.n(5)), 0, 0, 0, 0, 0, 0, 0)
	s.addr(group)
	s.u8(1, 1)
	s.u8(s.t.Router[:]...)
	s.sealICMP(at)
}

// group is for a link-layer group, or for another station.
func (s *Source) group() {
	s.send(s.flow(udp), s.n(64))
	switch s.n(3) {
	case 0:
		copy(s.b, []byte{1, 0, 0x5e, 0, 0, 1})
	case 1:
		copy(s.b, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	case 2:
		copy(s.b, s.text[s.n(MaxFrame):][:6])
	}
}

// routing is what the kernel has sessions of: BGP, BFD, OSPF, VRRP.
func (s *Source) routing() {
	f := s.flow(tcp)
	if len(s.t.Self) > 0 {
		f.vip = pick(s, s.t.Self)
		f.client = client(f.vip, s.n(16))
	}
	switch s.n(4) {
	case 0:
		f.ports = uint32(s.n(1<<16))<<16 | 179
	case 1:
		f.proto, f.ports = udp, 49152<<16|pick(s, []uint32{3784, 3785, 4784})
	case 2:
		f.proto = ospf
	case 3:
		f.proto = vrrp
	}
	s.send(f, s.n(64))
}

func (s *Source) notIP() {
	s.link(pick(s, []int{typeLLDP, 0x8809, 0x88e5, 0x0026, 0x0100, 0x22f0, 0xffff}))
	s.l3 = 0
	s.junk(s.n(100))
}

// runt ends before anything has begun.
func (s *Source) runt() {
	s.link(pick(s, []int{typeIPv4, typeIPv6, typeARP}))
	s.b = s.b[:s.n(len(s.b)+1)]
	s.l3 = 0
}
