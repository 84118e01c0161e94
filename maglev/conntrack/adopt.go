package conntrack

import (
	"hash/crc64"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// An Adoption says what became of the entries of a table that was adopted.
type Adoption struct {
	Taken   uint64 // that live on
	Expired uint64 // that had timed out
	Void    uint64 // whose value is not good
	Dropped uint64 // that cannot be: half written, or damaged
}

// Adopt makes a table of memory in which another process has left one: of as
// many flows, with the same seed, and of the same [Layout]. No core may use it
// any more. Nothing else is believed of what is there. An entry stays if its
// mark, its time and its place are such as this table would give them, and if
// good says so of its value; the rest goes, and counts and notes are made anew
// from what stays. So whatever the bytes are, the table is a sound one.
//
// Entries' times are on the clock of before; later is how far the clock of now
// is ahead of it.
//
// That process may have died between any two stores. They are made in the order
// of the source, and in line.write the mark comes last: an entry half written
// has none yet. Touch, Hit and Replace leave one of two good values, and at worst
// a state or time that is a packet old. A flow that was on the move is missing.
func Adopt(c Config, now, later Tick, good func(value uint32) bool) (*Table, Adoption, error) {
	t, err := New(c)
	if err != nil {
		return nil, Adoption{}, err
	}
	var a Adoption
	for i := range t.lines {
		t.cleanse(&t.lines[i], now, later, good, &a)
	}
	for _, f := range []*family{&t.v4, &t.v6} {
		for i := range uint32(f.count) {
			t.settle(f, f.first+i, &a)
		}
	}
	return t, a, nil
}

// slack is how far in the future the time of an entry may seem to be: cores'
// clocks are not quite one.
const slack = int32(1e9 >> tickShift)

// cleanse drops the entries of a line that by themselves cannot be, and all notes.
func (t *Table) cleanse(l *line, now, later Tick, good func(value uint32) bool, a *Adoption) {
	marks := uint32(0)
	for i := range uint32(slots) {
		mark := l.mark(i)
		if mark == 0 {
			continue
		}
		stamp := Tick(l[stamps+i]) + later
		l[stamps+i] = uint32(stamp)
		c, age := class(mark>>classShift), now.since(stamp)
		switch {
		case c < tcp || c > other || State(mark&stateMask) == Free || age < -slack:
			a.Dropped++
		case age >= int32(t.marks[mark&markMask].timeout):
			a.Expired++
		case !good(l[values+i]):
			a.Void++
		default:
			marks |= mark << (markBits * i)
		}
	}
	l[meta] = marks
	for i := range uint32(slots) {
		if l.mark(i) == 0 {
			l.wipe(i)
		}
	}
}

// settle counts the entries of a line and has their homes note them. It drops
// those that a lookup would not come to.
func (t *Table) settle(f *family, index uint32, a *Adoption) {
	l := &t.lines[index]
	for i := range uint32(slots) {
		if l.mark(i) == 0 {
			continue
		}
		g, at := l.tag(i), slotAt(index, i)
		h := t.hash(g, f == &t.v6)
		if found, ok := t.seat(f, g, h); !ok || found != at {
			l[meta] &^= markMask << at.shift()
			a.Dropped++
			continue
		}
		t.noteAway(f.home(h), at, true)
		f.taken++
		a.Taken++
	}
}

// seat is look without notes: the first of its places that holds the flow.
func (t *Table) seat(f *family, g tag, h uint64) (Slot, bool) {
	home, away := f.home(h), f.away(h)
	for c := range uint32(2 * group) {
		index := home ^ c
		if c >= group {
			index = away ^ (c - group)
		}
		if i := t.lines[index].match(g); i < slots {
			return slotAt(index, i), true
		}
	}
	return 0, false
}

// Layout is a number that tables have in common only if one can be adopted as
// the other: the digest of what a small one looks like after flows of all kinds
// have come to it. Whatever is changed of lines, marks, ticks or hashes, it
// is another number.
func Layout() uint64 {
	const tick = 1 << tickShift
	memory := newMemory(2 * lineCount(8))
	t, err := New(Config{
		Flows: 8, Memory: memory, Seed: flow.Selection,
		Timeouts: Timeouts{TCPNew: tick, TCPEstablished: tick, TCPClosing: tick, UDP: tick, Other: tick},
	})
	if err != nil {
		panic("a small table cannot be made: " + err.Error())
	}
	for i := range 24 {
		k := flow.Key{
			SrcLo: 0x0a000001 + uint64(i), DstLo: 0xcb007101, Ports: uint32(i)<<16 | 80, IPv6: i&1 != 0,
			Proto: [...]uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP, packet.ProtoGRE}[i/2%4],
		}
		h := t.Hash(&k)
		for _, ev := range [...][]Event{{Syn, Data}, {Syn}, {Data, Fin}}[i%3] {
			now := Ticks(int64(i) * tick)
			if _, known := t.Hit(&k, h, now, ev); known {
				continue
			}
			if at, ok := t.Find(&k, h, now); ok {
				t.Touch(at, now, ev)
			} else {
				t.Insert(&k, h, uint32(i), now, ev)
			}
		}
	}
	return crc64.Checksum(memory, crc64.MakeTable(crc64.ECMA))
}
