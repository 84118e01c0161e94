package health

import (
	"container/heap"
	"context"
	"log/slog"
	"time"
)

// A round to start, once the lock is released.
type start struct {
	probe probe
	round uint64
}

// A change is a transition, for the log.
type change struct {
	target   Target
	from, to State
	why      Reason // Unchanged: only the weight is new
	err      string
	weight   Weight
}

// run is the loop: the one goroutine that starts probes and ends those that
// nothing was heard of. Answers do not pass through it.
func (m *Monitor) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var starts []start
	for {
		select {
		case <-m.stop:
			return
		case <-m.wake:
		case <-timer.C:
		}
		// The order matters. After a pause of the process timeouts are over,
		// but the answers may lie in the sockets: they are read first. What
		// came before now has been seen when settle returns.
		now := time.Now()
		m.checker.settle()
		var next time.Time
		starts, next = m.turn(now, starts[:0])
		for _, s := range starts {
			s.probe.start(s.round)
		}
		m.speak()
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(breath, time.Until(next)))
		}
	}
}

// turn does what is due: it ends rounds, and appends those to begin to starts.
// next is when to come again; zero: there are no targets.
func (m *Monitor) turn(now time.Time, starts []start) (_ []start, next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) > 0 && !m.queue[0].wake.After(now) {
		e := m.queue[0]
		if e.overdue(now) {
			m.note(e, e.timeout(now), now)
		}
		switch {
		case e.due.After(now):
			e.wake = e.next()
		case e.open(): // it waits for its turn, or has only had that
			e.wake = now.Add(max(breath, e.target.Interval>>jitterShift))
		case e.missed(now):
			e.due = now.Add(e.pace.phase(e.target.Interval))
			e.wake = e.due
		default:
			e.begin(now)
			starts = append(starts, start{e.probe, e.round})
			e.wake = e.next()
		}
		heap.Fix(&m.queue, 0)
	}
	if len(m.queue) > 0 {
		next = m.queue[0].wake
	}
	return starts, next
}

// take is where checkers report to.
func (m *Monitor) take(e *entry, generation uint64, r result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.generation == generation {
		m.note(e, r, time.Now())
	}
}

// note has an entry take a result. The lock is held.
func (m *Monitor) note(e *entry, r result, now time.Time) {
	if e.gone || m.closed {
		return // not watched any more
	}
	from, weight := e.verdict.state, e.weight
	why := e.take(r, now)
	if why != Unchanged || e.weight != weight {
		m.changed(e, from, why)
	}
	if !m.ages && !e.heard.IsZero() {
		m.ages = true
		poke(m.ageing)
	}
}

// changed makes a transition known. The lock is held.
func (m *Monitor) changed(e *entry, from State, why Reason) {
	m.told = append(m.told, change{e.target, from, e.verdict.state, why, e.err, e.weight})
	poke(m.changes)
	poke(m.wake) // for the log
}

// speak writes transitions to the log. A log may block: no lock is held.
func (m *Monitor) speak() {
	m.mu.Lock()
	told := m.told
	m.told = nil
	m.mu.Unlock()
	for _, c := range told {
		words := []any{"address", c.target.Addr}
		if c.target.Check.Type != ICMP {
			words = append(words, "check", c.target.Check.Type, "port", c.target.Check.Port)
		}
		if c.target.VIP.IsValid() {
			words = append(words, "vip", c.target.VIP)
		}
		if c.weight.Said {
			words = append(words, "weight", c.weight)
		}
		if c.why == Unchanged {
			m.log.Info("weight changed", words...)
			continue
		}
		level, words := slog.LevelInfo, append(words, "state", c.to, "was", c.from, "reason", c.why)
		if c.to != Up {
			level, words = slog.LevelWarn, append(words, "error", c.err)
		}
		m.log.Log(context.Background(), level, "health changed", words...)
	}
}
