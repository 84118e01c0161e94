// Package keep lets connection tables outlive their process: they lie in files
// of memory (hugetlbfs, tmpfs), where the next process of the same version finds
// them, after an orderly stop or after a crash.
//
//	lock      whose all this is: locked as long as the process lives
//	record    whose tables these are, and which number each backend has (record.go)
//	core-N    the table of the Nth core behind a header             (table.go)
//
// The record stands before any table holds a number that it gives, so that who
// reads both never takes a number for another backend's. Tables of other numbers
// of cores, of another layout, from before a boot and so on are not believed at
// all (identity.go); entries are not believed unless they can be (conntrack.Adopt).
// A connection that is forgotten goes by the lookup table, and mostly where it
// went before; one that is misread would not.
//
// docs/conntrack.md tells it for operators.
package keep

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"guideway/control/plan"
	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
)

// Config is what tables are kept, and where.
type Config struct {
	Dir  string // is made if its parent is there; nobody else may look into it
	Huge bool   // it is on hugetlbfs, else on tmpfs
	Node int    // NUMA node that memory is to be of; -1: any

	Version string           // of the program
	Spread  string           // all that decides which core a flow comes to, in words
	Cores   int              // so many tables
	Table   conntrack.Config // of each. Memory is not looked at; Seed is for new tables

	Now  int64  // on the clock of the packet path, in nanoseconds
	Rate uint64 // of what that clock counts since the machine was booted, in Hz

	Log *slog.Logger
}

// Ways in which a table comes to be, beside the names of facts that differ
// (identity.go): how many there were of each is a metric.
const (
	Taken    = "taken"    // another process's is gone on with
	None     = "none"     // new: nobody has left one
	Damaged  = "damaged"  // new: what was left is not what was written
	Busy     = "busy"     // not kept: another process has the folder
	Unusable = "unusable" // not kept: the folder is missing or no good, or memory is short
	Off      = "off"      // not kept: nobody wants it
)

// A Refusal is why nothing can be kept: Busy or Unusable.
type Refusal struct {
	Result string
	Err    error
}

// Error is that of what was tried.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns that.
func (r *Refusal) Unwrap() error { return r.Err }

// A Store is the tables of this process. That of a nil Store are elsewhere, and
// end with it: its methods do nothing.
type Store struct {
	c      Config
	lock   *os.File
	files  []*file // one for each core
	tables []*conntrack.Table
	left   *plan.Numbers
	told   Takeover

	mu     sync.Mutex // Keep and Close may come from different goroutines
	owner  owner
	record *record
	closed bool
}

// A Takeover is what became of what was there.
type Takeover struct {
	Tables   map[string]int // by the way in which they came to be
	Adoption conntrack.Adoption
}

// Open takes over the tables in the folder, or makes new ones there. The error
// is a [Refusal]: then nothing is kept, and what was there is as it was or gone.
func Open(c Config) (*Store, error) {
	s := &Store{c: c, told: Takeover{Tables: map[string]int{}}}
	if err := s.enter(); err != nil {
		return nil, err
	}
	if err := on(s.c.Node, func() error { return nil }); err != nil {
		c.Log.Warn("connection tables lie where the kernel likes", "error", err)
		s.c.Node = -1
	}
	if err := s.fill(); err != nil {
		return nil, &Refusal{Unusable, errors.Join(err, s.wipe(), s.give())} // whoever takes their place wants the memory
	}
	return s, nil
}

// enter makes the folder and locks it.
func (s *Store) enter() error {
	no := func(err error) error { return &Refusal{Unusable, err} }
	if err := os.Mkdir(s.c.Dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return no(err)
	}
	if err := private(s.c.Dir, s.c.Huge); err != nil {
		return no(err)
	}
	var err error
	if s.lock, err = os.OpenFile(s.path("lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return no(err)
	}
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		s.lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return &Refusal{Busy, fmt.Errorf("%s: another process has its tables there", s.c.Dir)}
		}
		return no(fmt.Errorf("%s: lock: %w", s.c.Dir, err))
	}
	return nil
}

func (s *Store) path(name string) string { return filepath.Join(s.c.Dir, name) }

func tableName(core int) string { return fmt.Sprintf("core-%d", core) }

// fill gets a table for each core.
func (s *Store) fill() error {
	facts, err := s.c.facts()
	if err != nil {
		return err
	}
	was, record, result := s.look(facts)
	later := conntrack.Tick(0)
	if result == Taken {
		s.owner, s.record, s.left = was, record, &was.numbers
		later = conntrack.Ticks(s.c.Now) - conntrack.Ticks(was.then(s.c.Now, s.c.Rate))
	} else {
		if record != nil {
			record.close()
		}
		if err := s.wipe(); err != nil {
			return err
		}
		s.owner = owner{seed: s.c.Table.Seed}
		rand.Read(s.owner.instance[:])
		if s.record, err = newRecord(s.c, recordHalf); err != nil {
			return err
		}
	}
	s.owner.facts, s.owner.rate = facts, s.c.Rate
	good := s.owner.good()
	for core := range s.c.Cores {
		one := result
		if result == Taken {
			one = s.takeOver(core, later, good)
		}
		if one != Taken {
			if err := s.begin(core); err != nil {
				return err
			}
		}
		s.told.Tables[one]++
	}
	if result != Taken {
		return nil
	}
	a := s.told.Adoption
	s.c.Log.Info("connection tables taken over", "tables", s.told.Tables[Taken], "of", s.c.Cores, "entries", a.Taken, "expired", a.Expired, "void", a.Void, "dropped", a.Dropped)
	return s.record.write(&s.owner) // the same numbers, on the clock of now
}

// look reads the record of who was here, and tells whether that can be gone on
// with.
func (s *Store) look(now []fact) (was owner, r *record, result string) {
	r, err := openRecord(s.c)
	if errors.Is(err, os.ErrNotExist) {
		return was, nil, None
	}
	if err == nil {
		was, err = r.read()
	}
	if err != nil {
		result = Damaged
		if errors.Is(err, errEmpty) {
			result = None // it ended before it forwarded anything
		} else {
			s.c.Log.Warn("connection tables are not taken over: their record cannot be read", "error", err)
		}
		return was, r, result
	}
	if before, after, differ := compare(was.facts, now); differ {
		s.c.Log.Warn("connection tables are not taken over: they are of another "+before.name, "was", before.value, "is", after.value)
		return was, r, before.name
	}
	return was, r, Taken
}

// wipe removes what somebody has left who is not gone on with: the record first.
func (s *Store) wipe() error {
	err := os.Remove(s.path(recordName))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	old, _ := filepath.Glob(s.path("core-*")) // the pattern is well formed
	for _, name := range old {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// Tables are those of the cores.
func (s *Store) Tables() []*conntrack.Table { return s.tables }

// Seed is that of the tables.
func (s *Store) Seed() flow.Seed { return s.owner.seed }

// Took says what became of what was there.
func (s *Store) Took() Takeover { return s.told }

// Left are the numbers that entries of the tables hold which were taken over, for
// the first plan to go on from; nil: none were.
func (s *Store) Left() *plan.Numbers {
	if s == nil {
		return nil
	}
	return s.left
}

// Keep records the numbers of a plan. No core may have the plan before it
// returns. Where it fails nothing can be taken over until it succeeds again.
func (s *Store) Keep(n plan.Numbers) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.owner.numbers = n
	err := s.record.write(&s.owner)
	if errors.Is(err, errNoRoom) {
		err = s.moveRecord()
	}
	if err != nil {
		s.record.clear()
		return fmt.Errorf("connection tables cannot be taken over: %w", err)
	}
	return nil
}

// moveRecord puts a larger record in the place of the one there is.
func (s *Store) moveRecord() error {
	larger, err := newRecord(s.c, 2*s.owner.size())
	if err != nil {
		return err
	}
	larger.sequence = s.record.sequence
	if err := larger.write(&s.owner); err != nil {
		larger.close()
		return err
	}
	s.record.close()
	s.record = larger
	return nil
}

// Kept tells whether the next process would find the tables.
func (s *Store) Kept() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.record.holds()
}

// Close marks the tables as complete and gives back their memory. Cores must
// have come to rest for good. It may be called twice.
func (s *Store) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	for _, f := range s.files {
		f.complete()
	}
	return s.give()
}

// give lets go of all that there is.
func (s *Store) give() error {
	s.closed = true
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.close())
	}
	if s.record != nil {
		errs = append(errs, s.record.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
