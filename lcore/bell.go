package lcore

import (
	"math/bits"
	"sync/atomic"
)

// MaxCores is how many cores a group can have: as many lcores as DPDK is commonly built for.
const MaxCores = 128

// A coreSet is a set of cores, by index.
type coreSet [MaxCores / 64]uint64

func (s *coreSet) add(core int)    { s[core/64] |= 1 << (core % 64) }
func (s *coreSet) remove(core int) { s[core/64] &^= 1 << (core % 64) }

// pop takes one core out of the set; ok is false where there is none.
func (s *coreSet) pop() (core int, ok bool) {
	for i, word := range s {
		if word != 0 {
			s[i] &= word - 1
			return 64*i + bits.TrailingZeros64(word), true
		}
	}
	return 0, false
}

// A bell is how others wake a core's interest in their rings.
//
// Most cores never hand anything to most others, and with 64 of them one would look into
// 63 rings a turn for nothing. So a ring in which nothing came for a while is asleep: its taker
// looks there no more, and its giver rings the taker's bell when it gives again. That takes a
// locked instruction; what goes through a ring that is awake takes none.
type bell struct {
	_    [cacheLine]byte
	rung [MaxCores / 64]atomic.Uint64 // a bit for each giver. writers: givers set, the taker clears
	_    [cacheLine]byte
}

// ring says that the given core has given something.
func (b *bell) ring(core int) {
	if word, bit := &b.rung[core/64], uint64(1)<<(core%64); word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// answer returns who has rung since the last answer.
func (b *bell) answer() (by coreSet) {
	for i := range b.rung {
		if b.rung[i].Load() != 0 {
			by[i] = b.rung[i].Swap(0)
		}
	}
	return by
}

// restAfterLooks is how many looks in a row find nothing before a ring is put to sleep: the
// turns of a millisecond or two, if all others are full.
const restAfterLooks = 1024

// wake has this core look into the rings of those who rang.
func (w *Worker) wake() {
	rang := w.bell.answer()
	for {
		core, ok := rang.pop()
		if !ok {
			return
		}
		w.from[core].asleep.Store(false)
		w.awake.add(core)
	}
}

// nothing notes that the taker found nothing in a ring. It tells whether to look there no more.
func (r *ring) nothing() bool {
	if r.looks++; r.looks < restAfterLooks {
		return false
	}
	r.looks = 0
	r.asleep.Store(true)
	if r.waiting() == 0 { // whoever gives from now on sees that it sleeps
		return true
	}
	r.asleep.Store(false)
	return false
}
