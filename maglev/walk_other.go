//go:build !amd64

package maglev

func advanceOnce(perms []permutation, list *[batch]uint16, members []uint16, taken []uint64, size uint32) int {
	return advanceInGo(perms, list, members, taken, size)
}

func takeEach(perms []permutation, members, slots []uint16, taken []uint64) {
	takeInGo(perms, members, slots, taken)
}

func firstEmpty(taken []uint64, a, back, size uint32) uint32 {
	return firstEmptyInGo(taken, a, back, size)
}
