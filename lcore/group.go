package lcore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"guideway/maglev/fib"
)

// A Group is the control plane's end of all workers.
type Group struct {
	workers []*Worker

	// Cores take none of these.
	publishing sync.Mutex
	querying   sync.Mutex
	tracing    sync.Mutex
	asking     chan struct{} // holds a token while somebody waits for reports

	tapped  atomic.Bool              // there is a Tap
	pings   atomic.Uint32            // so many were sent
	reports []atomic.Pointer[Report] // the last one of each worker; writer: who holds the token
	owed    []*Report                // of each worker, what it was asked for and nobody waited for any more; for who holds the token
}

// NewGroup makes a group of at most MaxCores workers, with a ring from each to each.
func NewGroup(workers ...*Worker) *Group {
	if len(workers) > MaxCores {
		panic("more cores than a set of them can name")
	}
	for i, w := range workers {
		w.index, w.kernelCore = i, kernelCore(workers)
		w.to, w.from = apart[*ring](len(workers)), apart[*ring](len(workers))
	}
	for i, giver := range workers {
		for j, taker := range workers {
			if i != j {
				r := newRing(i, &taker.bell)
				giver.to[j], taker.from[i] = r, r
			}
		}
	}
	return &Group{
		workers: workers,
		asking:  make(chan struct{}, 1),
		reports: make([]atomic.Pointer[Report], len(workers)),
		owed:    make([]*Report, len(workers)),
	}
}

// kernelCore returns the index of the worker that serves the kernel's
// interfaces.
func kernelCore(workers []*Worker) int {
	for i, w := range workers {
		for _, p := range w.ports {
			if p.Kernel != nil {
				return i
			}
		}
	}
	return 0
}

// Publish gives every core a new program, by one pointer each. Cores take it
// over at their next turn; Await tells when.
func (g *Group) Publish(p Program) {
	s := p.Snapshot
	g.publishing.Lock()
	defer g.publishing.Unlock()
	for _, w := range g.workers {
		last := w.mail.edition.Load()
		e := &edition{
			program: &p, counters: last.counters, fresh: newHolders(last.program.Snapshot, s),
			services: last.services, endpoints: last.endpoints,
		}
		if w.mail.echo.Load() < last.program.Snapshot.Generation { // the core may skip the last edition
			e.fresh.services = append(e.fresh.services, last.fresh.services...)
			e.fresh.endpoints = append(e.fresh.endpoints, last.fresh.endpoints...)
		}
		if e.services < s.Services() || e.endpoints < s.Endpoints() {
			e.services, e.endpoints = max(e.services, s.Services()), max(e.endpoints, s.Endpoints())
			e.counters = newCounters(e.services, e.endpoints)
		}
		w.mail.edition.Store(e)
	}
}

// newHolders returns the ids that name something else in s than in last.
func newHolders(last, s *fib.Snapshot) fresh {
	var f fresh
	for id := range s.Services() {
		if id < last.Services() && last.Service(uint16(id)).Born != s.Service(uint16(id)).Born {
			f.services = append(f.services, uint32(id))
		}
	}
	for id := range s.Endpoints() {
		if id < last.Endpoints() && last.ValueOf(id) != s.ValueOf(id) {
			f.endpoints = append(f.endpoints, uint32(id))
		}
	}
	return f
}

// waitStep is how often the control plane looks whether cores have answered.
// A turn takes a few microseconds, a rest at most half a millisecond.
const waitStep = 100 * time.Microsecond

// wait calls done until it returns true, or ctx ends.
func wait(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(waitStep)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// Await waits until every core works by a snapshot of at least the given
// generation. On error it names the cores that do not.
func (g *Group) Await(ctx context.Context, generation uint64) error {
	var late []int
	err := wait(ctx, func() bool {
		late = late[:0]
		for _, w := range g.workers {
			if w.mail.echo.Load() < generation {
				late = append(late, w.cpu)
			}
		}
		return len(late) == 0
	})
	if err != nil {
		return fmt.Errorf("cores %v have not taken over snapshot %d: %w", late, generation, err)
	}
	return nil
}

// Stalled asks every core for a sign of life, and returns the CPUs of those that
// give none before ctx ends. Nobody else's asking gets in its way.
func (g *Group) Stalled(ctx context.Context) (cpus []int) {
	ping := g.pings.Add(1)
	for _, w := range g.workers {
		w.mail.ping.Store(ping)
	}
	wait(ctx, func() bool {
		cpus = cpus[:0]
		for _, w := range g.workers {
			if int32(w.mail.pong.Load()-ping) < 0 {
				cpus = append(cpus, w.cpu)
			}
		}
		return len(cpus) == 0
	})
	return cpus
}

// Glance is Reports for a look in between: the longest poll gap goes on.
func (g *Group) Glance(ctx context.Context) ([]*Report, error) { return g.reportsOf(ctx, true) }

// A SilentError is that of cores which do not answer in time.
type SilentError struct {
	CPUs []int
	Err  error // of the context
}

// Error names the cores.
func (e *SilentError) Error() string { return fmt.Sprintf("cores %v do not answer: %v", e.CPUs, e.Err) }

// Unwrap returns the context's error.
func (e *SilentError) Unwrap() error { return e.Err }

// Reports asks every core for its counters. A core that does not answer before
// ctx ends keeps its last report, and is named by a [SilentError]; one that never
// answered has a nil report. One caller asks at a time.
func (g *Group) Reports(ctx context.Context) ([]*Report, error) { return g.reportsOf(ctx, false) }

func (g *Group) reportsOf(ctx context.Context, glance bool) ([]*Report, error) {
	select {
	case g.asking <- struct{}{}:
		defer func() { <-g.asking }()
	case <-ctx.Done():
		return g.last(), fmt.Errorf("somebody else waits for the cores: %w", ctx.Err())
	}
	asked := make([]*Report, len(g.workers))
	for i, w := range g.workers {
		asked[i] = newReport(w.mail.edition.Load())
		asked[i].glance = glance
		w.mail.ask.Store(asked[i])
	}
	var late []int
	err := wait(ctx, func() bool {
		late = late[:0]
		for i, w := range g.workers {
			if asked[i] == nil {
				continue
			}
			if !asked[i].done.Load() {
				late = append(late, w.cpu)
				continue
			}
			// A core that was away fills the report of that time first. How long
			// it was away stands there, and is what this one is asked for.
			if o := g.owed[i]; o != nil && !glance {
				if g.owed[i] = nil; o.done.Load() && !o.glance {
					asked[i].Gap = max(asked[i].Gap, o.Gap)
				}
			}
			g.reports[i].Store(asked[i])
			asked[i] = nil
		}
		return len(late) == 0
	})
	if err != nil {
		err = &SilentError{late, err}
	}
	for i, r := range asked {
		if r != nil && !glance {
			g.owed[i] = r
		}
	}
	return g.last(), err
}

// last returns the last report of every core.
func (g *Group) last() []*Report {
	reports := make([]*Report, len(g.reports))
	for i := range g.reports {
		reports[i] = g.reports[i].Load()
	}
	return reports
}

// Final returns every core's counters after its Run has returned.
func (g *Group) Final() []*Report {
	var reports []*Report
	for _, w := range g.workers {
		w.complete()
		r := newReport(w.mail.edition.Load())
		w.fill(r)
		reports = append(reports, r)
	}
	return reports
}

// Drain ends what is left after every core's Run has returned: what is between
// cores is forwarded, and what waits for its first fragment is given up. It
// tells whether that came to an end.
func (g *Group) Drain() bool {
	for range 64 {
		found := 0
		for _, w := range g.workers {
			w.adopt()
			found += w.takeOver()
			w.complete()
			w.transmit()
		}
		if found == 0 {
			for _, w := range g.workers {
				w.giveUp()
			}
			return true
		}
	}
	return false
}

// Stop tells every core to finish: what is received is forwarded, then its Run
// returns. It does not wait.
func (g *Group) Stop() {
	for _, w := range g.workers {
		w.mail.stop.Store(true)
	}
}
