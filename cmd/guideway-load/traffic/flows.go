package traffic

import (
	"math/bits"

	"guideway/maglev/packet"
	"guideway/pmd"
)

// A Stream makes packets, one after the other, into frames that it is given.
type Stream interface {
	// Plan tells how many packets, most at most, come next and fit into at most
	// room frames, and how many frames these are.
	Plan(most, room int) (packets, frames int)
	// Put makes those packets: frames are as many as Plan said, empty, and now is
	// the time that the packets carry.
	Put(frames []*pmd.Frame, packets int, now int64)
	// Undo takes the last frames back, which were not sent, as far as they are
	// whole packets: these come next again. What is left of them is a packet of
	// which a part was sent. It returns how many packets it took back.
	Undo(frames int) (packets int)
}

// Flows is the stream of a plan's flows: every flow has one packet in a round,
// and in every round in the same order, which looks random. The number of the
// round is the packet's sequence number, so what is missing of a flow can be
// told, and nothing need be remembered of any.
type Flows struct {
	plan *Plan

	// Where the next packet is.
	turn  uint64 // in the round
	flow  uint64
	round uint64

	// What follows from the round.
	first uint64 // the connection of flow 0
	flags uint8  // of TCP

	step uint64 // from flow to flow, modulo their number, which has no factor in common
}

// Stream returns the stream of the plan's flows at its beginning.
func (p *Plan) Stream() *Flows {
	f := &Flows{plan: p, step: stride(p.flows)}
	f.enter(0)
	return f
}

// stride returns a step through n things that leads to each: about n by the
// golden ratio, so that neighbours in time are far apart.
func stride(n uint64) uint64 {
	hi, _ := bits.Mul64(n, 0x9e3779b97f4a7c15)
	for s := max(hi, 1); ; s++ {
		if gcd(s, n) == 1 {
			return s
		}
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// enter begins a round.
func (f *Flows) enter(round uint64) {
	f.round = round
	f.first, f.flags = 0, packet.TCPAck|tcpPush
	life := uint64(f.plan.spec.Life)
	if life == 0 {
		return
	}
	f.first = round / life % f.plan.generations * f.plan.stride
	switch round % life {
	case 0:
		f.flags = packet.TCPSyn
	case life - 1:
		f.flags = packet.TCPFin | packet.TCPAck
	}
}

func (f *Flows) advance() {
	if f.flow += f.step; f.flow >= f.plan.flows {
		f.flow -= f.plan.flows
	}
	if f.turn++; f.turn == f.plan.flows {
		f.turn = 0
		f.enter(f.round + 1)
	}
}

func (f *Flows) retreat() {
	if f.turn == 0 {
		f.turn = f.plan.flows
		f.enter(f.round - 1)
	}
	f.turn--
	if f.flow < f.step {
		f.flow += f.plan.flows
	}
	f.flow -= f.step
}

// next tells what the next packet is.
func (f *Flows) next() (t *template, c client, size int) {
	c = f.plan.client(f.first + f.flow)
	t = &f.plan.templates[c.service]
	size = f.plan.spec.Sizes[0]
	if n := len(f.plan.spec.Sizes); n > 1 {
		size = f.plan.spec.Sizes[draw(f.round*f.plan.flows+f.turn, n)]
	}
	return t, c, max(size, t.least())
}

// Plan implements [Stream].
func (f *Flows) Plan(most, room int) (packets, frames int) {
	if f.plan.spec.Cut == 0 {
		n := min(most, room)
		return n, n
	}
	at := *f // looked ahead with
	for packets < most {
		t, _, size := at.next()
		n := f.plan.cut(t, size).n
		if frames+n > room {
			break
		}
		packets, frames = packets+1, frames+n
		at.advance()
	}
	return packets, frames
}

// Put implements [Stream].
func (f *Flows) Put(frames []*pmd.Frame, packets int, now int64) {
	o := one{stamp: now}
	for range packets {
		t, c, size := f.next()
		o.host, o.port, o.flags, o.sequence = c.host, c.port, f.flags, uint32(f.round)
		if cuts := f.plan.cut(t, size); cuts.n > 1 {
			id := uint32(f.round*f.plan.flows + f.turn)
			for i := range cuts.n {
				t.putPiece(frames[i], cuts, i, id, uint32(f.flow), &o)
			}
			frames = frames[cuts.n:]
		} else {
			t.put(frames[0], size, &o)
			frames = frames[1:]
		}
		f.advance()
	}
}

// Undo implements [Stream].
func (f *Flows) Undo(frames int) (packets int) {
	for frames > 0 {
		f.retreat()
		t, _, size := f.next()
		n := f.plan.cut(t, size).n
		if n > frames {
			f.advance()
			break
		}
		frames, packets = frames-n, packets+1
	}
	return packets
}

// Sent returns how many packets of a flow the stream has made. The last one's
// sequence number is one less.
func (f *Flows) Sent(flow uint32) uint64 {
	// The flow's turn is flow divided by step, modulo their number.
	hi, lo := bits.Mul64(uint64(flow), inverse(f.step, f.plan.flows))
	_, turn := bits.Div64(hi, lo, f.plan.flows)
	if turn < f.turn {
		return f.round + 1
	}
	return f.round
}

// inverse returns the number by which a is 1 modulo n, of which a has no factor.
func inverse(a, n uint64) uint64 {
	r0, r1, s0, s1 := int64(n), int64(a%n), int64(0), int64(1)
	for r1 != 0 {
		q := r0 / r1
		r0, r1, s0, s1 = r1, r0-q*r1, s1, s0-q*s1
	}
	return uint64((s0%int64(n) + int64(n)) % int64(n))
}
