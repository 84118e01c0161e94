package health

import (
	"slices"
	"time"
)

// Bounds are the upper bounds of a Histogram's buckets, but for the last, which
// has none. It is read only.
var Bounds = [...]time.Duration{
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// A Histogram counts times.
type Histogram struct {
	Counts [len(Bounds) + 1]uint64 // those up to each bound and above the one before; not cumulative
	Sum    time.Duration           // of all
}

// Count is how many times were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

func (h *Histogram) observe(d time.Duration) {
	i, _ := slices.BinarySearch(Bounds[:], d)
	h.Counts[i]++
	h.Sum += d
}

// A measure is what is kept for all targets of one check.
type measure struct {
	answers Histogram
	uses    int // entries
}
