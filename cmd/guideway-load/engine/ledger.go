package engine

import "guideway/cmd/guideway-load/traffic"

// A ledger remembers of each flow what is needed to tell lost, late, repeated and
// strayed packets, in eight bytes; a hundred million flows take 800 MB.
type ledger struct {
	flows []account
	life  uint32 // packets of a connection; 0: it has no end

	// before is the stream as it was when packets began to count: what was sent
	// of a flow until then; nil: nobody knows.
	before *traffic.Flows
}

// An account is one flow's. It is packed by hand: it must be eight bytes, for one
// cache line to hold eight, and the fields are read and written together.
//
//	next     the sequence number after the highest that came
//	backend  where the last packet of the connection went; 0: nowhere yet
//	marks    recent 8 | missing 4 | known, counted, late, moved
type account struct {
	next    uint32
	backend uint16
	marks   uint16
}

// Bits of an account's marks.
const (
	known    = 1 << 0 // a packet has come
	counted  = 1 << 1 // and one that counts: missing is of those
	cameLate = 1 << 2
	hasMoved = 1 << 3

	missingShift = 4
	missingMost  = 1<<4 - 1 // it says "as many or more", and stays there
	recentShift  = 8        // which of the last eight packets before next have come
	recentBits   = 8
)

func newLedger(flows int, life int) *ledger {
	return &ledger{flows: make([]account, flows), life: uint32(life)}
}

// finding is what one packet says of its flow.
type finding struct {
	late, again, moved bool
	lost               int64 // packets that are missing now and were not before; negative: that were
}

func (a *account) missing() int { return int(a.marks >> missingShift & missingMost) }

// note enters a packet. Those that do not count, sent in the warm-up, only tell
// where their flow is.
//
// A packet is late if one of its flow with a higher number came before it
// (RFC 4737, 3.3: NextExp), again if it came before itself, as far as the last
// eight tell; and it has moved if the packet of its connection before it went to
// another backend.
func (l *ledger) note(flow, sequence uint32, backend uint16, counts bool) (f finding) {
	a := &l.flows[flow]
	if a.marks&known == 0 || counts && a.marks&counted == 0 {
		return l.first(a, flow, sequence, backend, counts)
	}
	f.moved = l.strayed(a, sequence, backend)
	ahead := int32(sequence - a.next)
	if ahead >= 0 {
		recent := uint16(0)
		if ahead < recentBits {
			recent = a.marks >> recentShift << (ahead + 1)
		}
		a.next, a.backend = sequence+1, backend
		a.marks = a.marks&(1<<recentShift-1) | (recent|1)<<recentShift
		f.lost = int64(ahead)
	} else if back := -ahead; back > recentBits { // beyond what is remembered
		f.late, f.lost = true, -1
	} else if bit := uint16(1) << (recentShift + back - 1); a.marks&bit != 0 {
		f.again = true
	} else {
		a.marks |= bit
		f.late, f.lost = true, -1
	}
	if counts {
		a.mark(f)
	}
	return f
}

// first enters the first packet of a flow, or the first that counts.
func (l *ledger) first(a *account, flow, sequence uint32, backend uint16, counts bool) (f finding) {
	f.moved = a.marks&known != 0 && l.strayed(a, sequence, backend)
	*a = account{next: sequence + 1, backend: backend, marks: known | 1<<recentShift}
	if counts {
		a.marks |= counted
		if l.before != nil {
			f.lost = int64(int32(sequence - uint32(l.before.Sent(flow))))
		}
		a.mark(f)
	}
	return f
}

// mark enters what a packet said.
func (a *account) mark(f finding) {
	if f.late {
		a.marks |= cameLate
	}
	if f.moved {
		a.marks |= hasMoved
	}
	if m := int64(a.missing()); m != missingMost && f.lost != 0 {
		m = min(max(m+f.lost, 0), missingMost)
		a.marks = a.marks&^(missingMost<<missingShift) | uint16(m)<<missingShift
	}
}

// strayed tells whether a packet went elsewhere than its connection did so far.
func (l *ledger) strayed(a *account, sequence uint32, backend uint16) bool {
	return backend != a.backend && (l.life == 0 || sequence/l.life == (a.next-1)/l.life)
}

// piece enters a later fragment, of which only the backend counts.
func (l *ledger) piece(flow, sequence uint32, backend uint16, counts bool) (moved bool) {
	a := &l.flows[flow]
	if a.marks&known == 0 || !l.strayed(a, sequence, backend) {
		return false
	}
	if counts {
		a.marks |= hasMoved
	}
	return true
}

// Flows sums up a ledger.
type Flows struct {
	Total int `json:"total"`
	Seen  int `json:"seen"`  // a packet of it came
	Lossy int `json:"lossy"` // some did not
	Late  int `json:"late"`  // some came after later ones
	Moved int `json:"moved"` // some of a connection went to another backend
}

// sum counts flows. after is the stream as it is in the end, of which all that was
// on its way has come; nil: nobody knows, and what is missing at the end of a flow
// does not show.
func (l *ledger) sum(after *traffic.Flows) Flows {
	f := Flows{Total: len(l.flows)}
	for i := range l.flows {
		a := &l.flows[i]
		lossy := a.missing() > 0
		if after != nil {
			expected := a.next
			if a.marks&counted == 0 {
				expected = 0
				if l.before != nil { // it is nil where nothing at all came
					expected = uint32(l.before.Sent(uint32(i)))
				}
			}
			lossy = lossy || uint32(after.Sent(uint32(i))) != expected
		}
		f.Seen += one(a.marks&counted != 0)
		f.Lossy += one(lossy)
		f.Late += one(a.marks&cameLate != 0)
		f.Moved += one(a.marks&hasMoved != 0)
	}
	return f
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
