package lcore

import (
	"sync/atomic"

	"guideway/maglev/fib"
	"guideway/pmd"
)

// RingFrames is how many frames may be on their way from one core to another: a
// power of two. With more the frames that are under way would cost a second
// core's cache; with fewer a core that is away for 50 us (the poll gap of a busy
// one) would miss some at 10 Mpps.
const RingFrames = 512

// Indexes are those of a queue of one giver and one taker. There are no locks
// and no read-modify-writes; each side writes its own index and reads the
// other's, once for many slots.
type indexes struct {
	_     [cacheLine]byte
	given atomic.Uint64 // slots ever filled and shown. writer: giver; reader: taker
	_     [cacheLine - 8]byte
	taken atomic.Uint64 // slots ever emptied. writer: taker; reader: giver
	_     [cacheLine - 8]byte

	put  uint64 // slots ever filled. giver's own
	free uint64 // put may go up to here: as last seen. giver's own
	_    [cacheLine - 16]byte
}

// room tells the giver of a queue of size slots whether the next one, put, is
// its to fill. The taker does not see it before show.
func (x *indexes) room(size uint64) bool {
	if x.put == x.free {
		x.free = x.taken.Load() + size
	}
	return x.put != x.free
}

// show lets the taker see what was given.
func (x *indexes) show() {
	if x.given.Load() != x.put {
		x.given.Store(x.put)
	}
}

// waiting returns how many slots are the taker's.
func (x *indexes) waiting() int { return int(x.given.Load() - x.taken.Load()) }

// drop gives the first n of the taker's slots back.
func (x *indexes) drop(n int) { x.taken.Store(x.taken.Load() + uint64(n)) }

// A ring carries frames from one core to one other.
type ring struct {
	indexes
	asleep atomic.Bool // the taker looks here no more until the bell rings. writer: taker; reader: giver
	bell   *bell       // the taker's
	giver  int
	_      [cacheLine - 24]byte
	looks  int // in a row that found nothing. taker's own
	_      [cacheLine - 8]byte
	slots  [RingFrames]handover // those from taken to given are the taker's, the rest the giver's
}

// newRing makes the ring of a core to the one with the given bell, asleep.
func newRing(giver int, taker *bell) *ring {
	r := &ring{bell: taker, giver: giver}
	r.asleep.Store(true)
	return r
}

// A handover is a frame that another core goes on with.
type handover struct {
	frame *pmd.Frame
	passage
}

// A passage is how a frame came to the core that has it.
type passage struct {
	value fib.Value // what the flow's core chose, of a decided first fragment
	port  uint8     // that it was received on
	marks uint8
}

// Marks of a passage, and of the item that it becomes.
const (
	steered    = 1 << iota // another core found that it belongs here: it is not handed over again for that
	redirected             // another node found that it belongs here: it is not sent to another again
	decided                // a first fragment whose backend its flow's core chose
	upward                 // for the kernel, as it is
	first                  // of an item: a first fragment, which joins its datagram behind track
	quoting                // of an item: an ICMP error about its flow
)

// give fills a slot and tells whether there was one. The taker does not see it
// before show.
func (r *ring) give(f *pmd.Frame, p passage) bool {
	if !r.room(RingFrames) {
		return false
	}
	s := &r.slots[r.put%RingFrames]
	s.set(f)
	s.passage = p
	r.put++
	return true
}

// show lets the taker see what was given, and wakes it if need be.
func (r *ring) show() {
	r.indexes.show()
	if r.asleep.Load() {
		r.bell.ring(r.giver)
	}
}

// at returns the i-th of the waiting frames, to the taker.
func (r *ring) at(i int) *handover { return &r.slots[(r.taken.Load()+uint64(i))%RingFrames] }
