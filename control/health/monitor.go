package health

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Status is what a Monitor knows of a target.
type Status struct {
	Target  Target // with its defaults
	State   State
	Since   time.Time     // of the state; at the beginning, when it was first watched
	Reason  Reason        // of the state
	Error   string        // of the last probe that was not answered, in words; stays when others are
	ErrorAt time.Time     // when that was; zero: never
	Latency time.Duration // of the last answer; 0: there was none
	Late    time.Duration // by how much the last probe began after its time: the machine is too busy, or there are too few workers
	Counts

	// What the last answer said of its weight, and if that cannot be understood,
	// what is wrong with it. Nothing is known of the weight of what is not Up.
	Weight      Weight
	WeightError string
}

// Counts are since the target was first watched.
type Counts struct {
	Probes   uint64 // begun; of which at most one is open, and the others ended as
	Answered uint64
	Failed   uint64 // no answer in time, or no way to the target
	Untried  uint64 // could not be sent, or given up because the target's settings changed, or ended at a time when this machine was stuck
}

// Config says how a Monitor works.
type Config struct {
	Log *slog.Logger // nil: none

	// Workers bounds the probes, of all types but ICMP, that are under way at one
	// time. 0: as many as the targets can need, if all of them hang, and at most
	// as half of the files that the process may open. What has to wait for its
	// turn is late, and never failed.
	Workers int

	checker checker                                            // nil: all types
	listen  func(network, address string) (*net.IPConn, error) // nil: listenIP
	enter   func(func() error) error                           // where sockets are made; nil: here
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
	// but open and renew is called under this one.
	mu       sync.Mutex
	entries  map[Target]*entry // by identity
	first    map[netip.Addr]*entry
	measures map[Check]*measure
	queue    queue
	told     []change // transitions not yet in the log
	ages     bool     // expire has a time to wake up at
	closed   bool
}

// New makes a Monitor without targets. The caller closes it.
func New(c Config) *Monitor {
	m := &Monitor{
		log: c.Log, checker: c.checker, entries: map[Target]*entry{}, measures: map[Check]*measure{},
		changes: make(chan struct{}, 1), wake: make(chan struct{}, 1), ageing: make(chan struct{}, 1),
		stop: make(chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.checker == nil {
		m.checker = newTypes(c)
	}
	m.workers.Go(m.run)
	m.workers.Go(m.expire)
	return m
}

// State returns what is known of an address, by the first of its targets in the
// last call of Watch; Unknown if it has none.
func (m *Monitor) State(addr netip.Addr) State {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.first[addr.Unmap()]; e != nil {
		return e.verdict.state
	}
	return Unknown
}

// Of returns what is known of a target; a State of Unknown, and nothing else, if
// it is not watched.
func (m *Monitor) Of(t Target) (s Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[t.normal().identity()]; e != nil {
		s = e.status()
	}
	return s
}

// Changes is sent to when the state of a target has changed, or the weight that
// it wants, but not when Watch adds or removes one. Changes not yet received are
// one. It is never closed.
func (m *Monitor) Changes() <-chan struct{} { return m.changes }

// Status lists all targets in order of address.
func (m *Monitor) Status() []Status {
	m.mu.Lock()
	all := make([]Status, 0, len(m.entries))
	for _, e := range m.entries {
		all = append(all, e.status())
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b Status) int { return a.Target.compare(b.Target) })
	return all
}

// Load is how hard the checks work.
type Load struct {
	Targets int
	Limit   int           // of workers
	Busy    int           // workers: probes under way, of all types but ICMP
	Waiting int           // probes that wait for a worker
	Late    time.Duration // the most that the last probe of any target began after its time
}

// Load returns how hard the checks work.
func (m *Monitor) Load() Load {
	var l Load
	if t, ok := m.checker.(*types); ok {
		l.Limit, l.Busy, l.Waiting = t.dials.load()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l.Targets = len(m.entries)
	for _, e := range m.entries {
		l.Late = max(l.Late, e.late)
	}
	return l
}

// Answers returns how long the answers to a check took that passed, of all its
// targets together, since it was first watched; ok if it is.
func (m *Monitor) Answers(c Check) (h Histogram, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.measures[c.normal()]; s != nil {
		return s.answers, true
	}
	return Histogram{}, false
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
