package maglev

import "math/bits"

// A permutation is a member's order of preference over the slots:
// offset, offset+skip, offset+2*skip, ... modulo the size [3.4]. As the size is
// prime and skip is in 1..size-1, it meets every slot once before it comes
// round. The walk is never written out; this is where it stands.
type permutation struct {
	next uint32 // the slot to try next; all earlier ones are taken
	back uint32 // size - skip, so that a step is a subtraction that may borrow
}

// permute returns the permutation of the member with the given name.
func permute(n name, size uint32) permutation {
	m := uint64(size)
	return newPermutation(
		uint32(n.hash(seedOffset)%m),
		uint32(n.hash(seedSkip)%(m-1))+1,
		size)
}

func newPermutation(offset, skip, size uint32) permutation {
	return permutation{next: offset, back: size - skip}
}

// step returns the slot after slot on a walk that goes back by back, which is
// forward by size-back. It does not branch: whether a walk wraps is as random
// as the walk. Sizes stay below 2^31, so that the sign tells.
func step(slot, back, size uint32) uint32 {
	d := slot - back
	return d + size&uint32(int32(d)>>31)
}

// stride returns the back of a walk that takes two steps of back at once.
func stride(back, size uint32) uint32 {
	return step(back, size-back, size)
}

// gauge returns a multiplier g such that, for slots s and t of the walk, the
// product (t-s)*g modulo 2^64 grows with the number of steps from s to t.
//
// From s to t it is j = (t-s)/skip steps modulo size. With the inverse of skip,
// j/size is the fraction of (t-s)*inverse/size, and g is inverse/size in 64-bit
// fixed point, where wrapping around drops the whole part. Rounding g down
// errs by less than size in the product, and j one apart are 2^64/size apart,
// which is more than twice that for every size below 2^31.
func (p permutation) gauge(size uint32) uint64 {
	g, _ := bits.Div64(uint64(inverse(size-p.back, size)), 0, uint64(size))
	return g
}

// inverse returns x with a*x = 1 modulo the prime m, for a in 1..m-1, by the
// extended Euclidean algorithm.
func inverse(a, m uint32) uint32 {
	r, s := m, a
	x, y := int64(0), int64(1) // r = a*x and s = a*y, modulo m
	for s != 0 {
		q := r / s
		r, s = s, r-q*s
		x, y = y, x-int64(q)*y
	}
	if x < 0 {
		x += int64(m)
	}
	return uint32(x)
}
