package fragments

import (
	"guideway/maglev/flow"
	"guideway/pmd"
)

// MaxPieces is how many fragments of one datagram are held at most, so that
// those of a datagram fit a burst. A datagram of 64 KiB has 45 at an MTU of
// 1500.
const MaxPieces = pmd.MaxBurst

// A datagram is one whose first fragment is awaited: it has 1..MaxPieces held
// ones.
type datagram struct {
	key    flow.Key // Piece.Key
	until  int64    // given up then
	next   uint32   // in the chain of its bucket, or in the list of free ones
	older  uint32   // by the arrival of what is held first
	newer  uint32
	last   uint32 // held piece; its next is the first: a ring in order of arrival
	low    uint16 // the lowest offset of the pieces held
	pieces uint8
}

// A held is one fragment that waits.
type held struct {
	frame *pmd.Frame
	size  uint32 // frame.Len()
	next  uint32 // piece of the same datagram, or in the list of free ones
}

// waiting holds later fragments whose first has not come. Datagrams are listed
// by age; as all wait equally long, that is also the order in which they are
// given up. When room is short the oldest go early: what a flood leaves to an
// honest datagram is time, capacity over the rate of the flood, and not a place
// it cannot win.
type waiting struct {
	datagrams []datagram // as many as held: each has one piece at least
	held      []held
	buckets   []uint32 // by hash: index in datagrams of the first of a chain
	seed      *flow.Seed

	freeDatagram, freeHeld uint32 // heads of lists
	oldest, newest         uint32 // datagrams, or none

	count     int // datagrams
	frames    int
	bytes     int
	mostBytes int
}

func newWaiting(n, mostBytes int, seed *flow.Seed) waiting {
	w := waiting{
		datagrams: make([]datagram, n), held: make([]held, n), buckets: newBuckets(n), seed: seed,
		oldest: none, newest: none, mostBytes: mostBytes,
	}
	for i := range uint32(n) {
		w.datagrams[i].next, w.held[i].next = i+1, i+1
	}
	w.datagrams[n-1].next, w.held[n-1].next = none, none
	return w
}

// find returns the index of the datagram of a key of hash h, or none.
func (w *waiting) find(k *flow.Key, h uint64) uint32 {
	i := w.buckets[h&uint64(len(w.buckets)-1)]
	for i != none && w.datagrams[i].key != *k {
		i = w.datagrams[i].next
	}
	return i
}

// short tells whether there is no room for a frame of so many bytes, and of
// what.
func (w *waiting) short(size int) (Decision, bool) {
	switch {
	case w.frames == len(w.held):
		return TooManyHeld, true
	case w.bytes+size > w.mostBytes:
		return TooManyBytes, true
	}
	return Held, false
}

// hold adds f to datagram i, none for a new one. There is room.
func (w *waiting) hold(i uint32, p *Piece, h uint64, f *pmd.Frame, until int64) {
	at := w.freeHeld
	s := &w.held[at]
	w.freeHeld = s.next
	s.frame, s.size = f, uint32(f.Len())
	w.frames++
	w.bytes += int(s.size)
	if i == none {
		w.open(p, h, until)
		d := &w.datagrams[w.newest]
		d.last, d.low, d.pieces = at, p.Offset, 1
		s.next = at
		return
	}
	d := &w.datagrams[i]
	first := w.held[d.last].next
	w.held[d.last].next, s.next, d.last = at, first, at
	d.low = min(d.low, p.Offset)
	d.pieces++
}

// open makes a datagram, the newest.
func (w *waiting) open(p *Piece, h uint64, until int64) {
	i := w.freeDatagram
	d := &w.datagrams[i]
	w.freeDatagram = d.next
	bucket := &w.buckets[h&uint64(len(w.buckets)-1)]
	d.key, d.until, d.next, d.older, d.newer = p.Key, until, *bucket, w.newest, none
	*bucket = i
	if w.newest == none {
		w.oldest = i
	} else {
		w.datagrams[w.newest].newer = i
	}
	w.newest = i
	w.count++
}

// release adds the frames of datagram i to b, in order of arrival, and closes
// it. b has room for them.
func (w *waiting) release(i uint32, b *pmd.Burst) {
	d := &w.datagrams[i]
	at := w.held[d.last].next
	for range d.pieces {
		s := &w.held[at]
		b.Add(s.frame)
		w.bytes -= int(s.size)
		next := s.next
		s.frame, s.next, w.freeHeld = nil, w.freeHeld, at
		at = next
	}
	w.frames -= int(d.pieces)
	w.close(i)
}

// close frees datagram i, which holds nothing any more.
func (w *waiting) close(i uint32) {
	d := &w.datagrams[i]
	link := &w.buckets[d.key.Hash(w.seed)&uint64(len(w.buckets)-1)]
	for *link != i {
		link = &w.datagrams[*link].next
	}
	*link = d.next
	if d.older == none {
		w.oldest = d.newer
	} else {
		w.datagrams[d.older].newer = d.newer
	}
	if d.newer == none {
		w.newest = d.older
	} else {
		w.datagrams[d.newer].older = d.older
	}
	d.pieces, d.next, w.freeDatagram = 0, w.freeDatagram, i
	w.count--
}

// giveUp adds the oldest datagram's frames to drops and returns how many, or
// zero if there is none or drops has no room for all of them.
func (w *waiting) giveUp(drops *pmd.Burst) int {
	if w.oldest == none {
		return 0
	}
	n := int(w.datagrams[w.oldest].pieces)
	if drops.N+n > pmd.MaxBurst {
		return 0
	}
	w.release(w.oldest, drops)
	return n
}
