package maglev

// advanceOnce is advanceInGo in assembly.
//
//go:noescape
func advanceOnce(perms []permutation, list *[batch]uint16, members []uint16, taken []uint64, size uint32) int

// takeEach is takeInGo in assembly.
//
//go:noescape
func takeEach(perms []permutation, members, slots []uint16, taken []uint64)

// firstEmpty is firstEmptyInGo in assembly.
//
//go:noescape
func firstEmpty(taken []uint64, a, back, size uint32) uint32
