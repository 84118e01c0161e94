// Package engine sends the streams of package traffic through ports, receives
// what comes back, and judges it. It knows ports by package pmd alone and the
// time by their bursts.
//
//	Pace      how many packets are due
//	Loop      one poll loop: sends what is due, gives what it receives to its sink
//	Sink      reads frames: latency, flows, backends
//	ledger    what is remembered of each flow: eight bytes
//	Tally     what a loop has counted since it was last asked
//	Report    all tallies and the ledger, as a text and as JSON
package engine

import (
	"sync/atomic"

	"guideway/cmd/guideway-load/traffic"
	"guideway/pmd"
)

// A Paced is a stream with the rate at which it is sent.
type Paced struct {
	traffic.Stream
	Flood bool // counted apart from the flows
	Pace  Pace
}

// Config describes a poll loop.
type Config struct {
	// Tx is the queue that sends Streams; nil: the loop only receives.
	Tx      pmd.Queue
	Streams []*Paced

	// Rx are the queues that Sink is given the frames of; without a sink they
	// are freed unread.
	Rx   []pmd.Queue
	Sink *Sink

	// Start is shared by the loops of a test; Lead is the one that sets it, after
	// its Warmup: the one that sends, if any does.
	Start *Start
	Lead  bool

	// Clock is the time of a loop without Rx.
	Clock func() int64

	// Stay, where set, is called each turn by a loop that has its thread and its
	// processor for itself, and is to keep both: timeslice.Renew.
	Stay func()

	// Packets is how many packets are sent and counted, floods aside; 0: no end
	// but Stop.
	Packets uint64
	// Warmup is how long traffic flows before anything counts, from the first
	// turn on, in nanoseconds.
	Warmup int64
	// Quiet ends a stopped loop: nothing of the plan came for so long, in
	// nanoseconds. It ends after ten times that in any case.
	Quiet int64
}

// Start is when measuring begins: packets sent since then count, and earlier ones,
// of the warm-up, do not. Where nothing is sent, those count that come since then.
type Start struct {
	at     atomic.Int64                  // writer: the lead, once; 0: not yet
	before atomic.Pointer[traffic.Flows] // writer: the lead, before that; nil: nothing is sent
}

// phase is where a loop is.
//
//	warm --------> measure -----------> drain -------> ended
//	      Warmup            Stop,              Quiet
//	                        Packets
//
// A loop that is stopped while warm drains, too.
type phase uint8

const (
	warm    phase = iota // sends and receives, and nothing counts
	measure              // what is sent counts
	drain                // sends nothing
	ended
)

// Loop is a poll loop. Run and Turn are for its thread, all else for others.
type Loop struct {
	cfg   Config
	burst *pmd.Burst
	phase phase
	next  int // of the streams, which is first

	now      int64
	began    int64 // the first turn
	stopped  int64 // when sending ended
	quiet    int64 // when the last packet of the plan came
	measured uint64

	// What is counted, and the next one to count into: see Collect.
	tally *Tally
	offer atomic.Pointer[Tally] // writer: control, and the loop, which empties it
	given atomic.Pointer[Tally] // writer: the loop, and control, which empties it
	asked bool                  // control's: a tally has been offered and none given yet

	stop atomic.Bool // writer: control
	sent atomic.Bool // writer: the loop: sending has ended
}

// New makes a loop. cfg has a Tx or an Rx.
func New(cfg Config) *Loop {
	return &Loop{cfg: cfg, burst: new(pmd.Burst), tally: NewTally()}
}

// Run polls until it has been stopped, or has sent all that it should, and what
// was on its way has come.
func (l *Loop) Run() {
	for l.Turn() {
	}
}

// Turn goes round once. It reports whether there is another turn.
func (l *Loop) Turn() bool {
	if l.cfg.Stay != nil {
		l.cfg.Stay()
	}
	came := l.receive()
	switch l.phase {
	case warm, measure:
		l.send()
	case drain:
		if came {
			l.quiet = l.now
		}
		if l.now-l.quiet >= l.cfg.Quiet || l.now-l.stopped >= 10*l.cfg.Quiet {
			l.phase = ended
			l.tally.To = l.now
		}
	case ended:
		return false
	}
	l.endSending()
	if n := l.offer.Load(); n != nil {
		l.offer.Store(nil)
		l.tally.To = l.now
		if l.phase != warm {
			n.From = l.now
		}
		old := l.tally
		l.tally = n
		l.given.Store(old)
	}
	return true
}

// tick makes now the time, and begins to measure when it is time to.
func (l *Loop) tick(now int64) {
	l.now = now
	if l.phase != warm {
		return
	}
	if l.began == 0 {
		l.began = now
	}
	if l.cfg.Lead && now-l.began >= l.cfg.Warmup {
		l.lead()
	}
	if at := l.cfg.Start.at.Load(); at != 0 {
		l.phase, l.tally.From = measure, at
	}
}

// lead begins to measure, for all loops.
func (l *Loop) lead() {
	for _, s := range l.cfg.Streams {
		if f, ok := s.Stream.(*traffic.Flows); ok {
			before := *f
			l.cfg.Start.before.Store(&before)
		}
	}
	l.cfg.Start.at.Store(l.now)
}

// endSending ends it where it should.
func (l *Loop) endSending() {
	if l.phase >= drain {
		return
	}
	if l.stop.Load() || l.cfg.Packets > 0 && l.measured >= l.cfg.Packets {
		l.phase, l.stopped, l.quiet = drain, l.now, l.now
		if l.cfg.Lead {
			l.tally.Stopped = l.now
		}
		l.sent.Store(true)
	}
}

// receive takes a burst from each queue and reports whether any of the plan's
// packets came.
func (l *Loop) receive() (came bool) {
	if len(l.cfg.Rx) == 0 {
		l.tick(l.cfg.Clock())
		return false
	}
	b := l.burst
	for _, q := range l.cfg.Rx {
		q.Rx(b, pmd.MaxBurst)
		l.tick(b.Now)
		if b.N == 0 {
			l.tally.EmptyPolls++
			continue
		}
		if l.cfg.Sink != nil {
			came = l.cfg.Sink.take(b, l.cfg.Start, l.tally) || came
		} else {
			came = true
			if l.cfg.Start.at.Load() != 0 {
				l.tally.Received += uint64(b.N)
			}
		}
		q.Free(b)
	}
	return came
}

// send sends what is due of one of the streams.
func (l *Loop) send() {
	if len(l.cfg.Streams) == 0 {
		return
	}
	for range l.cfg.Streams {
		s := l.cfg.Streams[l.next]
		if l.next++; l.next == len(l.cfg.Streams) {
			l.next = 0
		}
		due := s.Pace.Due(l.now)
		if l.cfg.Packets > 0 && !s.Flood && l.phase == measure {
			due = int(min(uint64(due), l.cfg.Packets-l.measured))
		}
		if due > 0 {
			l.sendBurst(s, due)
		}
	}
}

func (l *Loop) sendBurst(s *Paced, due int) {
	b, q, t := l.burst, l.cfg.Tx, l.tally
	packets, frames := s.Plan(due, pmd.MaxBurst)
	if q.Alloc(b, frames) == 0 {
		t.NoFrame++
		return
	}
	s.Put(b.Frames[:frames], packets, l.now)
	var bytes [pmd.MaxBurst + 1]int // of the first frames
	for i, f := range b.Frames[:frames] {
		bytes[i+1] = bytes[i] + f.Len()
	}
	if sent := q.Tx(b); sent < frames {
		packets -= s.Undo(frames - sent)
		if l.phase == measure {
			t.Refused += uint64(frames - sent)
		}
		frames = sent
	}
	s.Pace.Spent(packets)
	if l.phase != measure {
		return
	}
	if s.Flood {
		t.FloodSent += uint64(frames)
		return
	}
	l.measured += uint64(packets)
	t.Sent += uint64(packets)
	t.SentFrames += uint64(frames)
	t.SentBytes += uint64(bytes[frames])
	t.Lag = max(t.Lag, s.Pace.Lag())
}

// Stop ends sending; the loop ends when what was on its way has come.
func (l *Loop) Stop() { l.stop.Store(true) }

// Sent tells whether the loop has ended sending.
func (l *Loop) Sent() bool { return l.sent.Load() }

// Collect returns what the loop has counted since the last time, and gives it next
// to count on with; nil while it has not come round to that. next then stays the
// loop's: the next call changes nothing about it.
func (l *Loop) Collect(next *Tally) *Tally {
	if !l.asked {
		l.offer.Store(next)
		l.asked = true
	}
	t := l.given.Swap(nil)
	if t != nil {
		l.asked = false
	}
	return t
}

// Rest returns what a loop that has ended has counted since the last Collect.
func (l *Loop) Rest() []*Tally {
	list := []*Tally{l.tally}
	if t := l.given.Swap(nil); t != nil {
		list = append(list, t)
	}
	return list
}
