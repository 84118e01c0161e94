package conntrack

import (
	"fmt"
	"time"
)

// A Tick is a time of 2^20 ns (1.05 ms). It wraps after 52 days; what is
// compared is less than half of that apart, because Age comes by more often
// and timeouts are shorter.
type Tick uint32

const tickShift = 20

// MaxTimeout is the longest timeout: 13 days.
const MaxTimeout = 1 << (30 + tickShift) * time.Nanosecond

// Ticks converts a monotonic time in nanoseconds.
func Ticks(nanoseconds int64) Tick { return Tick(nanoseconds >> tickShift) }

// since returns the ticks from then to now. A clock that went back by a little
// makes it negative, not long.
func (now Tick) since(then Tick) int32 { return int32(now - then) }

// byMark returns the timeouts in ticks, rounded up, by mark.
func (o *Timeouts) byMark() (ticks [1 << markBits]Tick, err error) {
	for _, e := range []struct {
		name    string
		class   class
		states  []State
		timeout time.Duration
	}{
		{"TCP new", tcp, []State{Unconfirmed}, o.TCPNew},
		{"TCP established", tcp, []State{Established}, o.TCPEstablished},
		{"TCP closing", tcp, []State{Closing}, o.TCPClosing},
		{"UDP", udp, []State{Unconfirmed, Established, Closing}, o.UDP},
		{"other", sctp, []State{Unconfirmed, Established, Closing}, o.Other},
		{"other", other, []State{Unconfirmed, Established, Closing}, o.Other},
	} {
		if e.timeout <= 0 || e.timeout > MaxTimeout {
			return ticks, fmt.Errorf("conntrack: timeout of %s is %v, want more than 0 and at most %v", e.name, e.timeout, MaxTimeout)
		}
		for _, s := range e.states {
			ticks[uint32(e.class)<<classShift|uint32(s)] = Ticks(int64(e.timeout + 1<<tickShift - 1))
		}
	}
	return ticks, nil
}

// expired tells whether an entry of that mark and stamp is past its timeout.
func (t *Table) expired(mark, stamp uint32, now Tick) bool {
	return now.since(Tick(stamp)) >= int32(t.timeouts[mark&markMask])
}
