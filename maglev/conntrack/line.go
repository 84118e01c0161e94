package conntrack

import (
	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// A line is a bucket and exactly one cache line: what a lookup fetches. It is
// sixteen words:
//
//	        IPv4, three slots                   IPv6, one slot
//	 0..5   source and destination of each      0..3 source  4..7 destination
//	 6..8   ports of each                       6..8 -       8 ports
//	 9..11  value of each                       9 value
//	12..14  stamp of each                       12 stamp
//	15      meta                                15 meta
//
// Addresses are pairs of words, the lower half first, so that on the usual
// machines a comparison is one load of 64 bits.
//
// The meta word:
//
//	 0..14  three marks of 5 bits: class<<2 | state of the slot; 0 is free
//	15..21  near: bit i is set when the i-th of the slots beyond this line in
//	        its group (three for IPv4, seven for IPv6; lines in the order of
//	        index^1, index^2 ...) holds a flow whose home is this line
//	24..31  far: the number of flows whose home is this line and that are in
//	        no line of its group; sticks at 255
//
// So a lookup that misses in a line whose near and far are zero is over.
type line [lineWords]uint32

const (
	lineWords = 16
	lineBytes = 64

	slots4, group4 = 3, 2 // IPv4: slots in a line, lines in a group
	slots6, group6 = 1, 8 // IPv6: likewise

	ports4 = 6
	ports6 = 8
	values = 9
	stamps = 12
	meta   = 15

	toStamp = stamps - values

	markBits = 5
	markMask = 1<<markBits - 1

	nearShift = 15
	nearMask  = 0x7f << nearShift

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
	other // the ports are the protocol number: flow.Key has none for these

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

// rest returns what a slot holds of the key besides the addresses: the class
// in its place in the mark, and the word of the ports.
func rest(k *flow.Key) (class, ports uint32) {
	class, ports = uint32(classes[k.Proto]), k.Ports
	if class == uint32(other<<classShift) {
		ports = uint32(k.Proto)
	}
	return class, ports
}

// pair returns words i and i+1 as one number.
func (l *line) pair(i int) uint64 { return uint64(l[i]) | uint64(l[i+1])<<32 }

func (l *line) setPair(i int, v uint64) { l[i], l[i+1] = uint32(v), uint32(v>>32) }

// addresses4 is how a line holds the addresses of an IPv4 key.
func addresses4(k *flow.Key) uint64 { return k.SrcLo<<32 | k.DstLo }

// write fills slot i, which was free.
func (l *line) write(i uint32, k *flow.Key, value uint32, now Tick, s State) {
	class, ports := rest(k)
	if k.IPv6 {
		l.setPair(0, k.SrcHi)
		l.setPair(2, k.SrcLo)
		l.setPair(4, k.DstHi)
		l.setPair(6, k.DstLo)
		l[ports6] = ports
	} else {
		l.setPair(int(2*i), addresses4(k))
		l[ports4+i] = ports
	}
	l[values+i], l[stamps+i] = value, uint32(now)
	l[meta] |= (class | uint32(s)) << (markBits * i)
}

// key reads back the key of slot i, which is taken.
func (l *line) key(i uint32, ipv6 bool) flow.Key {
	k := flow.Key{IPv6: ipv6}
	if ipv6 {
		k.SrcHi, k.SrcLo, k.DstHi, k.DstLo, k.Ports = l.pair(0), l.pair(2), l.pair(4), l.pair(6), l[ports6]
	} else {
		a := l.pair(int(2 * i))
		k.SrcLo, k.DstLo, k.Ports = a>>32, a&0xffffffff, l[ports4+i]
	}
	switch class(l.mark(i) >> classShift) {
	case tcp:
		k.Proto = packet.ProtoTCP
	case udp:
		k.Proto = packet.ProtoUDP
	case sctp:
		k.Proto = packet.ProtoSCTP
	case other:
		k.Proto, k.Ports = uint8(k.Ports), 0
	}
	return k
}

func (l *line) mark(i uint32) uint32 { return l[meta] >> (markBits * i) & markMask }
