package conntrack

import "fmt"

// A place tells flows apart as a table does.
type place struct {
	tag
	ipv6 bool
}

// An entry is what a table, or the model of one, knows of a flow.
type entry struct {
	value uint32
	stamp Tick
	state State
}

// audit reads the whole table and checks what must hold at any time: no flow
// twice, each in a place where Find looks, and counts and notes exactly those
// of the flows there are.
func audit(t *Table) (map[place]entry, error) {
	flows := make(map[place]entry)
	notes := make(map[uint32]uint32) // by line: near and far
	for line := range uint32(len(t.lines)) {
		ipv6 := line >= t.v6.first
		f := &t.v4
		if ipv6 {
			f = &t.v6
		}
		l := &t.lines[line]
		for i := range uint32(slots) {
			mark := l.mark(i)
			if mark == 0 {
				continue
			}
			k := place{l.tag(i), ipv6}
			if _, twice := flows[k]; twice {
				return nil, fmt.Errorf("%v is there twice", k)
			}
			flows[k] = entry{l[values+i], Tick(l[stamps+i]), State(mark & stateMask)}
			h := t.hash(k.tag, ipv6)
			home, away := f.home(h), f.away(h)
			switch in := ^uint32(group - 1); {
			case line == home:
			case line&in == home&in:
				notes[home] |= 1 << (nearShift + i)
			case line&in == away&in:
				notes[home] += farOne
			default:
				return nil, fmt.Errorf("%v is in line %d, home is %d and the other group's %d", k, line, home, away)
			}
		}
	}
	for line := range uint32(len(t.lines)) {
		got := t.lines[line][meta] & (nearMask | farMask)
		if got&farMask != farMask && got != notes[line] {
			return nil, fmt.Errorf("line %d notes %#x, want %#x", line, got, notes[line])
		}
	}
	if t.Len() != len(flows) {
		return nil, fmt.Errorf("Len is %d, there are %d", t.Len(), len(flows))
	}
	return flows, nil
}
