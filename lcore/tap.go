package lcore

import (
	"math/bits"
	"sync/atomic"

	"guideway/pmd"
)

// A tap is one core's end of a [Tap]: it copies frames on their way past the
// core into slots that the control plane has made ready, and never waits for
// those to be emptied.
//
// While there is none, a core looks for it once a turn in its mailbox, once a
// burst behind rx and once a port in front of tx, and finds nil.
type tap struct {
	indexes // of slots

	sent  bool
	match func(frame []byte) bool // nil: every frame
	snap  int
	slots []copied // a power of two
	bytes []byte   // snap of each slot

	missed []atomic.Uint64 // frames that found no slot, by port. writer: core; reader: control
	until  atomic.Int64    // what is shown later is not older. writer: core; reader: control
	opened atomic.Bool     // the core has it. writer: core; reader: control
	closed atomic.Bool     // the core has let go of it. writer: core; reader: control
}

// A copied is what a slot says of its frame.
type copied struct {
	now    int64  // of its burst
	total  uint32 // bytes of the frame
	copied uint32 // bytes of it in the slot
	port   uint8
}

// newTap makes a tap whose memory is in place: the core that first touches a
// page would pay for it.
func newTap(c TapConfig, ports int) *tap {
	slots := 1 << (bits.Len(uint(max(c.Slots, 1))) - 1)
	t := &tap{
		sent: c.Sent, match: c.Match, snap: c.Snap,
		slots: make([]copied, slots), bytes: make([]byte, slots*c.Snap),
		missed: apart[atomic.Uint64](ports),
	}
	clear(t.slots)
	clear(t.bytes)
	return t
}

// keepTap shows what the last turn has copied, and takes over the tap that is
// wanted now.
func (w *Worker) keepTap(t *tap) {
	if w.tap != nil {
		w.tap.show()
		w.tap.until.Store(w.now)
	}
	if t == w.tap {
		return
	}
	if w.tap != nil {
		w.tap.closed.Store(true)
	}
	w.tap, w.tapRx, w.tapTx = t, nil, nil
	if t == nil {
		return
	}
	if t.sent {
		w.tapTx = t
	} else {
		w.tapRx = t
	}
	t.until.Store(w.now)
	t.opened.Store(true)
}

// copy copies those frames of a port's burst that match.
func (t *tap) copy(b *pmd.Burst, now int64, port int) {
	size := uint64(len(t.slots))
	for _, f := range b.Frames[:b.N] {
		data := f.Bytes()
		if t.match != nil && !t.match(data) {
			continue
		}
		if !t.room(size) {
			missed := &t.missed[port]
			missed.Store(missed.Load() + 1)
			continue
		}
		at := t.put & (size - 1)
		s := &t.slots[at]
		s.now, s.port, s.total = now, uint8(port), uint32(f.Total())
		s.copied = uint32(copy(t.bytes[int(at)*t.snap:][:t.snap], data))
		t.put++
	}
}
