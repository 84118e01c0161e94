package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"guideway/control/plan"
)

// lookPeriod is how often the manager looks at what nobody tells it of: the
// ports' links, and whether a kernel interface is still as it should be.
const lookPeriod = 500 * time.Millisecond

// recoverAfter is for how long a VIP that was down must have had just as many
// healthy backends as it needs before it comes back. With one more it comes back
// at once.
const recoverAfter = 10 * time.Second

// noteShort notes since when VIPs that are down have what they need.
func (m *Manager) noteShort(p *plan.Plan) {
	enough := map[string]time.Time{}
	for i := range p.VIPs {
		v := &p.VIPs[i]
		if !v.Short() {
			continue
		}
		if enough[v.Name] = time.Now(); !m.enough[v.Name].IsZero() {
			enough[v.Name] = m.enough[v.Name]
		}
	}
	m.enough = enough
}

// look mends the kernel's interfaces, says what cannot be reached, and ends the
// wait of VIPs for verdicts that do not come.
func (m *Manager) look(ctx context.Context) {
	s := m.Status()
	if time.Now().After(m.until) && slices.ContainsFunc(s.Plan.VIPs, func(v plan.VIP) bool { return v.Undecided() }) {
		m.o.Log.Warn("not every backend has a verdict in time: VIPs are judged by those that have")
		m.follow(ctx)
		s = m.Status()
	}
	for _, since := range m.enough {
		if time.Since(since) >= recoverAfter {
			m.follow(ctx)
			s = m.Status()
			break
		}
	}
	if m.o.Kernel != nil {
		m.keepInterfaces(s.Config)
	}
	var err error
	if n := len(s.Plan.Unreachable); n > 0 {
		shown := s.Plan.Unreachable
		more := ""
		if n > 10 {
			shown, more = shown[:10], fmt.Sprintf(" and %d more", n-10)
		}
		err = fmt.Errorf("%v%s", shown, more)
	}
	m.logOnce("unreachable", err, "no next hop is known to backends or nodes: what is for them is dropped")
}

// logOnce logs an error of a kind when it is new or another than before, and
// when it is over.
func (m *Manager) logOnce(kind string, err error, text string, args ...any) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	switch was := m.said[kind]; {
	case now == was:
		return
	case now == "":
		m.o.Log.Info("over: "+text, args...)
	default:
		m.o.Log.Warn(text, append(args, "error", now)...)
	}
	m.said[kind] = now
}
