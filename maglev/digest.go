package maglev

// digestVersion begins every digest. It changes when, and only when, the same
// members and size no longer give the same table: "maglev01".
const digestVersion = 0x6d61676c65763031

// digestOf condenses a table: the version, the size, the number of members,
// for each member both words of its name and its reduced weight, then the
// slots, four to a word, the first in the lowest 16 bits, zeros after the last.
// Slots follow from the rest; that they are in it is what makes equal digests
// say that two builds of this code, or two implementations, agree.
func digestOf(names []name, weights []uint32, slots []uint16) uint64 {
	d := digest(digestVersion)
	d = d.add(uint64(len(slots))).add(uint64(len(names)))
	for i, n := range names {
		d = d.add(n.hi).add(n.lo).add(uint64(weights[i]))
	}
	for ; len(slots) >= 4; slots = slots[4:] {
		d = d.add(uint64(slots[0]) | uint64(slots[1])<<16 | uint64(slots[2])<<32 | uint64(slots[3])<<48)
	}
	var last uint64
	for i, s := range slots {
		last |= uint64(s) << (16 * i)
	}
	return mix(uint64(d.add(last)))
}

type digest uint64

// add absorbs a word by a bijection of the state, so that tables which differ
// in one word never collide.
func (d digest) add(word uint64) digest {
	x := (uint64(d) ^ word) * 0x9e3779b97f4a7c15
	return digest(x ^ x>>32)
}
