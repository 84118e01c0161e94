//go:build amd64

package foreign

import "unsafe" // pointers that pass through

// Supported tells whether there is a Call for this processor.
const Supported = true

// Call calls the function of C at fn with up to three arguments of a word each, and
// returns what it returns; or it calls nothing, and is not ok, because the stack is
// another goroutine's. What a and b point to stays where it is, and alive, until then.
func (s *Stack) Call(fn, a, b unsafe.Pointer, c uintptr) (result uintptr, ok bool) { // these are pointers all the way
	return call(s.top, fn, a, b, c)
}

// call is in assembly.
//
//go:noescape
func call(top uintptr, fn, a, b unsafe.Pointer, c uintptr) (result uintptr, ok bool) // likewise
