package lcore

import (
	"context"
	"sync/atomic"
	"time"

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
)

// An Entry is what a core remembers of a flow.
type Entry struct {
	CPU   int
	Hash  uint64 // of the flow: picks among ways
	Known bool   // the rest is of its entry; otherwise it has none
	Value fib.Value
	State conntrack.State
	Idle  time.Duration // since the flow's last packet
}

// A query asks a core for its entry of a flow.
type query struct {
	key   flow.Key
	entry Entry
	done  atomic.Bool // writer: core, when entry is filled; reader: control
}

// answerQuery looks the flow up that somebody asks for. The entry is as before.
func (w *Worker) answerQuery(q *query) {
	now := conntrack.Ticks(w.now)
	hash := w.conntrack.Hash(&q.key)
	q.entry = Entry{CPU: w.cpu, Hash: hash}
	if at, known := w.conntrack.Find(&q.key, hash, now); known {
		q.entry.Known, q.entry.Value = true, fib.Value(w.conntrack.Value(at))
		q.entry.State, q.entry.Idle = w.conntrack.Look(at, now)
	}
	q.done.Store(true)
}

// Entries asks every core what it remembers of a flow. More than one core may
// have an entry where a flood was spread, or a device's word for its RSS is not
// true. Those that do not answer before ctx ends are left out, and named by a
// [SilentError]. One caller asks at a time.
func (g *Group) Entries(ctx context.Context, k *flow.Key) ([]Entry, error) {
	g.querying.Lock()
	defer g.querying.Unlock()
	asked := make([]*query, len(g.workers))
	for i, w := range g.workers {
		asked[i] = &query{key: *k}
		w.mail.query.Store(asked[i])
	}
	var entries []Entry
	var late []int
	err := wait(ctx, func() bool {
		entries, late = entries[:0], late[:0]
		for i, q := range asked {
			if q.done.Load() {
				entries = append(entries, q.entry)
			} else {
				late = append(late, g.workers[i].cpu)
			}
		}
		return len(late) == 0
	})
	if err != nil {
		return entries, &SilentError{late, err}
	}
	return entries, nil
}
