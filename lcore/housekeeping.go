package lcore

import "guideway/maglev/conntrack"

// housekeepingPeriod is the time between two rounds of ageing, in nanoseconds. Go's
// scheduler lets a goroutine run for ten times that.
const housekeepingPeriod = 1 << 20

// ageingRounds is how many rounds a walk over the whole connection table
// takes: about half a minute. An expired entry is never used, however long it
// takes to be collected; the walk keeps the count of entries honest.
const ageingRounds = 32768

// housekeep does what is due between bursts. received is what the turn found.
func (w *Worker) housekeep(received int) {
	w.pace.turned(received)
	if r := w.mail.ask.Load(); r != w.answered {
		w.complete()
		w.answered = r
		w.fill(r)
		r.done.Store(true)
	}
	if q := w.mail.query.Load(); q != w.asked {
		w.asked = q
		w.answerQuery(q)
	}
	if now := w.now; now-w.pace.keptHouse >= housekeepingPeriod {
		w.complete()
		w.pace.keptHouse = now
		if w.stay != nil {
			w.stay()
		}
		w.expire()
		w.conntrack.Age(conntrack.Ticks(now), w.conntrack.Lines()/ageingRounds+1)
	}
	if received == 0 && w.idle != nil {
		if d := w.pace.rest(); d != 0 {
			w.idle(d)
			w.pace.rested(d)
		}
	}
}
