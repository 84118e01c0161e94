//go:build go1.26 && !go1.27 && linux && amd64

package timeslice

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// find looks whether the runtime's structures are as renew takes them to be.
func find() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Where the processor changes in between, or others have it, that says nothing.
	for range 100 {
		p, ok := processor()
		if !ok {
			continue
		}
		before := tick(p)
		renew()
		renewed := tick(p)
		runtime.Gosched()
		q, ok := processor()
		if ok && q == p && renewed == before+1 && tick(q) == renewed+1 {
			return true
		}
	}
	return false
}

// processor returns the address of the caller's, if all that leads there is in order.
func processor() (p uintptr, ok bool) {
	self, m, current, thread, p := look()
	if current != self || thread != uint64(unix.Gettid()) || p == 0 {
		return 0, false
	}
	owner, status := lookAt(p)
	const running = 1
	return p, owner == m && status == running
}

// look returns the goroutine, its thread, and what that says: its goroutine, its
// number, its processor.
func look() (self, m, current uintptr, thread uint64, p uintptr)

// lookAt returns what a processor says: its thread and its state.
func lookAt(p uintptr) (m uintptr, status uint32)

// tick returns a processor's counter.
func tick(p uintptr) uint32

// renew makes the counter of the caller's processor go on.
func renew()
