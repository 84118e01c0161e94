package lcore

// A limit lets so many through a second, and after a pause a tenth of a second's
// worth at once (at least one). It is a bucket of nanoseconds.
type limit struct {
	cost   int64 // of one, in nanoseconds; 0: none passes
	most   int64 // saved up
	credit int64
	last   int64
}

// newLimit returns a limit of rate a second, 0..1e9.
func newLimit(rate int) limit {
	if rate <= 0 {
		return limit{}
	}
	cost := int64(1e9) / int64(rate)
	most := max(cost, 1e8)
	return limit{cost: cost, most: most, credit: most}
}

// pass tells whether one more passes at the time now.
func (l *limit) pass(now int64) bool {
	if l.cost == 0 {
		return false
	}
	l.credit = min(l.credit+now-l.last, l.most)
	l.last = now
	if l.credit < l.cost {
		return false
	}
	l.credit -= l.cost
	return true
}
