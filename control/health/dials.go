package health

import (
	"context"
	"math"
	"runtime/metrics"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// dials checks by all types that open a connection or send a datagram. Each
// probe is a function that blocks, on a goroutine; there are never more of
// these than limit. What comes when all are busy waits, first come, first
// served, and its time counts from when its turn comes.
type dials struct {
	most   int // that limit can be
	enter  func(func() error) error
	tunnel *tunnel
	ctx    context.Context // ends all probes
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	kits   map[Check]*kit
	need   float64 // workers that all targets can use at once, if each takes its whole timeout
	limit  int
	busy   int
	queue  []turn // a ring
	first  int
	queued int
	closed bool

	// How many workers may be added in this turn of the loop: a few, so that what
	// is due after a pause does not go out in one burst; and none while goroutines
	// wait for a processor, since more would take it from those that have begun,
	// whose time runs. What has to wait is late instead.
	room     int
	runnable func() uint64 // goroutines that wait for a processor
}

// A turn is a round that waits for a worker.
type turn struct {
	dial  *dial
	round uint64
}

// A dial is the probe of one target.
type dial struct {
	dials  *dials
	target Target
	kit    *kit
	report func(result)
	ctx    context.Context
	cancel context.CancelFunc
	share  float64 // of need
	ended  bool    // dials.mu is over it
}

const (
	fewest = 8   // workers, however few the targets
	spare  = 1.1 // times as many as are needed by the average: probes are not spread perfectly
	never  = 1 << 14

	burst = 16 // workers that are added in one turn of the loop, which is a millisecond or more
	crowd = 32 // goroutines that wait for a processor; a probe needs one for 50 us or so
)

func newDials(most int, enter func(func() error) error, t *tunnel) *dials {
	if most <= 0 {
		most = never
		var files unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil && files.Cur/2 < never {
			most = max(int(files.Cur/2), fewest)
		}
	}
	d := &dials{most: most, enter: enter, tunnel: t, kits: map[Check]*kit{}, queue: make([]turn, 16), runnable: runnable}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.size()
	return d
}

func (d *dials) open(t Target, report func(result)) probe {
	p := &dial{dials: d, target: t, report: report, share: float64(t.Timeout) / float64(t.Interval)}
	p.ctx, p.cancel = context.WithCancel(d.ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	p.kit = d.kits[t.Check]
	if p.kit == nil {
		p.kit = &kit{check: t.Check}
		d.kits[t.Check] = p.kit
	}
	p.kit.uses++
	d.need += p.share
	d.size()
	return p
}

// size sets how many workers there may be. The lock is held.
func (d *dials) size() { d.limit = min(max(int(math.Ceil(d.need*spare)), fewest), d.most) }

func (p *dial) waits() bool { return true }

// start has a round wait for its turn, which may be at once.
func (p *dial) start(round uint64) {
	d := p.dials
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || p.ended {
		return
	}
	d.push(turn{p, round})
	d.add()
}

// add adds a worker if that is allowed. The lock is held.
func (d *dials) add() bool {
	if d.busy >= d.limit || d.room <= 0 && d.busy >= fewest {
		return false
	}
	d.room--
	d.busy++
	d.ended.Go(d.work)
	return true
}

// work does rounds until none waits.
func (d *dials) work() {
	for t, ok := d.next(); ok; t, ok = d.next() {
		t.dial.ask(t.round)
	}
}

// next takes the round that waits longest, or says that this worker may go.
func (d *dials) next() (turn, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.queued > 0 && d.busy <= d.limit {
		t := d.queue[d.first]
		d.queue[d.first] = turn{}
		d.first = (d.first + 1) % len(d.queue)
		d.queued--
		if !t.dial.ended {
			return t, true
		}
	}
	d.busy--
	return turn{}, false
}

func (d *dials) push(t turn) {
	if d.queued == len(d.queue) {
		longer := make([]turn, 2*len(d.queue))
		n := copy(longer, d.queue[d.first:])
		copy(longer[n:], d.queue[:d.first])
		d.queue, d.first = longer, 0
	}
	d.queue[(d.first+d.queued)%len(d.queue)] = t
	d.queued++
}

// grace is how long after its timeout a probe may end and still be believed. One
// that ends later has met a machine that was stuck, most likely this one.
const grace = 100 * time.Millisecond

// ask does one round.
func (p *dial) ask(round uint64) {
	p.report(result{round: round, kind: begun})
	began := time.Now()
	ctx, cancel := context.WithDeadline(p.ctx, began.Add(p.target.Timeout))
	defer cancel()
	q := &inquiry{dial: p, deadline: began.Add(p.target.Timeout)}
	err := asks[p.target.Check.Type](ctx, q)
	q.close()
	took := time.Since(began)
	r := result{round: round, latency: took, weight: q.weight, unclear: q.unclear}
	if err != nil {
		r.kind, r.err = q.judge(err, took)
	}
	p.report(r)
}

func (p *dial) close() {
	p.cancel()
	d := p.dials
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	d.need = max(d.need-p.share, 0)
	d.size()
	if p.kit.uses--; p.kit.uses == 0 && d.kits[p.target.Check] == p.kit {
		delete(d.kits, p.target.Check)
	}
}

// renew has files read again.
func (d *dials) renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.kits {
		k.forget()
	}
}

// settle has no answers to wait for: probes report how they ended. It adds
// workers for what waits, if there are processors to be had.
func (d *dials) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room = burst; d.runnable() > crowd {
		d.room = 0
	}
	for n := d.queued; n > 0 && !d.closed && d.add(); n-- {
	}
}

// runnable counts the goroutines of this process that could run, and wait.
func runnable() uint64 {
	s := [1]metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}
	metrics.Read(s[:])
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

func (d *dials) load() (limit, busy, waiting int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.limit, d.busy, d.queued
}

func (d *dials) close() {
	d.mu.Lock()
	d.closed = true
	d.first, d.queued, d.queue = 0, 0, make([]turn, 1)
	d.mu.Unlock()
	d.cancel()
	d.ended.Wait()
}
