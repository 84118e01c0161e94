package lcore

import (
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// destinations are those of the packets before, with their services: there are far
// more packets than destinations. Each has one slot that it can be in.
type destinations [destinationSlots]destination

const destinationSlots = 64

// A destination is an address, a protocol and a port, and who serves it.
type destination struct {
	hi, lo  uint64
	rest    uint32 // port, family and protocol; 0: none, for nothing is of protocol 0
	service uint16
	l3      uint16 // offset of the packet in a frame of the usual shape, beside what is copied with it
	_       uint64
}

// slot returns where the destination of a key is, if it is known.
func (ds *destinations) slot(k *flow.Key) *destination {
	return &ds[(uint32(k.DstLo)+restOf(k)>>8)%destinationSlots]
}

// is tells whether a key has that destination.
func (d *destination) is(k *flow.Key) bool {
	return (d.lo^k.DstLo)|(d.hi^k.DstHi)|uint64(d.rest^restOf(k)) == 0
}

func restOf(k *flow.Key) uint32 {
	rest := k.Ports<<16>>8 | uint32(k.Proto)
	if k.IPv6 {
		rest |= 1 << 24
	}
	return rest
}

// learn makes the destination of a frame one of the known, and tells whether it
// was not, and is for a service, and the frame has the usual shape.
func (w *Worker) learn(f *pmd.Frame) bool {
	var k flow.Key
	var c flow.Common
	if !f.Plain() {
		return false
	}
	if _, ok := k.ReadCommon(f.Bytes(), w.conntrack.Seed(), &c); !ok {
		return false
	}
	d := w.destinations.slot(&k)
	if d.is(&k) {
		return false
	}
	id := w.snapshot.Lookup(&k)
	if id < 0 {
		return false
	}
	*d = destination{hi: k.DstHi, lo: k.DstLo, rest: restOf(&k), service: uint16(id), l3: packet.EthernetLen}
	return true
}
