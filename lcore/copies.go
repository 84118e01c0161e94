package lcore

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// A TapConfig says which frames a Tap copies.
type TapConfig struct {
	// Sent has frames copied as they are handed to a port's device: in their
	// tunnels, and all that the node answers, redirects, or sends for its kernel.
	// Otherwise frames are copied as a port has received them.
	Sent bool

	// Match picks frames; nil: every one. The cores call it, side by side, for
	// every frame: it must neither wait nor allocate, and keep nothing of its
	// argument.
	Match func(frame []byte) bool

	Snap  int // bytes that are copied of a frame, at most
	Slots int // copies of a core that may wait to be taken; rounded down to a power of two
}

// A Copy is a frame as a core saw it.
type Copy struct {
	Now   int64  // when, on the clock of pmd.Burst
	Port  int    // index of the port
	Total int    // bytes of the frame
	Data  []byte // as many of them as were copied; until the next Next or Close
}

// A Tap copies frames that pass the cores, for one reader. It takes nothing away
// and counts under no verdict. Its methods are called from one goroutine.
type Tap struct {
	group *Group
	cores []*tap // of each worker
	last  *tap   // whose first slot is the reader's; nil: none
	open  bool
}

// ErrTapped is that there is a Tap already: there is one at a time.
var ErrTapped = errors.New("frames are being copied already")

// Tap begins to copy frames, and returns when every core does. If one does not
// answer before ctx ends, none does, and the error names it.
func (g *Group) Tap(ctx context.Context, c TapConfig) (*Tap, error) {
	if !g.tapped.CompareAndSwap(false, true) {
		return nil, ErrTapped
	}
	t := &Tap{group: g, open: true}
	for _, w := range g.workers {
		t.cores = append(t.cores, newTap(c, len(w.ports)))
	}
	for i, w := range g.workers {
		w.mail.tap.Store(t.cores[i])
	}
	if err := t.await(ctx, func(k *tap) bool { return k.opened.Load() }); err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

// Close ends the copying, and returns when every core has let go. Next then
// gives what is left. On error, which names those that have not, a core
// that comes back finds out by itself; nothing waits for it. Closing twice is
// harmless.
func (t *Tap) Close(ctx context.Context) error {
	if !t.open {
		return nil
	}
	t.end()
	return t.await(ctx, func(k *tap) bool { return k.closed.Load() })
}

func (t *Tap) end() {
	for _, w := range t.group.workers {
		w.mail.tap.Store(nil)
	}
	t.open = false
	t.group.tapped.Store(false)
}

// await waits until all cores are done, or ctx ends.
func (t *Tap) await(ctx context.Context, done func(*tap) bool) error {
	var late []int
	err := wait(ctx, func() bool {
		late = late[:0]
		for i, k := range t.cores {
			if !done(k) {
				late = append(late, t.group.workers[i].cpu)
			}
		}
		return len(late) == 0
	})
	if err != nil {
		return fmt.Errorf("cores %v do not answer: %w", late, err)
	}
	return nil
}

// patience is how far one core may be behind the others before its copies count
// as late, in nanoseconds: they then come out of order.
const patience = 200_000_000

// Next returns the oldest copy, and false if there is none whose turn it is: a
// core may yet show an older one.
func (t *Tap) Next() (Copy, bool) {
	if t.last != nil {
		t.last.drop(1)
		t.last = nil
	}
	horizon := t.horizon() // before looking into slots: what is older has been shown
	var first *tap
	oldest := int64(math.MaxInt64)
	for _, k := range t.cores {
		if k.waiting() == 0 {
			continue
		}
		if now := k.head().now; first == nil || now < oldest {
			first, oldest = k, now
		}
	}
	if first == nil || oldest > horizon {
		return Copy{}, false
	}
	t.last = first
	s := first.head()
	return Copy{Now: s.now, Port: int(s.port), Total: int(s.total), Data: first.data(s.copied)}, true
}

// horizon is up to when all cores have shown their copies, as far as they are not
// late.
func (t *Tap) horizon() int64 {
	if !t.open {
		return math.MaxInt64
	}
	slowest, fastest := int64(math.MaxInt64), int64(math.MinInt64)
	for _, k := range t.cores {
		until := k.until.Load()
		slowest, fastest = min(slowest, until), max(fastest, until)
	}
	return max(slowest, fastest-patience)
}

// head is the first of the reader's slots, and data what was copied into it.
func (t *tap) head() *copied { return &t.slots[t.taken.Load()&uint64(len(t.slots)-1)] }

func (t *tap) data(n uint32) []byte {
	at := int(t.taken.Load()&uint64(len(t.slots)-1)) * t.snap
	return t.bytes[at:][:n:n]
}

// Missed returns how many frames matched and found no slot, by port.
func (t *Tap) Missed() []uint64 {
	var missed []uint64
	for _, k := range t.cores {
		if missed == nil {
			missed = make([]uint64, len(k.missed))
		}
		for port := range k.missed {
			missed[port] += k.missed[port].Load()
		}
	}
	return missed
}
