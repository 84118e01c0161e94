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

// A marking is what is to be known of the entries of one mark: two words that lie
// side by side for the packet path.
type marking struct {
	timeout Tick
	flip    uint32 // what a packet that is Data flips in the mark
}

// A packet does not write to its flow's entry unless there is news: it changes the
// state, or the stamp is a 64th of the timeout old. With more flows than the caches
// hold, a line that is only read costs half of what one does that must go back to
// memory. For this, entries live a 64th longer than their timeouts say.
const renewals = 64

// byMark returns the timeouts in ticks, rounded up, and the flips, by mark.
func (o *Timeouts) byMark() (marks [1 << markBits]marking, err error) {
	for mark := range marks {
		marks[mark].flip = change(uint32(mark), Data)
	}
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
			return marks, fmt.Errorf("conntrack: timeout of %s is %v, want more than 0 and at most %v", e.name, e.timeout, MaxTimeout)
		}
		for _, s := range e.states {
			timeout := Ticks(int64(e.timeout + 1<<tickShift - 1))
			marks[uint32(e.class)<<classShift|uint32(s)].timeout = timeout + timeout/renewals
		}
	}
	return marks, nil
}

// byAge returns from which age on a stamp is renewed, by mark: at once where any
// packet may be news.
func byAge(marks *[1 << markBits]marking) (renew [1 << markBits]Tick) {
	for mark, m := range marks {
		if m.flip == 0 {
			renew[mark] = m.timeout / (renewals + 1)
		}
	}
	return renew
}

// current tells whether a packet that does not change the state leaves a stamp as
// it is: then it is not past the timeout either. A stamp of the future, of another
// core's clock, is not.
func (t *Table) current(mark, stamp uint32, now Tick) bool {
	return now-Tick(stamp) < t.renew[mark&markMask]
}

// expired tells whether an entry of that mark and stamp is past its timeout.
func (t *Table) expired(mark, stamp uint32, now Tick) bool {
	return now.since(Tick(stamp)) >= int32(t.marks[mark&markMask].timeout)
}
