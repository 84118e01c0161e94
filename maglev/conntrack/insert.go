package conntrack

import "guideway/maglev/flow"

// An Outcome is what Insert did.
type Outcome uint8

const (
	Full             Outcome = iota // no entry: all places are taken by confirmed flows
	Inserted                        // in a free place
	InsertedEvicting                // in the place of an older unconfirmed flow
)

// Insert makes an entry for k, whose Hash is h and which Find has just not
// found. It takes the first place that is free or past its timeout, home
// first; or one that another flow can leave for a place of its own; or that of
// the oldest unconfirmed flow in its way; or none. In a crowded table it is
// content with the oldest unconfirmed flow of the first line that has one: a
// flood shall not make us search.
func (t *Table) Insert(k *flow.Key, h uint64, value uint32, now Tick, ev Event) Outcome {
	f := &t.v4
	if k.IPv6 {
		f = &t.v6
	}
	outcome := Inserted
	at, free := t.freeIn(f.home(h))
	if !free {
		at, outcome = t.makeRoom(f, h, now)
		if outcome == Full {
			t.stats.Full++
			return Full
		}
	}
	t.put(f, f.home(h), at, tagOf(k, h), value, now, step(Free, ev))
	t.stats.Inserts++
	return outcome
}

// freeIn returns the first free slot of a line.
func (t *Table) freeIn(line uint32) (Slot, bool) {
	m := t.lines[line][meta]
	for i := range uint32(slots) {
		if m>>(markBits*i)&markMask == 0 {
			return slotAt(line, i), true
		}
	}
	return 0, false
}

// makeRoom finds a place for a flow of that hash whose home line has no free
// one, and frees it if need be.
func (t *Table) makeRoom(f *family, h uint64, now Tick) (Slot, Outcome) {
	var victim Slot
	var oldest int32 = -1
	home, away := f.home(h), f.away(h)
	crowded := f.taken >= f.roomy
	for c := range uint32(2 * group) { // if by chance both groups are one, twice the same
		index := home ^ c
		if c >= group {
			index = away ^ (c - group)
		}
		l := &t.lines[index]
		for i := range uint32(slots) {
			at, mark := slotAt(index, i), l.mark(i)
			if mark == 0 {
				return at, Inserted
			}
			if t.expired(mark, l[stamps+i], now) {
				t.expire(at)
				return at, Inserted
			}
			if age := now.since(Tick(l[stamps+i])); State(mark&stateMask) == Unconfirmed && age > oldest {
				victim, oldest = at, age
			}
		}
		if crowded && victim != 0 {
			break
		}
	}
	if !crowded {
		if at, ok := t.moveOne(f, home); ok {
			return at, Inserted
		}
	}
	if victim == 0 {
		return 0, Full
	}
	t.free(victim)
	t.stats.Evictions++
	return victim, InsertedEvicting
}

// moveOne moves one of the flows in the group of home, which is full, to
// another of the lines it may be in, and returns the slot it left.
func (t *Table) moveOne(f *family, home uint32) (Slot, bool) {
	for c := range uint32(group) {
		for i := range uint32(slots) {
			from := slotAt(home^c, i)
			l := &t.lines[home^c]
			g := l.tag(i)
			h := t.hash(g, f == &t.v6)
			for d := range uint32(2 * group) {
				index := f.home(h) ^ d
				if d >= group {
					index = f.away(h) ^ (d - group)
				}
				if to, ok := t.freeIn(index); ok {
					value, stamp, state := l[values+i], l[stamps+i], State(l.mark(i)&stateMask)
					t.free(from)
					t.put(f, f.home(h), to, g, value, Tick(stamp), state)
					t.stats.Moves++
					return from, true
				}
			}
		}
	}
	return 0, false
}

// put fills a free slot with a flow.
func (t *Table) put(f *family, home uint32, at Slot, g tag, value uint32, now Tick, s State) {
	t.lines[at.line()].write(at.index(), g, value, now, s)
	t.noteAway(home, at, true)
	f.taken++
}

// expire frees a slot whose entry timed out.
func (t *Table) expire(at Slot) {
	t.free(at)
	t.stats.Expiries++
}

// free frees a taken slot. The hash is found anew from the tag, for the home that
// may have noted the flow as being elsewhere.
func (t *Table) free(at Slot) {
	f, ipv6 := &t.v4, at.line() >= t.v6.first
	if ipv6 {
		f = &t.v6
	}
	l := &t.lines[at.line()]
	t.noteAway(f.home(t.hash(l.tag(at.index()), ipv6)), at, false)
	l.wipe(at.index())
	f.taken--
}

// noteAway notes at home that one of its flows is now at a slot elsewhere, or
// no longer is. A flow that is at home needs no note.
func (t *Table) noteAway(home uint32, at Slot, there bool) {
	distance := home ^ at.line()
	if distance == 0 {
		return
	}
	m := &t.lines[home][meta]
	switch {
	case distance < group: // groups are aligned
		bit := uint32(1) << (nearShift + at.index())
		*m &^= bit
		if there {
			*m |= bit
		}
	case *m&farMask == farMask: // lost count: stays, at the price of longer lookups
	case there:
		*m += farOne
	default:
		*m -= farOne
	}
}
