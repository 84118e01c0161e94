package engine

import (
	"guideway/cmd/guideway-load/traffic"
	"guideway/pmd"
	"guideway/pmd/prefetch"
)

// MaxBackends is how many ends of tunnels a sink tells apart.
const MaxBackends = 1<<16 - 2

// Sink reads the frames that come back. It belongs to one loop.
type Sink struct {
	plan   *traffic.Plan
	ledger *ledger // nil: flows are not checked

	seen     [pmd.MaxBurst]traffic.Seen
	accounts [prefetch.Max]uintptr

	backends map[traffic.Tunnel]uint16 // by number; 0 is none
	recent   [recentBackends]named     // by a hash
	shares   []uint64                  // frames, by number
}

// A named is a tunnel with its backend's number.
type named struct {
	tunnel traffic.Tunnel
	number uint16
}

// recentBackends is a power of two.
const recentBackends = 1 << 12

// NewSink makes a sink for a plan's packets. With flows it keeps an account of
// every flow, eight bytes each.
func NewSink(p *traffic.Plan, flows bool) *Sink {
	s := &Sink{plan: p, backends: map[traffic.Tunnel]uint16{}, shares: make([]uint64, 1, 64)}
	if flows {
		s.ledger = newLedger(p.Flows(), p.Life())
	}
	return s
}

// take reads a burst and enters it into t. It reports whether any of the plan's
// packets was there.
func (s *Sink) take(b *pmd.Burst, start *Start, t *Tally) (came bool) {
	at := start.at.Load()
	before := start.before.Load()
	frames := b.Frames[:b.N]
	for i, f := range frames {
		s.plan.Read(f.Bytes(), &s.seen[i])
	}
	if s.ledger != nil {
		s.ledger.before = before
		for i := range frames {
			s.accounts[i] = s.ledger.address(s.seen[i].Flow)
		}
		prefetch.Lines(&s.accounts, len(frames))
	}
	for i, f := range frames {
		seen := &s.seen[i]
		age := traffic.Age(seen.Stamp, b.Now)
		counts := at != 0
		if counts && before != nil && seen.Kind != traffic.Foreign {
			counts = age <= b.Now-at // sent since then
		}
		came = came || seen.Kind != traffic.Foreign
		s.enter(seen, f.Len(), age, counts, before != nil, t)
	}
	return came
}

// enter enters one frame. timed says that its time is by our clock.
func (s *Sink) enter(seen *traffic.Seen, length int, age int64, counts, timed bool, t *Tally) {
	switch seen.Kind {
	case traffic.Foreign:
		if counts {
			t.Foreign++
		}
		return
	case traffic.Flooded:
		if counts {
			t.Flooded++
		}
		return
	}
	backend := s.backend(seen.Tunnel)
	var f finding
	if s.ledger != nil {
		if seen.Kind == traffic.Later {
			f.moved = s.ledger.piece(seen.Flow, seen.Sequence, backend, counts)
		} else {
			f = s.ledger.note(seen.Flow, seen.Sequence, backend, counts)
		}
	}
	if !counts {
		return
	}
	t.Received++
	t.ReceivedBytes += uint64(length)
	s.shares[backend]++
	if seen.Reversed {
		t.Reversed++
	}
	if seen.Kind != traffic.Later && timed {
		t.record(age)
	}
	t.Late += uint64(one(f.late))
	t.Repeated += uint64(one(f.again))
	t.Moved += uint64(one(f.moved))
	t.Missing += f.lost
}

// backend returns the number of a tunnel's end, a new one where it has none.
func (s *Sink) backend(tunnel traffic.Tunnel) uint16 {
	if !tunnel.GRE {
		return 0
	}
	r := &s.recent[(tunnel.Lo^tunnel.Lo>>32^tunnel.Hi)*0x9e3779b97f4a7c15>>(64-12)]
	if r.number != 0 && r.tunnel == tunnel {
		return r.number
	}
	number, known := s.backends[tunnel]
	if !known {
		if len(s.shares) > MaxBackends { // all others share the last number
			return MaxBackends
		}
		number = uint16(len(s.shares))
		s.shares = append(s.shares, 0)
		s.backends[tunnel] = number
	}
	*r = named{tunnel, number}
	return number
}
