// Package control is the one goroutine that reconciles what the operator
// wants with what the cores do.
//
// A change goes one way, whatever its cause:
//
//	signal, console, file -> config.Load -+
//	health, operators' overrides          +-> plan.Build -> withdraw what is gone
//	routes, neighbours, other nodes      -+      -> lcore.Group.Publish -> lcore.Group.Await
//	                                             -> announce what is served now
//
// No core ever gets packets for a VIP that it has not read. Apart from that the
// watchdog withdraws everything when a core stalls (watchdog.go).
//
// Until Publish nothing has changed, so a file with faults, or one that the
// running process cannot follow, leaves everything as it is. docs/reload.md
// tells it as operators see it.
package control

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"guideway/control/config"
	"guideway/control/health"
	"guideway/control/kernel"
	"guideway/control/plan"
	"guideway/lcore"
	"guideway/pmd"
)

// Options are what a Manager is made of.
type Options struct {
	Path     string          // of the configuration file
	Config   *config.Config  // as loaded at the start
	Warnings config.Warnings // of Config; who loaded it has logged them
	Group    *lcore.Group
	Ports    []pmd.Port // the open ports, in the order of Config.Ports
	Workers  int        // goroutines for building tables
	Log      *slog.Logger

	// Kernel follows the ports' kernel interfaces; nil: there are none, and
	// next hops are not learnt. Whoever made it closes it.
	Kernel *kernel.Kernel

	// Health probes backends that have checks and, over the kernel interfaces,
	// the other nodes of [fragments]; nil: all count as well. Whoever made it
	// closes it.
	Health *health.Monitor

	// Speaker announces the VIPs; nil: they are not.
	Speaker Speaker

	// Keeper is told the numbers of each plan before any core is; nil: nobody
	// is. The first plan goes on from Left: see plan.Input.
	Keeper Keeper
	Left   *plan.Numbers

	// LastGood is where the configuration in effect is kept.
	LastGood LastGood

	// Supervisor is told how the node is; nil: nobody is.
	Supervisor Supervisor

	// AwaitLimit is how long cores may take to adopt a snapshot; 0: five
	// seconds. They look for it once a turn, so a core that is later than
	// this is stalled.
	AwaitLimit time.Duration
}

// A Keeper keeps a plan's numbers for the next process: see package keep.
type Keeper interface {
	Keep(plan.Numbers) error
}

const usualAwaitLimit = 5 * time.Second

// A Manager owns the desired state. Its Run is the only writer.
type Manager struct {
	o         Options
	reload    chan struct{}
	requests  chan request
	announcer *announcer
	until     time.Time            // so long VIPs may wait for verdicts. Run's own, as said
	enough    map[string]time.Time // since when VIPs that are down have what they need. Likewise
	said      map[string]string    // what logOnce has said. Run's own, and before it New's and Ready's
	tracing   tracing
	status    atomic.Pointer[Status] // writer: New, then Run; readers: metrics, console
}

// A request is something that Run does for somebody who waits.
type request struct {
	do   func(context.Context) error
	done chan error
}

// New plans for the first configuration and publishes that. Cores take it over
// when they begin to poll. The error is a [config.Faults].
func New(o Options) (*Manager, error) {
	if o.AwaitLimit == 0 {
		o.AwaitLimit = usualAwaitLimit
	}
	m := &Manager{o: o, reload: make(chan struct{}, 1), requests: make(chan request), said: map[string]string{}}
	m.announcer = newAnnouncer(o.Speaker, o.Log)
	m.wait(o.Config)
	first := Status{Config: o.Config, Warnings: o.Warnings, LastSuccessful: true}
	var err error
	if first.TraceKey, err = traceKey(o.Config); err != nil {
		return nil, m.faults(err)
	}
	if err := m.plan(&first, 1, nil); err != nil {
		return nil, m.faults(err)
	}
	m.publish(&first)
	m.keepInterfaces(o.Config)
	return m, nil
}

// Ready waits until every core works by the first snapshot and, where next hops
// are learnt, for a while until those of all backends are known; then it
// announces what is served. It comes before Run.
func (m *Manager) Ready(ctx context.Context) error {
	if err := m.o.Group.Await(ctx, m.Status().Plan.Snapshot.Generation); err != nil {
		return err
	}
	m.keepLastGood(m.o.Config)
	if err := m.announcer.configure(ctx, m.o.Config); err != nil {
		return err
	}
	defer func() { m.announcer.enter(ctx, m.Status().Plan.Routes()) }()
	patience := time.NewTimer(resolveLimit)
	defer patience.Stop()
	for len(m.Status().Plan.Unreachable) > 0 && m.o.Kernel != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			return nil
		case <-m.o.Kernel.Changes():
			m.follow(ctx)
		}
	}
	return nil
}

// resolveLimit is how long Ready waits for next hops: longer than the kernel
// asks for a neighbour that does not answer (three times, a second apart).
const resolveLimit = 4 * time.Second

// Status returns the state now.
func (m *Manager) Status() *Status { return m.status.Load() }

// Reload asks Run to load the file again. It does not wait. Requests that come
// while one is waiting are one; a request that comes while a reload runs is
// served after it, because the file may have changed since it was read.
func (m *Manager) Reload() {
	select {
	case m.reload <- struct{}{}:
	default:
	}
}

// ReloadNow loads the file again and returns when it is in effect, or why it is
// not. With force it may remove more of a VIP's backends at once than
// [reload].max_removed lets a signal do.
func (m *Manager) ReloadNow(ctx context.Context, force bool) error {
	return m.do(ctx, func(ctx context.Context) error { return m.serve(ctx, force) })
}

// do has Run do something, and returns what came of it.
func (m *Manager) do(ctx context.Context, what func(context.Context) error) error {
	r := request{what, make(chan error, 1)}
	select {
	case m.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run serves requests, and follows what changes by itself, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	look := time.NewTicker(lookPeriod)
	defer look.Stop()
	var network, verdicts <-chan struct{} // nil: never
	if m.o.Kernel != nil {
		network = m.o.Kernel.Changes()
	}
	if m.o.Health != nil {
		verdicts = m.o.Health.Changes()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.reload:
			m.serve(ctx, false)
		case r := <-m.requests:
			r.done <- r.do(ctx)
		case <-network:
			m.follow(ctx)
		case <-verdicts:
			m.tellNodes(m.Status().Config)
			m.follow(ctx)
		case <-look.C:
			m.look(ctx)
		}
	}
}

// serve does one reload and accounts for it. A file that says what is in
// effect already goes the same way: that mends what was late or refused before.
func (m *Manager) serve(ctx context.Context, force bool) error {
	if s := m.o.Supervisor; s != nil {
		s.Reloading()
		defer func() { s.Settled(m.Status()) }()
	}
	began := time.Now()
	last := m.Status()
	next, err := m.load(last, force)
	if err != nil {
		faults := m.faults(err)
		rejected := *last
		rejected.Reloads.Rejected++
		rejected.LastSuccessful, rejected.LastError = false, faults
		m.status.Store(&rejected)
		m.logRejected(faults)
		return faults
	}
	err = m.apply(ctx, next)
	if err == nil {
		err = m.announcer.configure(ctx, next.Config)
	}
	if ctx.Err() != nil {
		return ctx.Err() // we are stopping, and so are the cores
	}
	ended := *next
	ended.LastSuccessful, ended.LastError = err == nil, err
	if err != nil {
		ended.Reloads.Late++
		m.status.Store(&ended)
		m.o.Log.Error("reloaded, but not on every core or router", "error", err)
		return err
	}
	ended.Reloads.Success++
	m.status.Store(&ended)
	m.keepLastGood(ended.Config)
	m.o.Log.Info("reloaded", "generation", ended.Plan.Snapshot.Generation, "vips", len(ended.Plan.VIPs), "took", time.Since(began).Round(time.Microsecond))
	return nil
}

// load reads the file and plans for it. Nothing changes.
func (m *Manager) load(last *Status, force bool) (*Status, error) {
	c, warnings, err := config.Load(m.o.Path)
	if err != nil {
		return nil, err
	}
	if faults := config.RestartNeeded(last.Config, c); len(faults) > 0 {
		return nil, faults
	}
	next := *last
	next.Config, next.Warnings = c, warnings
	if next.TraceKey, err = traceKey(c); err != nil {
		return nil, err
	}
	m.wait(c)
	if err := m.plan(&next, last.Plan.Snapshot.Generation+1, last.Plan); err != nil {
		return nil, err
	}
	if !force {
		if err := tooMuch(last.Plan, next.Plan, c.Reload.MaxRemoved, "reload"); err != nil {
			return nil, err
		}
	}
	if !slices.Equal(warnings, last.Warnings) {
		for _, w := range warnings {
			m.o.Log.Warn(w.String())
		}
	}
	return &next, nil
}

// follow plans anew for the configuration in effect, because something around
// it has changed: health, the network, the fleet.
func (m *Manager) follow(ctx context.Context) {
	next := *m.Status()
	if err := m.plan(&next, next.Plan.Snapshot.Generation+1, next.Plan); err != nil {
		m.logOnce("follow", err, "cannot follow what changes around us: nothing has changed here")
		return
	}
	m.tellBackends(m.Status().Plan, next.Plan)
	err := m.apply(ctx, &next)
	if ctx.Err() == nil {
		m.logOnce("follow", err, "followed what changes around us, but not on every core")
	}
}

// plan makes the plan for s.Config. The planner is pure: how long it took is
// for us to see.
func (m *Manager) plan(s *Status, generation uint64, previous *plan.Plan) (err error) {
	began := time.Now()
	in := plan.Input{
		Config: s.Config, Ports: facts(m.o.Ports), Generation: generation, Previous: previous, Left: m.o.Left, Workers: m.o.Workers,
		Down: m.down(s.Config), Health: m.healthOf(s.Config), Patient: began.Before(m.until), Overrides: s.Overrides,
	}
	in.Recovered = func(vip string) bool {
		since, short := m.enough[vip]
		return short && began.Sub(since) >= recoverAfter
	}
	if m.o.Kernel != nil {
		in.NextHops = nextHops(s.Config, m.o.Kernel.View())
	}
	s.Plan, err = plan.Build(in)
	s.Planned = time.Since(began)
	return err
}

// apply brings a plan into effect, in the order in which no packet is lost: what
// is served no more is withdrawn, the cores get the plan and say that they have
// it, and only then is announced what they serve. A core that is late keeps new
// routes back.
func (m *Manager) apply(ctx context.Context, next *Status) error {
	routes := next.Plan.Routes()
	m.announcer.leave(ctx, routes)
	m.publish(next)
	if err := m.await(ctx, next.Plan.Snapshot.Generation); err != nil {
		return err
	}
	m.announcer.enter(ctx, routes)
	return nil
}

// publish gives the plan to the cores. The status comes first, so that no core
// ever reports by a later plan than a status that is read after the report.
func (m *Manager) publish(s *Status) {
	s.Since = time.Now()
	m.status.Store(s)
	m.noteShort(s.Plan)
	if m.o.Keeper != nil {
		m.logOnce("keep", m.o.Keeper.Keep(s.Plan.Numbers()), "the next process will begin with empty connection tables")
	}
	m.o.Group.Publish(program(s))
	if m.o.Kernel != nil {
		m.o.Kernel.Want(wanted(s.Config, s.Plan.Destinations))
	}
	m.watchTargets(s.Config)
}

func (m *Manager) await(ctx context.Context, generation uint64) error {
	ctx, cancel := context.WithTimeout(ctx, m.o.AwaitLimit)
	defer cancel()
	return m.o.Group.Await(ctx, generation)
}

// wait gives VIPs that are new with c the time that their checks need for
// verdicts.
func (m *Manager) wait(c *config.Config) {
	var longest time.Duration
	for _, check := range c.Checks {
		longest = max(longest, check.Interval*time.Duration(max(check.Rise, check.Fall)+1)+check.Timeout)
	}
	m.until = time.Now().Add(longest)
}

// keepLastGood keeps a configuration that is in effect.
func (m *Manager) keepLastGood(c *config.Config) {
	m.logOnce("last good", m.o.LastGood.save(c.Text()), "the configuration in effect cannot be kept for a start with a broken file")
}

// faults makes faults of the file of whatever keeps it from being loaded.
func (m *Manager) faults(err error) config.Faults {
	switch err := err.(type) {
	case config.Faults:
		return err
	case interface{ Unwrap() []error }: // of errors.Join
		var all config.Faults
		for _, e := range err.Unwrap() {
			all = append(all, m.faults(e)...)
		}
		return all
	}
	return config.Faults{{File: m.o.Path, Text: err.Error()}}
}

// logRejected writes one line for each fault, so that each can be found.
func (m *Manager) logRejected(faults config.Faults) {
	for _, f := range faults {
		m.o.Log.Error(f.Error())
	}
	m.o.Log.Error("reload rejected: nothing has changed", "faults", len(faults))
}
