// Package conntrack remembers which endpoint a flow was sent to: a fixed-size
// hash table for one core, which alone reads and writes it. It takes no locks,
// allocates nothing after [New], and holds no pointers.
//
// A packet goes through it in two stages, with the burst's other packets in
// between while the memory comes:
//
//	h := t.Hash(&key)             stage 1: hash, and prefetch t.Place(&key, h).Line
//	at, ok := t.Find(&key, h, now)   stage 2: look
//	t.Value(at) is good:  t.Touch(at, now, event)
//	            is not:   t.Replace(at, another, now, event)
//	not ok:               t.Insert(&key, h, value, now, event)
//
// Hit is the second stage for what is usual, in one step.
//
// An entry is never needed for a right answer: the caller can always select an
// endpoint anew, and consistent hashing mostly selects the same. What a full
// table loses is therefore bounded, and a flood of new flows cannot take more:
// a flow once confirmed is never evicted before its timeout (see [State]).
//
// docs/conntrack.md tells why the table is laid out as it is (line.go).
package conntrack

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"guideway/maglev/flow"
)

// MaxFlows is the largest Config.Flows: more would not fit the 32 bits of a
// Slot.
const MaxFlows = 1 << 27

// Config is what a table is made from.
type Config struct {
	Flows    int       // flows of each family that the table must hold, 1..MaxFlows
	Seed     flow.Seed // secret and random, so that nobody outside can aim flows at one line
	Timeouts Timeouts

	// Memory to lie in: zeroed, aligned to 64 bytes, at least Bytes(Flows)
	// long, and the table's own as long as the table is used. Nil is memory
	// from Go. The contents do not depend on where the memory is mapped.
	Memory []byte
}

// Timeouts tell how long an entry outlives its last packet. All are positive
// and at most MaxTimeout.
type Timeouts struct {
	TCPNew         time.Duration // before the second packet
	TCPEstablished time.Duration
	TCPClosing     time.Duration // after FIN or RST
	UDP            time.Duration
	Other          time.Duration // SCTP and whatever else
}

// A Table is the connection table of one core. Its methods are for that core
// alone.
type Table struct {
	lines  []line
	base   uintptr // address of lines[0], for prefetching
	v4, v6 family
	seed   flow.Seed
	marks  [1 << markBits]marking
	renew  [1 << markBits]Tick
	class  [256]uint8 // classes, beside the rest
	next   uint32     // where Age goes on
	stats  Stats      // but Entries, which the families count
}

// Stats are counters since New, but Entries, which is now.
type Stats struct {
	Entries   uint64 // entries, expired ones that nobody came across included
	Inserts   uint64 // flows that got an entry
	Moves     uint64 // entries that were moved so that another flow got one
	Expiries  uint64 // entries that timed out
	Evictions uint64 // unconfirmed entries that made room for another flow
	Full      uint64 // flows that got no entry
}

// A family is the part of a table for IPv4 or for IPv6.
type family struct {
	first uint32 // index of its first line, a multiple of group
	count uint64 // lines, a multiple of group
	taken uint64 // entries
	roomy uint64 // entries from which on the family is crowded: searching for a place is seldom worth while
}

// Bytes returns the memory that a table for so many flows of each family
// takes: 80 bytes per flow, 40 for each family, and up to some lines for rounding.
func Bytes(flows int) int { return 2 * lineCount(flows) * lineBytes }

// lineCount gives the lines of one family for so many flows, of whose slots 53 %
// are then in use.
func lineCount(flows int) int { return ((flows*5+7)/8 + group - 1) &^ (group - 1) }

// New makes an empty table.
func New(c Config) (*Table, error) {
	if c.Flows < 1 || c.Flows > MaxFlows {
		return nil, fmt.Errorf("conntrack: %d flows, want 1..%d", c.Flows, MaxFlows)
	}
	marks, err := c.Timeouts.byMark()
	if err != nil {
		return nil, err
	}
	n := lineCount(c.Flows)
	memory := c.Memory
	if memory == nil {
		memory = newMemory(2 * n)
	}
	if len(memory) < 2*n*lineBytes {
		return nil, fmt.Errorf("conntrack: %d bytes of memory for %d flows, want %d", len(memory), c.Flows, Bytes(c.Flows))
	}
	lines, base := cast(memory, 2*n)
	if base%lineBytes != 0 {
		return nil, errors.New("conntrack: memory is not aligned to 64 bytes")
	}
	return &Table{
		lines: lines,
		base:  base,
		v4:    newFamily(0, n),
		v6:    newFamily(n, n),
		seed:  c.Seed,
		marks: marks,
		renew: byAge(&marks),
		class: classes,
	}, nil
}

func newFamily(first, count int) family {
	return family{first: uint32(first), count: uint64(count), roomy: uint64(count * slots / 8 * 7)}
}

// Len returns the number of entries; see Stats.Entries.
func (t *Table) Len() int { return int(t.v4.taken + t.v6.taken) }

// Lines returns the number of lines that one round of Age visits.
func (t *Table) Lines() int { return len(t.lines) }

// Stats returns the counters.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Entries = t.v4.taken + t.v6.taken
	return s
}

// home returns the index of the line that a flow of that hash is kept in if
// there is room, and away a line in the group it goes to when there is none
// in its home group. They are drawn from different bits of the hash.
func (f *family) home(h uint64) uint32 { return f.first + scale(h, f.count) }
func (f *family) away(h uint64) uint32 {
	return f.first + scale(bits.RotateLeft64(h, 32), f.count)
}

// scale maps h to 0..n-1 by its top bits, for any n: floor(h/2^64 * n).
func scale(h, n uint64) uint32 {
	hi, _ := bits.Mul64(h, n)
	return uint32(hi)
}
