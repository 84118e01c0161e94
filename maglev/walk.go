package maglev

// The loops that take most of filling's time, in Go. amd64 has them in assembly: a
// step's borrow and a slot's bit are flags there, which decide without a branch.
// Members are ordinals of perms, and taken has a bit for each slot.

// advanceInGo moves each member that stands on a taken slot one step, and lists those
// members. The list may be where members are read from: it is never ahead of them.
func advanceInGo(perms []permutation, list *[batch]uint16, members []uint16, taken []uint64, size uint32) int {
	n := uint(0)
	for _, m := range members {
		p := &perms[m]
		at := p.next
		on := step(at, p.back, size)
		list[n%batch] = m
		bit := uint32(taken[at/64]>>(at%64)) & 1
		p.next = at ^ (at^on)&-bit
		n += uint(bit)
	}
	return int(n)
}

// takeInGo lets members take their slots in turn: each the first empty one that it
// meets. There must be as many.
func takeInGo(perms []permutation, members, slots []uint16, taken []uint64) {
	size := uint32(len(slots))
	for _, m := range members {
		p := &perms[m]
		at, back := p.next, p.back
		for taken[at/64]&(1<<(at%64)) != 0 {
			at = step(at, back, size)
		}
		taken[at/64] |= 1 << (at % 64)
		slots[at] = m
		p.next = step(at, back, size)
	}
}

// firstEmptyInGo walks from a to the first slot that is not taken. Four positions
// go on in strides of four, so that no step waits for the one before. There
// must be an empty slot, which the walk then meets, as the size is prime.
func firstEmptyInGo(taken []uint64, a, back, size uint32) uint32 {
	back2 := stride(back, size)
	back4 := stride(back2, size)
	b := step(a, back, size)
	c := step(a, back2, size)
	d := step(b, back2, size)
	for {
		if taken[a/64]&(1<<(a%64)) == 0 {
			return a
		}
		if taken[b/64]&(1<<(b%64)) == 0 {
			return b
		}
		if taken[c/64]&(1<<(c%64)) == 0 {
			return c
		}
		if taken[d/64]&(1<<(d%64)) == 0 {
			return d
		}
		a = step(a, back4, size)
		b = step(b, back4, size)
		c = step(c, back4, size)
		d = step(d, back4, size)
	}
}
