package kernel

import (
	"cmp"
	"slices"
	"time"
)

// The pace of asking. Linux itself asks three times, a second apart, each time
// it is told to, and then gives up.
const (
	firstRetry  = time.Second      // after the first time without answer, doubled each time
	longestWait = 30 * time.Second // between two tries for a neighbour that does not answer
	askRate     = 500              // requests a second, over all neighbours
	askBurst    = 50               // of them at once
)

// A resolver decides which neighbours to ask for, and when. It is a state
// machine per wanted next hop:
//
//	absent, failed   ask, then again after 1, 2, 4 ... 30 s
//	incomplete       the kernel is asking
//	stale            have it confirmed; DELAY and PROBE are the kernel at it
//	reachable        forget past tries
//
// Targets are next hops, not destinations: ten thousand backends behind one
// gateway are one target. Time is an argument.
type resolver struct {
	targets map[target]*progress
	tokens  float64 // of the rate limit
	at      time.Time
	spread  func() float64 // in [0, 1): keeps retries from marching in step
}

type progress struct {
	tries  int       // in vain, since it was last usable
	next   time.Time // not before
	usable bool
}

func newResolver(spread func() float64) *resolver {
	return &resolver{targets: map[target]*progress{}, tokens: askBurst, spread: spread}
}

// aim sets the wanted next hops. Those that stay keep their history.
func (r *resolver) aim(wanted map[target]bool) {
	for t := range r.targets {
		if !wanted[t] {
			delete(r.targets, t)
		}
	}
	for t := range wanted {
		if r.targets[t] == nil {
			r.targets[t] = &progress{}
		}
	}
}

// due lists whom to ask for now, and says when to come again unless something
// changes before: the zero Time if nothing is to come.
func (r *resolver) due(now time.Time, known map[target]neighbour) (ask []target, again time.Time) {
	if r.at.IsZero() {
		r.at = now
	}
	r.tokens = min(askBurst, r.tokens+now.Sub(r.at).Seconds()*askRate)
	r.at = now
	var open []question
	for t, p := range r.targets {
		e := known[t]
		switch {
		case e.state == Reachable:
			*p = progress{usable: true}
			continue
		case e.busy:
			continue
		case e.state.Usable() && !p.usable:
			*p = progress{usable: true}
		case !e.state.Usable() && p.usable:
			*p = progress{} // just lost: ask at once
		}
		if now.Before(p.next) {
			again = earlier(again, p.next)
			continue
		}
		open = append(open, question{t, p})
	}
	if may := int(r.tokens); len(open) > may {
		slices.SortFunc(open, question.compare)
		open = open[:may]
		again = earlier(again, now.Add(time.Second*askBurst/askRate))
	}
	r.tokens -= float64(len(open))
	for _, q := range open {
		wait := min(longestWait, firstRetry<<min(q.tries, 10))
		q.next = now.Add(wait + time.Duration(float64(wait)*r.spread()/4))
		q.tries++
		again = earlier(again, q.next)
		ask = append(ask, q.target)
	}
	return ask, again
}

type question struct {
	target
	*progress
}

// compare puts lost neighbours before stale ones, and whoever waits longest first.
func (q question) compare(o question) int {
	switch {
	case q.usable && !o.usable:
		return 1
	case !q.usable && o.usable:
		return -1
	}
	return cmp.Or(q.next.Compare(o.next), cmp.Compare(q.index, o.index), q.addr.Compare(o.addr))
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
