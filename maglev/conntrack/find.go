package conntrack

import (
	"time"

	"guideway/maglev/flow"
)

// Hash returns the hash that the other methods want beside the key.
func (t *Table) Hash(k *flow.Key) uint64 { return k.Hash(&t.seed) }

// Seed returns the seed of Hash, for who hashes keys on the way. It is secret.
func (t *Table) Seed() *flow.Seed { return &t.seed }

// A Place is where a flow's entry is looked for.
type Place struct {
	Line uintptr // address of the flow's home line, to prefetch: what a lookup reads first, and mostly all that it reads
	Name uint64  // of the flow, in its entry
}

// Place returns that of the flow.
func (t *Table) Place(k *flow.Key, h uint64) Place {
	f, name := &t.v4, k.SrcLo<<32|k.DstLo
	if k.IPv6 {
		f, name = &t.v6, h
	}
	return Place{t.base + uintptr(f.home(h))*lineBytes, name}
}

// Elsewhere returns the places of a flow that is neither in its home line, which it reads, nor
// beside that: two lines to prefetch, if there are such flows. A lookup that goes there would
// wait for both.
func (t *Table) Elsewhere(k *flow.Key, h uint64) (lines [group]uintptr, some bool) {
	f := &t.v4
	if k.IPv6 {
		f = &t.v6
	}
	if t.lines[f.home(h)][meta]&farMask == 0 {
		return lines, false
	}
	away := f.away(h)
	for c := range uint32(group) {
		lines[c] = t.base + uintptr(away^c)*lineBytes
	}
	return lines, true
}

// Find looks for the entry of k, whose Hash is h. An entry past its timeout is
// freed and not found.
func (t *Table) Find(k *flow.Key, h uint64, now Tick) (Slot, bool) {
	f := &t.v4
	if k.IPv6 {
		f = &t.v6
	}
	at, ok := t.look(f, tagOf(k, h), h)
	if !ok {
		return 0, false
	}
	l := &t.lines[at.line()]
	if t.expired(l[meta]>>at.shift(), l[(at+toStamp)%lineWords], now) {
		t.expire(at)
		return 0, false
	}
	return at, true
}

// look looks at the home line, and further where that has notes of flows elsewhere.
func (t *Table) look(f *family, g tag, h uint64) (Slot, bool) {
	home := f.home(h)
	if i := t.lines[home].match(g); i < slots {
		return slotAt(home, i), true
	}
	m := t.lines[home][meta]
	if m&nearMask != 0 {
		if i := t.lines[home^1].match(g); i < slots {
			return slotAt(home^1, i), true
		}
	}
	if m&farMask != 0 {
		away := f.away(h)
		for c := range uint32(group) {
			if i := t.lines[away^c].match(g); i < slots {
				return slotAt(away^c, i), true
			}
		}
	}
	return 0, false
}

// match returns which slot holds the flow, or slots.
func (l *line) match(g tag) uint32 {
	return first(l.differ(0, g), l.differ(1, g), l.differ(2, g))
}

// differ returns zero if slot i holds the flow.
func (l *line) differ(i uint32, g tag) uint64 {
	return (l.name(i) ^ g.name) | uint64((l[ports+i]^g.ports)|(l[meta]>>(markBits*i)&classMask^g.class))
}

// first returns which of three is zero, or 3. It has no branches: which one it
// is, no processor can predict.
func first(d0, d1, d2 uint64) uint32 {
	n0 := (d0 | -d0) >> 63 // 1 if not zero
	n1 := n0 & ((d1 | -d1) >> 63)
	n2 := n1 & ((d2 | -d2) >> 63)
	return uint32(n0 + n1 + n2)
}

// Value returns what was stored with the entry.
func (t *Table) Value(at Slot) uint32 { return t.lines[at.line()][at%lineWords] }

// Look tells how far the entry's flow has come, and how long ago its last packet
// was, or a 64th of its timeout longer. For people: the packet path has no use for
// it.
func (t *Table) Look(at Slot, now Tick) (s State, idle time.Duration) {
	l := &t.lines[at.line()]
	ticks := uint32(now) - l[(at+toStamp)%lineWords]
	return State(l[meta] >> at.shift() & stateMask), time.Duration(ticks) << tickShift
}

// Touch notes a packet of the flow: its timeout starts anew, its state steps.
func (t *Table) Touch(at Slot, now Tick, ev Event) {
	l := &t.lines[at.line()]
	shift := at.shift()
	mark := l[meta] >> shift & markMask
	flip := change(mark, ev)
	if flip == 0 && t.current(mark, l[(at+toStamp)%lineWords], now) {
		return
	}
	l[(at+toStamp)%lineWords] = uint32(now)
	l[meta] ^= flip << shift
}

// Replace gives the entry another value, as if the packet were the first of
// its flow: whether the new endpoint knows the flow is not proven.
func (t *Table) Replace(at Slot, value uint32, now Tick, ev Event) {
	l := &t.lines[at.line()]
	l[at%lineWords], l[(at+toStamp)%lineWords] = value, uint32(now)
	l[meta] = l[meta]&^(stateMask<<at.shift()) | uint32(step(Free, ev))<<at.shift()
}
