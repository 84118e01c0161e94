// Package timeslice keeps Go's scheduler from asking poll loops to give way.
//
// The scheduler asks a goroutine that has run for 10 ms, so that others get its
// processor. A loop that is locked to its thread has its processor (one of GOMAXPROCS)
// for itself, if there are enough of them, but is asked nevertheless: it hands its processor to another thread,
// which finds nothing else to do and hands it back. Two threads are woken for that, and a
// poll loop is away for tens of microseconds, some 40 times a second.
//
// How long a goroutine has run, the scheduler tells by a counter of the processor that
// goes on with each goroutine that it gets. [Renew] makes it go on. That counter is where
// it is in one release of Go; with others, and where the look at startup does not find what
// it expects, Renew does nothing, and loops are asked as ever. The collector's
// requests come another way, and are always heeded.
package timeslice

// known tells that the counter is where renew makes it go on.
var known = find()

// Known tells whether Renew does something.
func Known() bool { return known }

// Renew begins a new time slice for the goroutine that calls. One that calls it each 10 ms
// or more often keeps its processor: there have to be more processors than such goroutines.
func Renew() {
	if known {
		renew()
	}
}
