// Package prefetch asks the processor for cache lines ahead of their use.
//
// The packet path works in stages over a burst; each stage ends by prefetching
// what the next one reads, so that the memory's latency is spent once for a
// burst and not once for a packet. Go has no prefetch outside its runtime,
// so this is an assembly stub; it takes a whole burst, because the call costs
// as much as several prefetches.
package prefetch

// Max is the largest number of addresses that one call takes.
const Max = 64

// Lines prefetches the cache lines of addrs[:n], n <= Max, into all levels of
// the cache. Addresses need not be valid: a prefetch never faults.
func Lines(addrs *[Max]uintptr, n int) {
	if uint(n) > Max {
		n = Max
	}
	lines(addrs, n)
}

// Line prefetches one cache line, where there is no burst of them.
func Line(addr uintptr) { line(addr) }
