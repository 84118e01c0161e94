//go:build !amd64

package foreign

import "unsafe" // pointers that pass through

// Supported tells whether there is a Call for this processor.
const Supported = false

// Call is not to be called.
func (s *Stack) Call(fn, a, b unsafe.Pointer, c uintptr) (result uintptr, ok bool) { // it looks at none
	panic("foreign: not for this processor")
}
