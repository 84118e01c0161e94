package hostile

// A datagram is on its way in pieces.
type datagram struct {
	flow
	id     uint32
	size   int // of the transport header and what follows
	step   int // data of a piece
	stride int // the order: odd, so that it visits all
	sent   int
	count  int
}

func (s *Source) newDatagram() datagram {
	d := datagram{flow: s.flow(pick(s, []byte{udp, udp, udp, tcp, sctp, esp})), id: s.random.Uint32()}
	d.step = 8 * (3 + s.n(max(1, s.t.MTU/8-16)))
	if s.one(8) {
		d.step = 24
	}
	d.count = 2 + s.n(8)
	if s.one(32) {
		d.count = min(80, 60000/d.step)
	}
	d.size = d.step*(d.count-1) + 1 + s.n(d.step)
	d.stride = 1
	switch s.n(3) {
	case 0: // reversed
		d.stride = d.count - 1
	case 1: // shuffled
		d.stride = pick(s, []int{1, 3, 5, 7, 11})
	}
	return d
}

// order returns the i-th piece's place. Some places are visited twice and some
// never where stride and count share a factor: duplicates and losses.
func (d *datagram) order(i int) int { return (d.stride * (i + d.stride - 1)) % d.count }

// nextPiece goes on with one of the datagrams on their way.
func (s *Source) nextPiece() {
	d := &s.datagrams[s.n(len(s.datagrams))]
	if d.sent >= d.count {
		*d = s.newDatagram()
	}
	at := d.order(d.sent) * d.step
	s.piece(d, at, min(d.step, max(d.size-at, 1)), at+d.step < d.size)
	if !s.one(16) { // else it comes again
		d.sent++
	}
}

// piece makes a fragment of n bytes of data at an offset of d.
func (s *Source) piece(d *datagram, offset, n int, more bool) {
	at := s.packet(d.client, d.vip, d.proto)
	s.pieceOf(at, d, offset, n, more)
}

// pieceOf goes on with the fragment whose IP header is at an offset.
func (s *Source) pieceOf(at int, d *datagram, offset, n int, more bool) {
	word := offset / 8
	if more {
		word |= moreOf
	}
	if s.b[at]>>4 == 4 {
		s.put(at+4, int(d.id))
		s.put(at+6, word)
	} else {
		name := at + 6
		if s.one(16) {
			s.chain(name, fragmentHeader, s.n(3))
			name = -1
		} else {
			s.b[name] = fragmentHeader
		}
		s.u8(d.proto, 0)
		s.u16(offset&^7 | word>>13)
		s.u32(d.id)
		if offset == 0 && s.one(8) {
			s.chain(len(s.b)-8, d.proto, s.n(4))
		}
	}
	if offset == 0 && n >= 24 {
		from := len(s.b)
		s.transport(d.flow, n)
		s.b = s.b[:from+n]
	} else {
		s.junk(n)
	}
	s.seal(at)
}

// anyPiece is a fragment with whatever offset and length.
func (s *Source) anyPiece() {
	d := &s.datagrams[s.n(len(s.datagrams))]
	s.piece(d, 8*s.n(1<<13), s.n(s.t.MTU), s.one(2))
}

// overlap is a fragment over what another one has said: a second first with
// other ports, or a later one that reaches into the first.
func (s *Source) overlap() {
	d := &s.datagrams[s.n(len(s.datagrams))]
	if s.one(2) {
		other := *d
		other.ports = s.random.Uint32()
		s.piece(&other, 0, d.step, true)
		return
	}
	s.piece(d, 8*s.n(max(1, d.step/8)), 8*(1+s.n(20)), true)
}

// tinyFirst ends inside the headers, or right behind them.
func (s *Source) tinyFirst() {
	d := s.newDatagram()
	s.piece(&d, 0, 8*s.n(4), true)
}

// farPiece ends near or behind the last byte that a datagram can have.
func (s *Source) farPiece() {
	d := &s.datagrams[s.n(len(s.datagrams))]
	s.piece(d, 65535&^7-8*s.n(4), 1+s.n(40), s.one(2))
}

func (s *Source) floodOfFirsts() {
	d := s.newDatagram()
	s.piece(&d, 0, min(d.step, 64), true)
}

func (s *Source) floodOfLaters() {
	d := s.newDatagram()
	s.piece(&d, 8*(4+s.n(1000)), min(d.step, 8+s.n(1400)), s.one(2))
}
