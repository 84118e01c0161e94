//go:build amd64

package foreign

import "unsafe" // words and pointers as a test has them

// try is Call with words that stand for pointers.
func (s *Stack) try(fn []byte, a, b, c uintptr) (uintptr, bool) {
	return call(s.top, unsafe.Pointer(unsafe.SliceData(fn)), *(*unsafe.Pointer)(unsafe.Pointer(&a)), *(*unsafe.Pointer)(unsafe.Pointer(&b)), c) // nobody follows them
}

// load calls a function that reads the word.
func (s *Stack) load(fn []byte, word *uint64) uint64 {
	result, _ := s.Call(unsafe.Pointer(unsafe.SliceData(fn)), unsafe.Pointer(word), nil, 0) // a pointer all the way
	return uint64(result)
}
