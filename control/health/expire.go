package health

import "time"

// scan is the shortest time between two looks for verdicts that expired.
const scan = 10 * time.Millisecond

// expire is a goroutine beside the loop. It calls neither checkers nor the log,
// so it goes on when the loop is stuck in one of them: then all verdicts become
// Unknown, one after the other, and who waits for changes hears of it.
func (m *Monitor) expire() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-m.ageing:
		case <-timer.C:
		}
		now := time.Now()
		if next := m.age(now); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(scan, next.Sub(now)))
		}
	}
}

// age expires what is due, and returns when something can next be; zero: there
// is nothing that could, and ageing will be poked when there is.
func (m *Monitor) age(now time.Time) (next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		at := e.expires()
		if at.IsZero() {
			continue
		}
		if at.After(now) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		from := e.verdict.state
		if why := e.step(expired, now); why != Unchanged {
			m.changed(e, from, why)
		}
	}
	m.ages = !next.IsZero()
	return next
}
