package conntrack

import "guideway/maglev/flow"

// Hit is Find, Value and Touch for the packets of a flow whose entry is in its
// home line or beside that, as nearly all are. Of an entry that is elsewhere or past
// its timeout, and of none, it says that it is not known, and does nothing.
//
// It calls nothing, and which of a line's slots it is takes no branch: that, no
// processor can predict.
func (t *Table) Hit(k *flow.Key, h uint64, now Tick, ev Event) (value uint32, known bool) {
	f, name := &t.v4, k.SrcLo<<32|k.DstLo
	if k.IPv6 {
		f, name = &t.v6, h
	}
	home := f.home(h)
	for at := home; uint64(at) < uint64(len(t.lines)); at = home ^ 1 { // it always is
		l := &t.lines[at]
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
			if at != home || m&nearMask == 0 {
				return 0, false
			}
			continue
		}
		if is&(is-1) != 0 { // two
			return 0, false
		}
		i := is / 2
		shift := markBits * i % 32
		mark := m >> shift & markMask
		if mark&classMask != uint32(t.class[k.Proto]) {
			return 0, false
		}
		flip := change(mark, ev)
		if flip == 0 && t.current(mark, l[stamps+i], now) {
			return l[values+i], true
		}
		if t.expired(mark, l[stamps+i], now) {
			return 0, false
		}
		l[stamps+i] = uint32(now)
		l[meta] = m ^ flip<<shift
		return l[values+i], true
	}
	return 0, false
}
