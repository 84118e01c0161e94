package maglev

import "math/bits"

// # How the slots are filled
//
// The paper's loop is: the member whose turn it is walks its permutation to
// the first slot that is still empty, and takes it; until none is empty. That
// probes a slot about size*ln(size) times, at random, and every look is a
// branch that nothing can predict.
//
// What follows fills exactly the same table faster, on two observations.
//
//  1. Only *taking* has to be in turn. A slot once taken stays taken, so a
//     permutation may be moved past taken slots at any time, for any number of
//     members in any order, and nothing about the outcome changes.
//  2. When few slots are left, it is cheaper to ask each of them how many
//     steps away it is (one multiplication, see gauge) than to walk until one
//     is met. From sqrt(size) slots on, that is half of all probes.
//
// So there are three stages, by the number of slots left:
//
//	size .. size/8        advance a batch of members past taken slots without
//	                      branching, then take in turn (take finds nearly all
//	                      members standing on an empty slot)
//	size/8 .. sqrt(size)  walk on four legs at once (seek)
//	sqrt(size) .. 0       compare all that are left (finish)
//
// Taken slots are kept as bits, which stay in the first- or second-level cache
// when the table itself does not. The walks themselves are in walk.go.

// batch is how many turns are advanced together: many enough that the odd
// member that is not there yet costs little, few enough for the first-level
// cache.
const batch = 256

// fill sets every slot to the ordinal of its member. Turns are taken as listed
// in turns, round and round; perms are the members' permutations, and used up.
// The number of slots is prime and perms are of that size.
func fill(perms []permutation, turns, slots []uint16) {
	f := filler{
		perms: perms, turns: turns, slots: slots,
		taken: make([]uint64, (len(slots)+63)/64),
		left:  len(slots),
	}
	size := len(slots)
	few := 1 << (bits.Len(uint(size)) / 2) // about sqrt(size)

	f.until(size*7/8, f.take)
	f.until(size/8, func(members []uint16) { f.advance(members); f.take(members) })
	f.until(few, f.seek)
	f.rest = f.empty()
	f.until(0, f.finish)
}

type filler struct {
	perms []permutation
	turns []uint16 // ordinals
	turn  int      // index in turns of who is next
	slots []uint16
	taken []uint64 // one bit a slot
	left  int      // slots not taken
	rest  []uint64 // those slots, for finish only
}

// until has the stage give a slot to each of the members whose turns are next,
// batch by batch, until so many slots are left.
func (f *filler) until(left int, stage func(members []uint16)) {
	for f.left > left {
		n := min(batch, len(f.turns)-f.turn, f.left-left)
		stage(f.turns[f.turn : f.turn+n])
		f.left -= n
		if f.turn += n; f.turn == len(f.turns) {
			f.turn = 0
		}
	}
}

// advance moves most members to a slot that is empty as of now. Members still
// on a taken slot are listed and tried again, until the rest is not worth it.
func (f *filler) advance(members []uint16) {
	var lists [batch]uint16
	enough := len(members) / 8
	for n := len(members); n > enough; members = lists[:n] {
		n = advanceOnce(f.perms, &lists, members, f.taken, uint32(len(f.slots)))
	}
}

// take lets members take their slots in turn.
func (f *filler) take(members []uint16) { takeEach(f.perms, members, f.slots, f.taken) }

// seek is take for when the way to an empty slot is long.
func (f *filler) seek(members []uint16) {
	perms, slots, taken := f.perms, f.slots, f.taken
	size := uint32(len(slots))
	for _, m := range members {
		p := &perms[m]
		at := firstEmpty(taken, p.next, p.back, size)
		taken[at/64] |= 1 << (at % 64)
		slots[at] = m
		p.next = step(at, p.back, size)
	}
}

// empty returns the slots that are not taken.
func (f *filler) empty() []uint64 {
	rest := make([]uint64, 0, f.left)
	for i, word := range f.taken {
		for empty := ^word; empty != 0; empty &= empty - 1 {
			if s := i*64 + bits.TrailingZeros64(empty); s < len(f.slots) {
				rest = append(rest, uint64(s))
			}
		}
	}
	return rest
}

// finish gives each member the slot in rest that is nearest on its walk. It
// leaves permutations and taken as they are: nothing comes after it.
func (f *filler) finish(members []uint16) {
	size, rest := uint32(len(f.slots)), f.rest
	for _, m := range members {
		p := f.perms[m]
		g := p.gauge(size)
		from := uint64(p.next) * g
		nearest, which := ^uint64(0), 0
		for i, s := range rest {
			if way := s*g - from; way < nearest {
				nearest, which = way, i
			}
		}
		f.slots[rest[which]] = m
		last := len(rest) - 1
		rest[which] = rest[last]
		rest = rest[:last]
	}
	f.rest = rest
}
