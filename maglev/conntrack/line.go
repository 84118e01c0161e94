package conntrack

import (
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// A line is a bucket of three slots and exactly one cache line: what a lookup
// fetches. It is sixteen words:
//
//	 0..5   name of each: of an IPv4 flow its source and destination, of an IPv6
//	        flow its hash
//	 6..8   ports of each
//	 9..11  value of each
//	12..14  stamp of each
//	15      meta
//
// Names are pairs of words, the lower half first, so that on the usual machines a
// comparison is one load of 64 bits.
//
// The meta word:
//
//	 0..14  three marks of 5 bits: class<<2 | state of the slot; 0 is free
//	15..17  near: bit i is set when slot i of the group's other line (index^1)
//	        holds a flow whose home is this line
//	24..31  far: the number of flows whose home is this line and that are in
//	        no line of its group; sticks at 255
//
// So a lookup that misses in a line whose near and far are zero is over.
type line [lineWords]uint32

const (
	lineWords = 16
	lineBytes = 64

	slots = 3 // in a line
	group = 2 // lines

	ports  = 6
	values = 9
	stamps = 12
	meta   = 15

	toStamp = stamps - values

	markBits = 5
	markMask = 1<<markBits - 1

	nearShift = 15
	nearMask  = (1<<slots - 1) << nearShift

	farShift = 24
	farOne   = 1 << farShift
	farMask  = 0xff << farShift
)

// A Slot is the position of an entry: the index of its value among the words
// of the table. It is valid until the next Insert or Age.
type Slot uint32

func (at Slot) line() uint32  { return uint32(at) / lineWords }
func (at Slot) index() uint32 { return uint32(at)%lineWords - values }

// shift is where the slot's mark is in meta. The mask tells the compiler what
// we know, that it is less than 32.
func (at Slot) shift() uint32 { return markBits * at.index() % 32 }

func slotAt(line, index uint32) Slot { return Slot(line*lineWords + values + index) }

// A class is what a timeout depends on besides the state, and with the ports
// stands for the protocol.
type class uint32

const (
	tcp class = 1 + iota
	udp
	sctp
	other // the ports are the protocol's number: flow.Key has none for these

	classShift = 2
	classMask  = 7 << classShift
	stateMask  = 1<<classShift - 1
)

// classes maps a protocol to its class, shifted to its place in a mark.
var classes = func() (c [256]uint8) {
	for i := range c {
		c[i] = uint8(other << classShift)
	}
	c[packet.ProtoTCP] = uint8(tcp << classShift)
	c[packet.ProtoUDP] = uint8(udp << classShift)
	c[packet.ProtoSCTP] = uint8(sctp << classShift)
	return c
}()

// A tag is what a slot holds of a flow, and is found by.
type tag struct {
	name  uint64
	ports uint32
	class uint32 // in its place in a mark
}

// tagOf returns the tag of k, whose Hash is h.
//
// The name of an IPv6 flow is its hash: its addresses would take four times the
// room, one slot to a line. Of the hash some twenty bits choose the line, so that
// two flows of one protocol with the same ports are mistaken for one another if
// some forty bits happen to be the same, of a hash whose seed nobody knows: with
// a million new flows a second, once in some hundred years. The one would then
// go to the backend of the other.
func tagOf(k *flow.Key, h uint64) tag {
	t := tag{name: h, ports: k.Ports, class: uint32(classes[k.Proto])}
	if !k.IPv6 {
		t.name = k.SrcLo<<32 | k.DstLo
	}
	if t.class == uint32(other<<classShift) {
		t.ports = uint32(k.Proto)
	}
	return t
}

// hash returns the hash of the flow that has the tag.
func (t *Table) hash(g tag, ipv6 bool) uint64 {
	if ipv6 {
		return g.name
	}
	k := flow.Key{SrcLo: g.name >> 32, DstLo: g.name & 0xffffffff, Ports: g.ports}
	switch class(g.class >> classShift) {
	case tcp:
		k.Proto = packet.ProtoTCP
	case udp:
		k.Proto = packet.ProtoUDP
	case sctp:
		k.Proto = packet.ProtoSCTP
	case other:
		k.Proto, k.Ports = uint8(g.ports), 0
	}
	return t.Hash(&k)
}

// name returns that of slot i.
func (l *line) name(i uint32) uint64 { return uint64(l[2*i]) | uint64(l[2*i+1])<<32 }

// write fills slot i, which was free.
func (l *line) write(i uint32, g tag, value uint32, now Tick, s State) {
	l[2*i], l[2*i+1], l[ports+i] = uint32(g.name), uint32(g.name>>32), g.ports
	l[values+i], l[stamps+i] = value, uint32(now)
	l[meta] |= (g.class | uint32(s)) << (markBits * i)
}

// wipe frees slot i. Of the flow, nothing stays by which it seems to be there. The
// mark goes first, for whoever takes the table over when this is as far as it got.
func (l *line) wipe(i uint32) {
	l[meta] &^= markMask << (markBits * i)
	l[2*i], l[2*i+1], l[ports+i] = 0, 0, 0
}

// tag returns that of slot i, which is taken.
func (l *line) tag(i uint32) tag {
	return tag{name: l.name(i), ports: l[ports+i], class: l.mark(i) & classMask}
}

func (l *line) mark(i uint32) uint32 { return l[meta] >> (markBits * i) & markMask }
