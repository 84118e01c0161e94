package conntrack

import "guideway/maglev/flow"

// An Answer is what a look into one line tells of a flow.
type Answer uint8

const (
	Unknown Answer = iota // [Table.Find] is to look: the entry is elsewhere, past its timeout, or there is none
	Beside                // it may be in the line beside that one, where the place is now
	Known                 // its value
)

// HitAt is Find, Value and Touch for the packets of a flow whose entry is in the line
// of its place, which is the flow's: of all others it says so, and does nothing. Who is
// told that the entry may be beside has time to fetch that line, and asks again; that
// it may be beside is of no meaning then.
//
// It calls nothing, and which of a line's slots it is takes no branch: that, no
// processor can predict.
func (t *Table) HitAt(p *Place, k *flow.Key, now Tick, ev Event) (value uint32, a Answer) {
	at := (p.Line - t.base) / lineBytes
	if at >= uintptr(len(t.lines)) { // it never is
		return 0, Unknown
	}
	l, name := &t.lines[at], p.Name
	// What has no ports is left to Find, and so are flows that differ in their
	// class alone: comparing it costs as much as all else here.
	d0 := l.name(0) ^ name | uint64(l[ports]^k.Ports)
	d1 := l.name(1) ^ name | uint64(l[ports+1]^k.Ports)
	d2 := l.name(2) ^ name | uint64(l[ports+2]^k.Ports)
	is0, is1, is2 := uint32(0), uint32(0), uint32(0) // set without a branch
	if d0 == 0 {
		is0 = 1
	}
	if d1 == 0 {
		is1 = 2
	}
	if d2 == 0 {
		is2 = 4
	}
	is, m := is0|is1|is2, l[meta]
	if is == 0 {
		if m&nearMask == 0 {
			return 0, Unknown
		}
		p.Line = t.base + (at^1)*lineBytes
		return 0, Beside
	}
	if is&(is-1) != 0 { // two
		return 0, Unknown
	}
	i := is / 2
	shift := markBits * i % 32
	mark := m >> shift & markMask
	if mark&classMask != uint32(t.class[k.Proto]) {
		return 0, Unknown
	}
	flip := change(mark, ev)
	if flip == 0 && t.current(mark, l[stamps+i], now) {
		return l[values+i], Known
	}
	if t.expired(mark, l[stamps+i], now) {
		return 0, Unknown
	}
	l[stamps+i] = uint32(now)
	l[meta] = m ^ flip<<shift
	return l[values+i], Known
}

// Hit is HitAt for a flow's home line and the one beside that, at once.
func (t *Table) Hit(k *flow.Key, h uint64, now Tick, ev Event) (value uint32, known bool) {
	p := t.Place(k, h)
	value, a := t.HitAt(&p, k, now, ev)
	if a == Beside {
		value, a = t.HitAt(&p, k, now, ev)
	}
	return value, a == Known
}
