package main

import "golang.org/x/sys/unix"

// threadTime is the processor time that this thread has had, in nanoseconds.
// A poll loop never waits, so on a quiet machine that is the time on the wall;
// on a shared one it is steadier.
func threadTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // Linux has that clock
	}
	return t.Nano()
}
