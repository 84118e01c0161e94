// Package control is the one goroutine that reconciles what the operator
// wants with what the cores do.
//
// A change goes one way, whatever its cause (a signal today; the console and
// health transitions enter at the same door):
//
//	config.Load -> plan.Build -> lcore.Group.Publish -> lcore.Group.Await
//
// Until Publish nothing has changed, so a file with faults, or one that the
// running process cannot follow, leaves everything as it is.
package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
	"guideway/lcore"
)

// Options are what a Manager is made of.
type Options struct {
	Path    string         // of the configuration file
	Config  *config.Config // as loaded at the start
	Group   *lcore.Group
	Ports   []plan.Port // the open ports, in the order of Config.Ports
	Workers int         // goroutines for building tables
	Log     *slog.Logger
}

// awaitLimit is how long cores may take to adopt a snapshot. They look for it
// once a turn, so a core that is later than this is stalled.
const awaitLimit = 5 * time.Second

// A Manager owns the desired state. Its Run is the only writer.
type Manager struct {
	o      Options
	reload chan struct{}
	status atomic.Pointer[Status] // writer: Run; readers: metrics, console
}

// Status is the manager's state at one moment. It is never changed.
type Status struct {
	Config *config.Config // in effect
	Plan   *plan.Plan     // in effect
	Since  time.Time      // when it was published

	Reloads        Results // by how they ended
	LastSuccessful bool    // the last load, the first one included
	LastError      error   // nil if LastSuccessful
}

// Results count reloads by how they ended.
type Results struct {
	Success  uint64 // in effect on every core
	Rejected uint64 // the file has faults, or wants what only a restart can give: nothing changed
	Late     uint64 // published, but a core has not taken it over in time
}

// New plans for the first configuration and publishes that. Cores take it over
// when they begin to poll.
func New(o Options) (*Manager, error) {
	m := &Manager{o: o, reload: make(chan struct{}, 1)}
	p, err := m.plan(o.Config, nil)
	if err != nil {
		return nil, err
	}
	m.o.Group.Publish(p.Snapshot)
	m.status.Store(&Status{Config: o.Config, Plan: p, Since: time.Now(), LastSuccessful: true})
	return m, nil
}

// Ready waits until every core works by the first snapshot.
func (m *Manager) Ready(ctx context.Context) error {
	return m.await(ctx, m.Status().Plan)
}

// Status returns the state now.
func (m *Manager) Status() *Status { return m.status.Load() }

// Reload asks Run to load the file again. It does not wait. Requests that come
// while one is waiting are one.
func (m *Manager) Reload() {
	select {
	case m.reload <- struct{}{}:
	default:
	}
}

// Run serves requests until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.reload:
			m.serve(ctx)
		}
	}
}

// serve does one reload and accounts for it.
func (m *Manager) serve(ctx context.Context) {
	next := *m.Status()
	began := time.Now()
	c, p, err := m.load(next)
	if err != nil {
		next.Reloads.Rejected++
		next.LastSuccessful, next.LastError = false, err
		m.status.Store(&next)
		m.logRejected(err)
		return
	}
	m.o.Group.Publish(p.Snapshot)
	next.Config, next.Plan, next.Since = c, p, time.Now()
	err = m.await(ctx, p)
	next.LastSuccessful, next.LastError = err == nil, err
	if err != nil {
		next.Reloads.Late++
		m.o.Log.Error("reloaded, but not on every core", "error", err)
	} else {
		next.Reloads.Success++
		m.o.Log.Info("reloaded", "generation", p.Snapshot.Generation, "vips", len(p.VIPs), "took", time.Since(began).Round(time.Microsecond))
	}
	m.status.Store(&next)
}

// load reads the file and plans for it. Nothing changes.
func (m *Manager) load(current Status) (*config.Config, *plan.Plan, error) {
	c, warnings, err := config.Load(m.o.Path)
	if err != nil {
		return nil, nil, err
	}
	if faults := config.RestartNeeded(current.Config, c); len(faults) > 0 {
		return nil, nil, faults
	}
	p, err := m.plan(c, current.Plan)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", m.o.Path, err)
	}
	for _, w := range warnings {
		m.o.Log.Warn(w.String())
	}
	return c, p, nil
}

func (m *Manager) plan(c *config.Config, previous *plan.Plan) (*plan.Plan, error) {
	generation := uint64(1)
	if previous != nil {
		generation = previous.Snapshot.Generation + 1
	}
	return plan.Build(plan.Input{
		Config: c, Ports: m.o.Ports, Generation: generation, Previous: previous, Workers: m.o.Workers,
	})
}

func (m *Manager) await(ctx context.Context, p *plan.Plan) error {
	ctx, cancel := context.WithTimeout(ctx, awaitLimit)
	defer cancel()
	return m.o.Group.Await(ctx, p.Snapshot.Generation)
}

// logRejected writes one line for each fault, so that each can be found.
func (m *Manager) logRejected(err error) {
	var faults config.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			m.o.Log.Error(f.Error())
		}
		m.o.Log.Error("reload rejected: nothing has changed", "faults", len(faults))
		return
	}
	m.o.Log.Error("reload rejected: nothing has changed", "error", err)
}
