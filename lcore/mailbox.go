package lcore

import (
	"sync/atomic"

	"guideway/maglev/fib"
)

// A mailbox is all that a core and the control plane share. The core looks
// into it once a turn: loads and stores, no read-modify-write, no waiting.
type mailbox struct {
	_       [cacheLine]byte         // the core's own fields stay on lines of their own
	edition atomic.Pointer[edition] // writer: control; reader: core
	ask     atomic.Pointer[Report]  // writer: control; reader: core, which answers each pointer once
	stop    atomic.Bool             // writer: control; reader: core
	_       [cacheLine]byte
	echo    atomic.Uint64 // writer: core; reader: control
	_       [cacheLine]byte
}

const cacheLine = 64

// An edition is a snapshot with counters that are large enough for it.
type edition struct {
	snapshot *fib.Snapshot
	counters *counters // zero, until the core takes it over
	fresh    fresh     // whose counters begin at zero
}

// fresh are the ids that have come to name another service or endpoint than in
// the snapshot that the core works by.
type fresh struct {
	services, endpoints []uint32
}

// adopt takes over what has been published since the last turn, and echoes it.
func (w *Worker) adopt() {
	e := w.mail.edition.Load()
	if e.snapshot == w.snapshot {
		return
	}
	if e.counters != w.counters {
		e.counters.copyFrom(w.counters)
		w.counters = e.counters
	}
	w.counters.reset(e.fresh)
	w.snapshot = e.snapshot
	w.mail.echo.Store(e.snapshot.Generation)
}
