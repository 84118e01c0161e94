// Package foreign calls short functions of C without Go's scheduler hearing of it.
//
// A call by cgo tells the scheduler that the thread is away, finds the thread's own
// stack, and tells it on return: some 30 ns, twice for a burst. A poll loop's thread serves one goroutine and keeps its processor
// whatever it calls, so nobody gains by being told. What is left of the call is a
// stack for C: goroutines' stacks are too small for it.
//
// While the function runs, its thread cannot be stopped for the garbage collector:
// it has to be short, and not wait in the kernel. It must not call Go. Signals are
// handled as ever, on the stack that Go's runtime has for them; a profile names what
// it meets there external code.
package foreign

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A Stack is memory for C to run on. It belongs to the goroutine that calls first: no
// other can then be in C on it, and to see that costs a comparison. At its top is a word
// that tells whose it is.
type Stack struct {
	memory []byte
	top    uintptr
}

// Size of a stack. Drivers' burst functions take some KiB of it; it costs the
// memory that is touched.
const (
	size  = 256 << 10
	guard = 64 << 10 // at its end, which nobody can touch: no page is larger than that
	front = 256      // above what C takes, with that word: who looks for a caller's frame there finds no address
)

// NewStack makes a stack.
func NewStack() (*Stack, error) {
	memory, err := unix.Mmap(-1, 0, guard+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_STACK|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("foreign: no memory for a stack: %w", err)
	}
	if err := unix.Mprotect(memory[:guard], unix.PROT_NONE); err != nil {
		return nil, fmt.Errorf("foreign: no guard for a stack: %w", errors.Join(err, unix.Munmap(memory)))
	}
	return &Stack{memory: memory, top: address(memory) + guard + size - front}, nil
}

// Delete gives the memory back. The Stack is not to be used any more.
func (s *Stack) Delete() error { return unix.Munmap(s.memory) }
