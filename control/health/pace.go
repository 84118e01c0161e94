package health

import (
	"fmt"
	"hash/fnv"
	"math/bits"
	"net/netip"
	"time"
)

// Jitter is a sixteenth of the interval, added to it: what beats in time with
// the probes, at the target or on the way, does not stay with them.
const jitterShift = 4

// breath is the shortest time between two turns of the loop. What is due in
// between goes out together, so that many targets cost few wake-ups.
const breath = time.Millisecond

// A pace spreads the probes of one target over time. It is a function of
// target, check and source alone, so a restarted node keeps its pace, and two nodes
// that probe the same target do not beat together.
type pace uint64

func newPace(t Target) pace {
	h := fnv.New64a()
	for _, a := range []netip.Addr{t.Addr, t.Source} {
		b := a.As16()
		h.Write(b[:])
	}
	if t.Check != (Check{}) || t.VIP.IsValid() {
		fmt.Fprint(h, t.VIP, t.Check)
	}
	return pace(h.Sum64())
}

// phase is when the first probe goes, from 0 to less than the interval.
func (p pace) phase(interval time.Duration) time.Duration { return p.part(0, interval) }

// gap is the time from probe number round to the next: the interval, and up to
// a sixteenth more.
func (p pace) gap(round uint64, interval time.Duration) time.Duration {
	return interval + p.part(round, interval>>jitterShift)
}

// part is an even part of d, from 0 to less than it.
func (p pace) part(round uint64, d time.Duration) time.Duration {
	// The finalizer of SplitMix64 makes neighbouring rounds unlike.
	x := uint64(p) + round*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	part, _ := bits.Mul64(x^x>>31, uint64(d))
	return time.Duration(part)
}

// patience is for how long a verdict stands without a result: for longer than
// it takes to find a target down, so that only a fault of ours lasts as long.
func (t Target) patience() time.Duration {
	gap := t.Interval + t.Interval>>jitterShift
	return time.Duration(t.Fall+1)*gap + t.Timeout
}
