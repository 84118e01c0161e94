package health

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// A fake is a checker in memory, for tests within a bubble of synctest.
type fake struct {
	// ask is called at the start of a round, on the loop's goroutine, and does
	// as the target would. It may report at once, later, in vain, or block.
	ask func(p *fakeProbe, round uint64)

	mu     sync.Mutex
	queued bool // what probes say of themselves
	opened []Target
	ended  []Target
	starts []started
	wait   []func() // what settle is to do
}

type started struct {
	addr netip.Addr
	at   time.Time
}

type fakeProbe struct {
	*fake
	target Target
	report func(result)
}

func (f *fake) open(t Target, report func(result)) probe {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened = append(f.opened, t)
	return &fakeProbe{f, t, report}
}

func (f *fake) settle() {
	f.mu.Lock()
	wait := f.wait
	f.wait = nil
	f.mu.Unlock()
	for _, w := range wait {
		w()
	}
}

func (f *fake) renew() {}

func (f *fake) close() {}

func (p *fakeProbe) waits() bool { return p.queued }

func (p *fakeProbe) start(round uint64) {
	p.mu.Lock()
	p.starts = append(p.starts, started{p.target.Addr, time.Now()})
	p.mu.Unlock()
	p.ask(p, round)
}

func (p *fakeProbe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(p.ended, p.target)
}

// begun returns the starts so far.
func (f *fake) begun() []started {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.starts)
}

// sessions returns what was opened and what was closed so far.
func (f *fake) sessions() (opened, ended []Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.opened), slices.Clone(f.ended)
}

// answer reports an answer after a time.
func (p *fakeProbe) answer(round uint64, after time.Duration) {
	time.AfterFunc(after, func() { p.report(result{round: round, latency: after}) })
}

// watch starts a Monitor of the targets.
func watch(t testing.TB, c Config, targets ...Target) *Monitor {
	t.Helper()
	m := New(c)
	t.Cleanup(m.Close)
	m.Watch(targets)
	return m
}

// of returns the status of one target, and holds it to what always is so.
func of(t testing.TB, m *Monitor, addr netip.Addr) Status {
	t.Helper()
	for _, s := range m.Status() {
		if open := s.Probes - s.Answered - s.Failed - s.Untried; open > 1 {
			t.Errorf("%s: %+v do not sum up", s.Target.Addr, s.Counts)
		}
		if s.Target.Addr == addr {
			return s
		}
	}
	t.Fatalf("%s is not watched", addr)
	return Status{}
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// told says whether a change was told since it was last asked.
func told(m *Monitor) bool {
	select {
	case <-m.Changes():
		return true
	default:
		return false
	}
}
