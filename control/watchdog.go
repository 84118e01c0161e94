package control

import (
	"context"
	"fmt"
	"time"
)

// The watchdog looks after the poll loops from a goroutine of its own: the
// manager may itself be waiting for a core that is stalled.
const (
	watchPeriod = 200 * time.Millisecond
	stallLimit  = 500 * time.Millisecond // without a sign of life; a turn takes microseconds, a rest half a millisecond
)

// Kinds of holds.
const (
	holdStalled = "stalled core"
	holdPorts   = "ports down"
	holdDrain   = "drain"
	holdStop    = "stop"
)

// A Supervisor is who runs the process, systemd for one, and can end it when it
// is of no more use. Its methods must not block.
type Supervisor interface {
	Reloading()          // a reload begins
	Settled(now *Status) // it is over, however it ended

	// Watched is called at each look of the watchdog, five times a second while
	// all is well, with the CPUs of the poll loops that give no sign of life.
	Watched(stalled []int)
}

// Watch withdraws everything while a core gives no sign of life, or no port has a
// link, until ctx ends.
func (m *Manager) Watch(ctx context.Context) {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.watch(ctx)
		}
	}
}

// watch looks once.
func (m *Manager) watch(ctx context.Context) {
	patience, cancel := context.WithTimeout(ctx, stallLimit)
	stalled := m.o.Group.Stalled(patience)
	cancel()
	if ctx.Err() != nil {
		return
	}
	if m.o.Supervisor != nil {
		m.o.Supervisor.Watched(stalled)
	}
	if len(stalled) > 0 {
		m.announcer.hold(ctx, holdStalled, fmt.Sprintf("the poll loops on CPUs %v give no sign of life", stalled))
	} else {
		m.announcer.release(ctx, holdStalled)
	}
	for _, p := range m.o.Ports {
		if p.Link().Up {
			m.announcer.release(ctx, holdPorts)
			return
		}
	}
	if len(m.o.Ports) > 0 {
		m.announcer.hold(ctx, holdPorts, "no port has a link")
	}
}
