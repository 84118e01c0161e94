package engine

import "guideway/pmd"

// A Pace says how many packets are due by the time. Behind its schedule it lets
// packets go in whole bursts until it has caught up; but what it is behind by
// more than forgiveAfter it forgets, so that a stall of the machine does not
// become a flood afterwards.
type Pace struct {
	rate float64 // packets a nanosecond; 0: as many as go
	due  float64
	last int64 // when due was as it is; 0: never
	lag  int64

	// Forgiven is how many packets the schedule forgot.
	Forgiven uint64
}

// forgiveAfter is in nanoseconds.
const forgiveAfter = 10_000_000

// NewPace returns the pace of a number of packets a second; 0: as many as go.
func NewPace(perSecond float64) Pace { return Pace{rate: perSecond / 1e9} }

// Due returns how many packets are due now, at most a burst of them.
func (p *Pace) Due(now int64) int {
	if p.rate == 0 {
		return pmd.MaxBurst
	}
	if p.last == 0 {
		p.last = now
	}
	p.due += float64(now-p.last) * p.rate
	p.last = now
	if most := max(p.rate*forgiveAfter, pmd.MaxBurst); p.due > most {
		p.Forgiven += uint64(p.due - most)
		p.due = most
	}
	p.lag = int64(p.due / p.rate)
	return min(int(p.due), pmd.MaxBurst)
}

// Spent takes packets that were sent off what is due.
func (p *Pace) Spent(packets int) {
	if p.rate != 0 {
		p.due -= float64(packets)
	}
}

// Lag returns by how many nanoseconds the packets that were last due were late.
func (p *Pace) Lag() int64 { return p.lag }
