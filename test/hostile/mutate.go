package hostile

// mutate bends the frame once or a few times.
func (s *Source) mutate() {
	for range 1 + s.n(3) {
		if len(s.b) == 0 {
			return
		}
		switch s.n(9) {
		case 0: // a few bits
			for range 1 + s.n(4) {
				s.b[s.n(len(s.b))] ^= 1 << s.n(8)
			}
		case 1: // bits of the headers
			s.b[s.n(min(len(s.b), 80))] ^= 1 << s.n(8)
		case 2: // a byte
			s.b[s.n(min(len(s.b), 100))] = byte(s.random.Uint32())
		case 3: // truncation at every byte
			s.b = s.b[:s.n(len(s.b)+1)]
		case 4: // of the headers
			s.b = s.b[:s.n(min(len(s.b), 100)+1)]
		case 5: // padding, or more than there should be
			s.junk(s.n(64))
		case 6:
			s.splice()
		case 7:
			s.lie()
		case 8: // a value that is at an edge
			at := s.n(min(len(s.b), 80))
			s.b[at] = pick(s, []byte{0, 1, 0x7f, 0x80, 0xfe, 0xff})
		}
	}
	// Half of the time the checksum is as if a sender meant it.
	if at := s.l3; at != 0 && at+20 <= len(s.b) && s.b[at]>>4 == 4 && s.one(2) {
		s.sum(at)
	}
}

// splice goes on with another frame, from somewhere.
func (s *Source) splice() {
	other := s.recent[s.n(len(s.recent))]
	if len(other) == 0 {
		return
	}
	keep, from := s.n(min(len(s.b), 120)+1), s.n(min(len(other), 120)+1)
	s.b = append(s.b[:keep], other[from:]...)
}

// lie changes what the IP header says of lengths and of what follows.
func (s *Source) lie() {
	at := s.l3
	if at == 0 || at+40 > len(s.b) {
		return
	}
	v := s.n(1 << 16)
	switch s.n(4) {
	case 0: // a little more or less than there is
		v = len(s.b) - at + s.n(9) - 4
	case 1:
		v = s.n(64)
	}
	switch s.n(4) {
	case 0, 1:
		if s.b[at]>>4 == 6 {
			s.put(at+4, v)
		} else {
			s.put(at+2, v)
		}
	case 2:
		s.b[at] = s.b[at]&0xf0 | byte(s.n(16)) // header length, or traffic class
	case 3:
		if s.b[at]>>4 == 6 {
			s.b[at+6] = byte(s.random.Uint32()) // what follows
		} else {
			s.put(at+6, v) // fragment word
		}
	}
}
