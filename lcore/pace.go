package lcore

import "time"

// pace keeps the time of a core: how long turns take, how many found work, and
// when to rest. All times are a Burst's nanoseconds.
type pace struct {
	last       int64 // the previous poll, or when the rest after it was to end; 0: there was none
	lastBusy   bool  // it found something
	turns      uint64
	emptyTurns uint64
	busy, free int64 // time in turns that found something, and that did not
	gap        int64 // longest time between two polls since the last report
	empty      int   // turns in a row that found nothing
	keptHouse  int64 // last housekeeping
}

// polled notes a poll at the time now.
func (p *pace) polled(now int64) {
	if p.last != 0 {
		d := max(now-p.last, 0) // a signal ends a rest early
		if p.lastBusy {
			p.busy += d
		} else {
			p.free += d
		}
		if d > p.gap {
			p.gap = d
		}
	}
	p.last = now
}

// turned notes the end of a turn that received n frames.
func (p *pace) turned(n int) {
	p.turns++
	p.lastBusy = n != 0
	if n == 0 {
		p.emptyTurns++
		p.empty++
	} else {
		p.empty = 0
	}
}

// Idling: after restAfter empty turns in a row a core rests for restFirst, and
// longer each time until restMax. restMax bounds the delay of a packet that
// comes after a pause; a ring of 512 descriptors holds 1 Mpps for that long.
const (
	restAfter = 256
	restFirst = 10 * time.Microsecond
	restMax   = 500 * time.Microsecond
)

// rest returns how long to rest now; 0: not at all.
func (p *pace) rest() time.Duration {
	if p.empty < restAfter {
		return 0
	}
	return min(restFirst*time.Duration(p.empty-restAfter+1), restMax)
}

// rested notes that the core was away by its own will for d: no gap, no work, and
// the time counts as free. Whatever it was away for beyond that counts as ever.
func (p *pace) rested(d time.Duration) {
	p.last += int64(d)
	p.free += int64(d)
}
