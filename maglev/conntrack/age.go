package conntrack

// Age visits the next so many lines, round and round, and frees entries past
// their timeout. Nothing needs it at once: an expired entry is not found and
// its place is taken. But the count of entries and what lines know of flows
// elsewhere go stale without it, and a Tick wraps: a round, Lines in all, is
// wanted within some seconds or minutes, and must not take days.
func (t *Table) Age(now Tick, lines int) {
	if t.Len() == 0 {
		return
	}
	for range min(lines, len(t.lines)) {
		l := &t.lines[t.next]
		for i, marks := uint32(0), l[meta]&(1<<nearShift-1); marks != 0; i, marks = i+1, marks>>markBits {
			if mark := marks & markMask; mark != 0 && t.expired(mark, l[stamps+i], now) {
				t.expire(slotAt(t.next, i))
			}
		}
		if t.next++; t.next == uint32(len(t.lines)) {
			t.next = 0
		}
	}
}
