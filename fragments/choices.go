package fragments

import "guideway/maglev/flow"

// none ends a chain or a list of indices.
const none = ^uint32(0)

// spoiled is a front that every piece overlaps: offsets end below it.
const spoiled = 1<<16 - 1

// A choice is what was decided about a datagram whose first fragment came. It
// is a cache line, and without pointers.
type choice struct {
	key   flow.Key // Piece.Key
	until int64    // remembered until then
	next  uint32   // in the chain of its bucket
	value uint32   // the caller's
	ports uint32   // of the first fragment
	front uint16   // where the first fragment's data ends, or spoiled
	proto uint8    // of the first fragment
	used  bool     // false: a hole
}

// choices remembers so many choices, the latest. They lie in a ring in the
// order in which they were made, and the next one takes the place of the
// oldest, timed out or not. So a choice can always be remembered, and how many
// there are a second limits only for how long.
type choices struct {
	ring    []choice
	buckets []uint32 // by hash: index in ring of the first of a chain
	seed    *flow.Seed
	oldest  uint32 // index in ring
	span    uint32 // places from oldest on that are choices, or holes
	count   int    // choices
}

func newChoices(n int, seed *flow.Seed) choices {
	return choices{ring: make([]choice, n), buckets: newBuckets(n), seed: seed}
}

// newBuckets returns empty buckets for n keys: at least two each, so that most
// chains are of one.
func newBuckets(n int) []uint32 {
	b := make([]uint32, bucketCount(n))
	for i := range b {
		b[i] = none
	}
	return b
}

// bucketCount returns a power of two, so that a hash is masked.
func bucketCount(n int) int {
	count := 2
	for count < 2*n {
		count *= 2
	}
	return count
}

// find returns the choice for a key of hash h that is remembered at the given
// time, or nil. One past its time is forgotten.
func (c *choices) find(k *flow.Key, h uint64, now int64) *choice {
	for i := c.buckets[h&uint64(len(c.buckets)-1)]; i != none; i = c.ring[i].next {
		e := &c.ring[i]
		if e.key != *k {
			continue
		}
		if e.until <= now {
			c.forget(i)
			return nil
		}
		return e
	}
	return nil
}

// add makes a choice for a key of hash h that has none. The caller fills it in.
// early tells whether it took the place of one before its time.
func (c *choices) add(k *flow.Key, h uint64, now int64) (e *choice, early bool) {
	if int(c.span) == len(c.ring) {
		early = c.ring[c.oldest].until > now // a hole is past its time
		c.pop()
	}
	i := c.oldest + c.span
	if i >= uint32(len(c.ring)) {
		i -= uint32(len(c.ring))
	}
	c.span++
	c.count++
	bucket := &c.buckets[h&uint64(len(c.buckets)-1)]
	e = &c.ring[i]
	e.key, e.next, e.used = *k, *bucket, true
	*bucket = i
	return e, early
}

// pop frees the oldest place. There is one.
func (c *choices) pop() {
	if c.ring[c.oldest].used {
		c.forget(c.oldest)
	}
	if c.oldest++; c.oldest == uint32(len(c.ring)) {
		c.oldest = 0
	}
	c.span--
}

// forget makes choice i a hole.
func (c *choices) forget(i uint32) {
	e := &c.ring[i]
	link := &c.buckets[e.key.Hash(c.seed)&uint64(len(c.buckets)-1)]
	for *link != i {
		link = &c.ring[*link].next
	}
	*link = e.next
	e.used = false
	c.count--
}

// expire forgets up to budget of the oldest choices that are past their time.
// Nothing needs it but an honest count.
func (c *choices) expire(now int64, budget int) {
	for ; budget > 0 && c.span > 0; budget-- {
		if c.ring[c.oldest].until > now { // so it is no hole
			return
		}
		c.pop()
	}
}
