// Package capture copies packets that pass the cores to a file, on an
// operator's word.
//
//	capture.go  one capture: from the filter to the last block of the file
//	filter.go   what matches: frames, and the packets in them
//	machine.go  runs a filter's program; on the cores
//	file.go     the pcapng file and its limits
//
// The cores copy ([lcore.Tap]); all else is done here, by the goroutine that
// calls [Capturer.Run]. When that returns, for whatever reason, nothing is
// copied any more.
package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/bits"
	"time"

	"golang.org/x/net/bpf"

	"guideway/lcore"
	"guideway/pmd"
)

// Options are what a Capturer is made of.
type Options struct {
	Group *lcore.Group
	Ports []pmd.Info   // by index, as the cores have them
	Clock func() int64 // that stamps bursts, now

	// Compile turns a filter of tcpdump's syntax into a program: for Ethernet
	// frames or, with inside, for the IP packets in them.
	Compile func(filter string, inside bool) ([]bpf.RawInstruction, error)

	Program string // and its version, for the file
	Node    string // likewise
	Log     *slog.Logger
}

// A Capturer captures, once at a time. It may be asked from any goroutine.
type Capturer struct{ o Options }

// New makes a Capturer.
func New(o Options) *Capturer { return &Capturer{o: o} }

// A Request says what to capture, and when to end.
type Request struct {
	Filter string        // "": everything
	Sent   bool          // as packets are sent; false: as they are received
	Count  int           // packets at most
	Time   time.Duration // at most
	Size   int64         // bytes of the file at most; 0: MaxSize
	File   string        // must not exist
}

// Ways for a capture to end.
const (
	ByCount    = "count"
	ByTime     = "time"
	BySize     = "size"
	ByOperator = "the operator"
)

// A Result is how a capture went.
type Result struct {
	Packets int
	Bytes   int64  // of the file
	Missed  uint64 // packets that matched and found no room
	Ended   string // by which limit
}

// Limits of asking the cores.
const (
	coreLimit  = time.Second
	coreMemory = 8 << 20 // bytes that a core's copies take, at most; but minSlots at least
	minSlots   = 64
)

// How often copies are fetched, and how many before the limits are looked at
// again: a core that copies all it can, 10 million frames of 64 bytes a second,
// would fill the slots for frames of 1500 within half a millisecond; no file is
// written that fast.
const (
	fetchPeriod = time.Millisecond
	fetchBatch  = 1024
)

// Run captures until a limit is reached or ctx ends, which is no error.
func (c *Capturer) Run(ctx context.Context, r Request) (*Result, error) {
	match, err := newFilter(c.o.Compile, r.Filter)
	if err != nil {
		return nil, fmt.Errorf("filter %q: %w", r.Filter, err)
	}
	snap := c.snap()
	soon, cancel := context.WithTimeout(ctx, coreLimit)
	defer cancel()
	tap, err := c.o.Group.Tap(soon, lcore.TapConfig{Sent: r.Sent, Match: match, Snap: snap, Slots: slots(snap)})
	if errors.Is(err, lcore.ErrTapped) {
		return nil, errors.New("another capture is under way: one at a time")
	}
	if err != nil {
		return nil, err
	}
	defer c.untap(ctx, tap)
	f, err := c.create(r, snap)
	if err != nil {
		return nil, err
	}
	c.o.Log.Info("capturing", "file", r.File, "filter", r.Filter, "sent", r.Sent)
	ended, err := c.record(ctx, tap, f, r)
	c.untap(ctx, tap)
	if err == nil && (ended == ByTime || ended == ByOperator) {
		_, err = f.fetch(tap, math.MaxInt) // what was copied until then
	}
	missed := tap.Missed()
	err = errors.Join(err, f.finish(missed))
	if err != nil {
		return nil, fmt.Errorf("%s is not whole, it has %d packets: %w", r.File, f.packets, err)
	}
	result := &Result{Packets: f.packets, Bytes: f.bytes, Ended: ended}
	for _, n := range missed {
		result.Missed += n
	}
	return result, nil
}

// record fetches copies into the file until there are enough.
func (c *Capturer) record(ctx context.Context, tap *lcore.Tap, f *file, r Request) (ended string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.Time, errTime)
	defer cancel()
	tick := time.NewTicker(fetchPeriod)
	defer tick.Stop()
	for {
		n, err := f.fetch(tap, fetchBatch)
		switch {
		case err != nil:
			return "", err
		case f.full != "":
			return f.full, nil
		case n == fetchBatch && ctx.Err() == nil:
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if context.Cause(ctx) == errTime {
				return ByTime, nil
			}
			return ByOperator, nil
		}
	}
}

var errTime = errors.New("time is over")

// untap ends the copying, also after ctx has ended.
func (c *Capturer) untap(ctx context.Context, tap *lcore.Tap) {
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), coreLimit)
	defer cancel()
	if err := tap.Close(soon); err != nil {
		c.o.Log.Warn("a capture has ended without its last packets", "error", err)
	}
}

// snap is how many bytes the largest frame has that a port sends, and any that
// it is meant to receive: Ethernet and two VLAN tags before the packet.
func (c *Capturer) snap() int {
	snap := 0
	for _, p := range c.o.Ports {
		snap = max(snap, p.MTU+22)
	}
	return snap
}

// slots is how many frames of that size a core may be ahead of the file.
func slots(snap int) int { return max(minSlots, 1<<(bits.Len(uint(coreMemory/snap))-1)) }
