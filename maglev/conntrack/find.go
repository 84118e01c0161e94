package conntrack

import (
	"time"

	"guideway/maglev/flow"
)

// Hash returns the hash that the other methods want beside the key.
func (t *Table) Hash(k *flow.Key) uint64 { return k.Hash(&t.seed) }

// Seed returns the seed of Hash, for who hashes keys on the way. It is secret.
func (t *Table) Seed() *flow.Seed { return &t.seed }

// Line returns the address of the flow's home line, for prefetch.Lines: what a
// lookup reads first, and mostly all that it reads.
func (t *Table) Line(k *flow.Key, h uint64) uintptr {
	f := &t.v4
	if k.IPv6 {
		f = &t.v6
	}
	return t.base + uintptr(f.home(h))*lineBytes
}

// Find looks for the entry of k, whose Hash is h. An entry past its timeout is
// freed and not found.
func (t *Table) Find(k *flow.Key, h uint64, now Tick) (Slot, bool) {
	if k.IPv6 {
		return t.find6(k, h, now)
	}
	class, ports := rest(k)
	addresses := addresses4(k)
	home := t.v4.home(h)
	l := &t.lines[home]
	m := l[meta]
	i := first(l.differ4(0, addresses, ports, class), l.differ4(1, addresses, ports, class), l.differ4(2, addresses, ports, class))
	if i < slots4 {
		at := slotAt(home, i)
		if t.expired(m>>(markBits*i%32), l[stamps+i], now) {
			t.expire(at)
			return 0, false
		}
		return at, true
	}
	if m&(nearMask|farMask) == 0 {
		return 0, false
	}
	return t.alive(t.beyond4(m, home, h, addresses, ports, class), now)
}

// alive returns a slot that was found, unless it is past its timeout.
func (t *Table) alive(at Slot, now Tick) (Slot, bool) {
	if at == 0 {
		return 0, false
	}
	l := &t.lines[at.line()]
	if t.expired(l[meta]>>at.shift(), l[(at+toStamp)%lineWords], now) {
		t.expire(at)
		return 0, false
	}
	return at, true
}

// differ4 returns zero if slot i holds the flow.
func (l *line) differ4(i int, addresses uint64, ports, class uint32) uint64 {
	return (l.pair(2*i) ^ addresses) | uint64((l[ports4+i]^ports)|(l[meta]>>(markBits*i)&classMask^class))
}

// first returns which of three is zero, or 3. It has no branches: which one it
// is, no processor can predict.
func first(d0, d1, d2 uint64) uint32 {
	n0 := (d0 | -d0) >> 63 // 1 if not zero
	n1 := n0 & ((d1 | -d1) >> 63)
	n2 := n1 & ((d2 | -d2) >> 63)
	return uint32(n0 + n1 + n2)
}

func (t *Table) beyond4(m, home uint32, h, addresses uint64, ports, class uint32) Slot {
	if m&nearMask != 0 {
		if i := t.lines[home^1].match4(addresses, ports, class); i < slots4 {
			return slotAt(home^1, i)
		}
	}
	if m&farMask != 0 {
		away := t.v4.away(h)
		if i := t.lines[away].match4(addresses, ports, class); i < slots4 {
			return slotAt(away, i)
		}
		if i := t.lines[away^1].match4(addresses, ports, class); i < slots4 {
			return slotAt(away^1, i)
		}
	}
	return 0
}

func (l *line) match4(addresses uint64, ports, class uint32) uint32 {
	return first(l.differ4(0, addresses, ports, class), l.differ4(1, addresses, ports, class), l.differ4(2, addresses, ports, class))
}

func (t *Table) find6(k *flow.Key, h uint64, now Tick) (Slot, bool) {
	class, ports := rest(k)
	home := t.v6.home(h)
	l := &t.lines[home]
	m := l[meta]
	if l.match6(k, ports, class) {
		at := slotAt(home, 0)
		if t.expired(m, l[stamps], now) {
			t.expire(at)
			return 0, false
		}
		return at, true
	}
	if m&(nearMask|farMask) == 0 {
		return 0, false
	}
	return t.alive(t.beyond6(m, home, h, k, ports, class), now)
}

func (t *Table) beyond6(m, home uint32, h uint64, k *flow.Key, ports, class uint32) Slot {
	for i := uint32(1); i < group6; i++ {
		if m>>(nearShift+i-1)&1 != 0 && t.lines[home^i].match6(k, ports, class) {
			return slotAt(home^i, 0)
		}
	}
	if m&farMask != 0 {
		away := t.v6.away(h)
		for i := range uint32(group6) {
			if t.lines[away^i].match6(k, ports, class) {
				return slotAt(away^i, 0)
			}
		}
	}
	return 0
}

// match6 tells whether the line's slot holds the flow.
func (l *line) match6(k *flow.Key, ports, class uint32) bool {
	return (l.pair(0)^k.SrcHi)|(l.pair(2)^k.SrcLo)|(l.pair(4)^k.DstHi)|(l.pair(6)^k.DstLo)|
		uint64((l[ports6]^ports)|(l[meta]&classMask^class)) == 0
}

// Value returns what was stored with the entry.
func (t *Table) Value(at Slot) uint32 { return t.lines[at.line()][at%lineWords] }

// Look tells how far the entry's flow has come, and how long ago its last packet
// was. For people: the packet path has no use for it.
func (t *Table) Look(at Slot, now Tick) (s State, idle time.Duration) {
	l := &t.lines[at.line()]
	ticks := uint32(now) - l[(at+toStamp)%lineWords]
	return State(l[meta] >> at.shift() & stateMask), time.Duration(ticks) << tickShift
}

// Touch notes a packet of the flow: its timeout starts anew, its state steps.
func (t *Table) Touch(at Slot, now Tick, ev Event) {
	l := &t.lines[at.line()]
	l[(at+toStamp)%lineWords] = uint32(now)
	shift := at.shift()
	l[meta] ^= change(l[meta]>>shift&markMask, ev) << shift
}

// Replace gives the entry another value, as if the packet were the first of
// its flow: whether the new endpoint knows the flow is not proven.
func (t *Table) Replace(at Slot, value uint32, now Tick, ev Event) {
	l := &t.lines[at.line()]
	l[at%lineWords], l[(at+toStamp)%lineWords] = value, uint32(now)
	l[meta] = l[meta]&^(stateMask<<at.shift()) | uint32(step(Free, ev))<<at.shift()
}
