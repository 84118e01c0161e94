package conntrack

import "unsafe" // bytes seen as lines, and the address to prefetch

// newMemory returns zeroed memory for n lines, aligned to a line.
func newMemory(n int) []byte {
	b := make([]byte, (n+1)*lineBytes)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % lineBytes // a number, and the collector does not move what it was taken from
	return b[skip:][:n*lineBytes]
}

// cast returns the first n lines of memory, which is long enough, and their
// address. The lines keep the memory alive if it is Go's; else its owner does,
// as Config.Memory demands.
func cast(memory []byte, n int) ([]line, uintptr) {
	p := unsafe.Pointer(unsafe.SliceData(memory))  // lives as long as the lines made from it
	return unsafe.Slice((*line)(p), n), uintptr(p) // n lines are within memory, line has no pointers; the number never becomes a pointer again
}
