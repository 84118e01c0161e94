package health

import (
	"cmp"
	"container/heap"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Defaults of a [Target], and the shortest interval.
const (
	DefaultInterval = time.Second
	DefaultRise     = 2
	DefaultFall     = 3
	MinInterval     = 10 * time.Millisecond
)

// A Target is an address that is to answer. Its identity is the address alone:
// of two targets with the same, the first counts.
type Target struct {
	Addr   netip.Addr // IPv4, or IPv6 without a zone; IPv4 mapped into IPv6 is IPv4
	Source netip.Addr // to ask from, one of this machine's own; zero: as the kernel chooses

	// From one probe to the next it is Interval and up to a sixteenth more.
	// 0: DefaultInterval; less than MinInterval: that.
	Interval time.Duration
	Timeout  time.Duration // for a probe to be answered; 0, or more than Interval: Interval
	Rise     int           // answers in a row until it is Up; 0: DefaultRise
	Fall     int           // failures in a row until it is Down; 0: DefaultFall
}

// normal returns t with one form for each meaning.
func (t Target) normal() Target {
	t.Addr, t.Source = t.Addr.Unmap(), t.Source.Unmap()
	t.Interval = max(cmp.Or(t.Interval, DefaultInterval), MinInterval)
	if t.Timeout <= 0 || t.Timeout > t.Interval {
		t.Timeout = t.Interval
	}
	t.Rise, t.Fall = max(cmp.Or(t.Rise, DefaultRise), 1), max(cmp.Or(t.Fall, DefaultFall), 1)
	return t
}

// Status is what a Monitor knows of a target.
type Status struct {
	Target  Target // with its defaults
	State   State
	Since   time.Time     // of the state; at the beginning, when it was first watched
	Reason  Reason        // of the state
	Error   string        // of the last probe that was not answered, in words; stays when others are
	ErrorAt time.Time     // when that was; zero: never
	Latency time.Duration // of the last answer; 0: there was none
	Counts
}

// Counts are since the target was first watched.
type Counts struct {
	Probes   uint64 // begun; of which at most one is open, and the others ended as
	Answered uint64
	Failed   uint64 // no answer in time, or no way to the target
	Untried  uint64 // could not be sent, or given up because the target's settings changed
}

// Config says how a Monitor works.
type Config struct {
	Log *slog.Logger // nil: none

	checker checker                                            // nil: ICMP echo
	listen  func(network, address string) (*net.IPConn, error) // nil: listenIP
}

// A Monitor watches targets. Its methods may be called from any goroutine.
type Monitor struct {
	log     *slog.Logger
	checker checker
	changes chan struct{}
	wake    chan struct{} // of the loop; capacity 1
	ageing  chan struct{} // of expire; capacity 1: a first verdict can expire
	stop    chan struct{}
	closing sync.Once
	workers sync.WaitGroup

	// Checkers may hold locks of their own when they report: nothing of theirs
	// but open is called under this one.
	mu      sync.Mutex
	entries map[netip.Addr]*entry
	queue   queue
	told    []change // transitions not yet in the log
	ages    bool     // expire has a time to wake up at
	closed  bool
}

// New makes a Monitor without targets. The caller closes it.
func New(c Config) *Monitor {
	m := &Monitor{
		log: c.Log, checker: c.checker, entries: map[netip.Addr]*entry{},
		changes: make(chan struct{}, 1), wake: make(chan struct{}, 1), ageing: make(chan struct{}, 1),
		stop: make(chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.checker == nil {
		m.checker = newEcho(c.listen)
	}
	m.workers.Go(m.run)
	m.workers.Go(m.expire)
	return m
}

// Watch replaces the set of targets. One whose address was in the set before
// keeps state, counts and last error; if something else of it is new, its open
// probe is given up. It returns at once; after Close it does nothing.
func (m *Monitor) Watch(targets []Target) {
	now := time.Now()
	var ended []probe
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	wanted := make(map[netip.Addr]bool, len(targets))
	for _, t := range targets {
		t = t.normal()
		if wanted[t.Addr] {
			continue
		}
		wanted[t.Addr] = true
		e := m.entries[t.Addr]
		switch {
		case e == nil:
			e = &entry{since: now}
			m.entries[t.Addr] = e
			e.aim(t, now)
			e.probe = m.checker.open(t, func(r result) { m.take(e, r) })
			heap.Push(&m.queue, e)
		case e.target != t:
			if e.target.Source != t.Source {
				ended = append(ended, e.probe)
				e.probe = m.checker.open(t, func(r result) { m.take(e, r) })
			}
			e.aim(t, now)
			heap.Fix(&m.queue, e.index)
		}
	}
	for addr, e := range m.entries {
		if !wanted[addr] {
			delete(m.entries, addr)
			heap.Remove(&m.queue, e.index)
			ended = append(ended, e.probe)
		}
	}
	m.mu.Unlock()
	for _, p := range ended {
		p.close()
	}
	poke(m.wake)
}

// State returns what is known of an address; Unknown if it is not watched.
func (m *Monitor) State(addr netip.Addr) State {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[addr.Unmap()]; e != nil {
		return e.verdict.state
	}
	return Unknown
}

// Changes is sent to when the state of a target has changed, but not when Watch
// adds or removes one. Changes not yet received are one. It is never closed.
func (m *Monitor) Changes() <-chan struct{} { return m.changes }

// Status lists all targets in order of address.
func (m *Monitor) Status() []Status {
	m.mu.Lock()
	all := make([]Status, 0, len(m.entries))
	for _, e := range m.entries {
		all = append(all, e.status())
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b Status) int { return a.Target.Addr.Compare(b.Target.Addr) })
	return all
}

// Close ends all checks, and returns when their goroutines have ended and their
// sockets are closed. The last states stay to be read. Closing again does
// nothing.
func (m *Monitor) Close() {
	m.closing.Do(func() {
		m.mu.Lock()
		m.closed = true
		m.mu.Unlock()
		close(m.stop)
		m.workers.Wait()
		m.checker.close()
	})
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
