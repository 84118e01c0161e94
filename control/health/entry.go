package health

import (
	"fmt"
	"time"
)

// rumourLife is for how long a rumour explains silence. The kernel says that a
// neighbour cannot be resolved every three seconds.
const rumourLife = 5 * time.Second

// An entry is one target at work. Monitor.mu is over all of it.
type entry struct {
	target     Target
	pace       pace
	probe      probe
	generation uint64 // of probe: results of others do not count
	waits      bool   // what probe says of itself
	gone       bool   // not watched any more
	measure    *measure
	verdict    verdict

	round    uint64    // number of the last probe; the first is 1
	due      time.Time // the next probe
	promised time.Time // when that, or the open one, should begin, had nothing put it off
	sent     time.Time // the open probe; zero: none is open
	rumour   error     // why nothing is heard, since the last answer
	rumourAt time.Time
	heard    time.Time // the last result; zero: none that still counts
	wake     time.Time // when the loop has to look at it, or sooner
	index    int       // in the queue

	since   time.Time
	reason  Reason
	err     string
	errAt   time.Time
	latency time.Duration
	late    time.Duration
	counts  Counts
	weight  Weight
	unclear string // what is wrong with the weight
}

// aim sets what to do from now on. An open probe is given up.
func (e *entry) aim(t Target, now time.Time) {
	if e.open() {
		e.counts.Untried++
	}
	e.target, e.pace = t, newPace(t)
	e.sent, e.rumour = time.Time{}, nil
	e.due = now.Add(e.pace.phase(t.Interval))
	e.promised, e.wake = e.due, e.due
}

// inherit takes over what is known of the same question; all of it, if the
// entry that knew it is gone.
func (e *entry) inherit(old *entry) {
	e.verdict, e.since, e.reason, e.heard = old.verdict, old.since, old.reason, old.heard
	e.weight, e.unclear = old.weight, old.unclear
	if old.gone {
		e.err, e.errAt, e.latency, e.counts = old.err, old.errAt, old.latency, old.counts
		if old.open() {
			e.counts.Untried++
		}
	}
}

// open says whether a probe is.
func (e *entry) open() bool { return !e.sent.IsZero() }

// begin opens the next round.
func (e *entry) begin(now time.Time) {
	e.round++
	e.counts.Probes++
	if !e.waits {
		e.late = max(now.Sub(e.promised), 0)
	}
	e.clock(now)
}

// turn is when a round that had to wait really begins.
func (e *entry) turn(now time.Time) {
	e.late = max(now.Sub(e.promised), 0)
	e.clock(now)
}

// clock sets the times of a round that begins.
func (e *entry) clock(now time.Time) {
	e.sent = now
	// Counted from now, so that no probe overtakes the one before.
	e.due = now.Add(e.pace.gap(e.round, e.target.Interval))
}

// missed says that a whole interval was missed: the process did not run. If all
// targets went on at once their probes would be one burst.
func (e *entry) missed(now time.Time) bool { return now.Sub(e.due) > e.target.Interval }

// overdue says whether the open probe is out of time.
func (e *entry) overdue(now time.Time) bool {
	return !e.waits && e.open() && now.Sub(e.sent) >= e.target.Timeout
}

// next is when something is due, if nothing is heard until then.
func (e *entry) next() time.Time {
	if e.open() && !e.waits {
		return e.sent.Add(e.target.Timeout)
	}
	return e.due
}

// timeout is the result of an open probe that nothing was heard of.
func (e *entry) timeout(now time.Time) result {
	err := fmt.Errorf("no answer within %v", e.target.Timeout)
	if e.rumour != nil && now.Sub(e.rumourAt) < rumourLife {
		err = fmt.Errorf("%w: %w", err, e.rumour)
	}
	return result{round: e.round, kind: refused, err: err}
}

// take counts a result of the open round, and says how the state changed.
func (e *entry) take(r result, now time.Time) Reason {
	if r.kind == rumoured {
		e.rumour, e.rumourAt = r.err, now
		return Unchanged
	}
	if r.round != e.round || e.sent.IsZero() {
		return Unchanged // of a round that is over
	}
	if r.kind == begun {
		e.turn(now)
		return Unchanged
	}
	e.sent, e.promised = time.Time{}, e.due
	if r.err != nil {
		e.err, e.errAt = r.err.Error(), now
	}
	switch r.kind {
	case answered:
		e.latency, e.rumour = r.latency, nil
		e.weight, e.unclear = r.weight, r.unclear
		e.counts.Answered++
		e.measure.answers.observe(r.latency)
		return e.step(passed, now)
	case refused:
		e.counts.Failed++
		return e.step(failed, now)
	}
	e.counts.Untried++
	return Unchanged
}

// expires is when the verdict, or what leads to one, counts no more; zero if
// there is nothing of the kind.
func (e *entry) expires() time.Time {
	if e.heard.IsZero() {
		return time.Time{}
	}
	// While rounds are late verdicts last longer, or few workers would be no
	// verdicts at all.
	return e.heard.Add(e.target.patience() + time.Duration(e.target.Fall+1)*e.late)
}

func (e *entry) step(in input, now time.Time) Reason {
	e.heard = now
	if in == expired {
		e.heard = time.Time{}
	}
	v, why := e.verdict.step(in, e.target.Rise, e.target.Fall)
	e.verdict = v
	if v.state != Up {
		e.weight, e.unclear = Weight{}, ""
	}
	if why != Unchanged {
		e.since, e.reason = now, why
	}
	return why
}

func (e *entry) status() Status {
	return Status{
		Target: e.target, State: e.verdict.state, Since: e.since, Reason: e.reason,
		Error: e.err, ErrorAt: e.errAt, Latency: e.latency, Late: e.late, Counts: e.counts,
		Weight: e.weight, WeightError: e.unclear,
	}
}

// A queue is a heap of entries, the next to wake first.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].wake.Before(q[j].wake) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
