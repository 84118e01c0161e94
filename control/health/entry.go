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
	target  Target
	pace    pace
	probe   probe
	verdict verdict

	round    uint64    // number of the last probe; the first is 1
	due      time.Time // the next probe
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
	counts  Counts
}

// aim sets what to do from now on. An open probe is given up.
func (e *entry) aim(t Target, now time.Time) {
	if !e.sent.IsZero() {
		e.counts.Untried++
	}
	e.target, e.pace = t, newPace(t.Addr, t.Source)
	e.sent, e.rumour = time.Time{}, nil
	e.due = now.Add(e.pace.phase(t.Interval))
	e.wake = e.due
}

// begin opens the next round.
func (e *entry) begin(now time.Time) {
	e.round++
	e.counts.Probes++
	e.sent = now
	// Counted from now, so that no probe overtakes the one before.
	e.due = now.Add(e.pace.gap(e.round, e.target.Interval))
}

// late says that a whole interval was missed: the process did not run. If all
// targets went on at once their probes would be one burst.
func (e *entry) late(now time.Time) bool { return now.Sub(e.due) > e.target.Interval }

// overdue says whether the open probe is out of time.
func (e *entry) overdue(now time.Time) bool {
	return !e.sent.IsZero() && now.Sub(e.sent) >= e.target.Timeout
}

// next is when something is due, if nothing is heard until then.
func (e *entry) next() time.Time {
	if e.sent.IsZero() {
		return e.due
	}
	return e.sent.Add(e.target.Timeout)
}

// timeout is the result of an open probe that nothing was heard of.
func (e *entry) timeout(now time.Time) result {
	err := fmt.Errorf("no answer in %v", e.target.Timeout)
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
	e.sent = time.Time{}
	if r.err != nil {
		e.err, e.errAt = r.err.Error(), now
	}
	switch r.kind {
	case answered:
		e.latency, e.rumour = r.latency, nil
		e.counts.Answered++
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
	return e.heard.Add(e.target.patience())
}

func (e *entry) step(in input, now time.Time) Reason {
	e.heard = now
	if in == expired {
		e.heard = time.Time{}
	}
	v, why := e.verdict.step(in, e.target.Rise, e.target.Fall)
	e.verdict = v
	if why != Unchanged {
		e.since, e.reason = now, why
	}
	return why
}

func (e *entry) status() Status {
	return Status{
		Target: e.target, State: e.verdict.state, Since: e.since, Reason: e.reason,
		Error: e.err, ErrorAt: e.errAt, Latency: e.latency, Counts: e.counts,
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
