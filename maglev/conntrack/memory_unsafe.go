package conntrack

import "unsafe" // bytes seen as lines, and the address to prefetch

// newMemory returns zeroed memory for n lines, aligned to a line.
func newMemory(n int) []byte {
	return aligned(make([]byte, (n+1)*lineBytes))[:n*lineBytes]
}

// aligned returns b from the first byte that is at a multiple of a line.
func aligned(b []byte) []byte {
	return b[-uintptr(unsafe.Pointer(unsafe.SliceData(b)))%lineBytes:] // a number; the collector does not move what it was taken from
}

// cast returns the first n lines of memory, which is long enough and aligned
// to a word at least, and their address. The lines keep the memory alive if it
// is Go's; else its owner does, as Config.Memory demands.
func cast(memory []byte, n int) ([]line, uintptr) {
	p := unsafe.Pointer(unsafe.SliceData(memory))  // lives as long as the lines made from it
	return unsafe.Slice((*line)(p), n), uintptr(p) // n lines are within memory and hold no pointers; the number never becomes one again
}
