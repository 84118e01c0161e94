package conntrack

import "guideway/maglev/flow"

// Hit4 is Find, Value and Touch for the packets of an IPv4 flow whose entry is in
// its home line, as nearly all are. Of an entry that is elsewhere or past its
// timeout, and of none, it says that it is not known, and does nothing.
//
// It calls nothing, and which of the slots it is takes no branch: that, no
// processor can predict.
func (t *Table) Hit4(k *flow.Key, h uint64, now Tick, ev Event) (value uint32, known bool) {
	home := t.v4.home(h)
	if uint64(home) >= uint64(len(t.lines)) {
		return 0, false // never so
	}
	l := &t.lines[home]
	addresses, ports := addresses4(k), k.Ports
	d0 := l.pair(0) ^ addresses | uint64(l[ports4]^ports)
	d1 := l.pair(2) ^ addresses | uint64(l[ports4+1]^ports)
	d2 := l.pair(4) ^ addresses | uint64(l[ports4+2]^ports)
	is1, is2 := uint32(0), uint32(0) // set without a branch
	if d1 == 0 {
		is1 = 1
	}
	if d2 == 0 {
		is2 = 1
	}
	i := is1 + 2*is2
	ifZeroth := uint64(int64(int32(i-1) >> 31)) // all ones if i is 0
	if d0&ifZeroth != 0 || i == 3 {             // none, or two that differ in their class
		return 0, false
	}
	m := l[meta]
	shift := markBits * i % 32
	mark := m >> shift & markMask
	if mark&classMask != uint32(classes[k.Proto]) || t.expired(mark, l[stamps+i], now) {
		return 0, false
	}
	l[stamps+i] = uint32(now)
	l[meta] = m ^ change(mark, ev)<<shift
	return l[values+i], true
}

// Hit6 is Hit4 for IPv6.
func (t *Table) Hit6(k *flow.Key, h uint64, now Tick, ev Event) (value uint32, known bool) {
	home := t.v6.home(h)
	if uint64(home) >= uint64(len(t.lines)) {
		return 0, false // never so
	}
	l := &t.lines[home]
	m := l[meta]
	mark := m & markMask
	if (l.pair(0)^k.SrcHi)|(l.pair(2)^k.SrcLo)|(l.pair(4)^k.DstHi)|(l.pair(6)^k.DstLo)|
		uint64((l[ports6]^k.Ports)|(mark&classMask^uint32(classes[k.Proto]))) != 0 || t.expired(mark, l[stamps], now) {
		return 0, false
	}
	l[stamps] = uint32(now)
	l[meta] = m ^ change(mark, ev)
	return l[values], true
}
