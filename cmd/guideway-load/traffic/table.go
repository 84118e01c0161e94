package traffic

import "math/bits"

// A key is an address, and what else tells entries of a table apart.
type key struct {
	hi, lo uint64
	rest   uint32
}

func (k key) hash() uint64 {
	hi, lo := bits.Mul64(k.lo^0x9e3779b97f4a7c15, k.hi^uint64(k.rest)<<32^0xbf58476d1ce4e5b9)
	return hi ^ lo
}

// A table is a map of keys to numbers that is asked once for each packet: a hash
// table with linear probing, never more than half full.
type table struct {
	slots []tableSlot
	mask  uint64
	used  int
}

type tableSlot struct {
	key   key
	value int32 // plus one; 0: free
}

// init makes room for n keys.
func (t *table) init(n int) {
	size := 1 << bits.Len(uint(2*n))
	t.slots, t.mask = make([]tableSlot, size), uint64(size-1)
}

// find returns the number of a key, -1 if it has none.
func (t *table) find(k key) int {
	for i := k.hash(); ; i++ {
		s := &t.slots[i&t.mask]
		if s.value == 0 || s.key == k {
			return int(s.value) - 1
		}
	}
}

// add gives a key that is not there a number. It reports false, and does nothing,
// where there is no room for it.
func (t *table) add(k key, value int) bool {
	if 2*(t.used+1) > len(t.slots) {
		return false
	}
	i := k.hash()
	for t.slots[i&t.mask].value != 0 {
		i++
	}
	t.slots[i&t.mask] = tableSlot{k, int32(value) + 1}
	t.used++
	return true
}
