package main

import (
	"fmt"
	"os"
	"time"

	"guideway/cmd/guideway-load/engine"
)

// lookEach is how often loops are looked after: not so often that it shows in latencies
// where this has a CPU with somebody who is measured.
const lookEach = 20 * time.Millisecond

// watch collects tallies into total until all loops have ended: it says how it goes,
// ends sending when it is time to or a signal comes, and receiving after that.
func (r *rig) watch(signals <-chan os.Signal, total *engine.Tally) {
	var end, tick <-chan time.Time
	if r.o.Time > 0 {
		end = time.After(r.o.Warmup + r.o.Time)
	}
	if r.o.Interval > 0 {
		t := time.NewTicker(r.o.Interval)
		defer t.Stop()
		tick = t.C
	}
	look := time.NewTicker(lookEach)
	defer look.Stop()
	began := time.Now()
	progress := newProgress(r.loops)
	for {
		select {
		case s := <-signals:
			fmt.Fprintf(os.Stderr, "%v: ending\n", s)
			r.loops[0].Stop()
		case <-end:
			r.loops[0].Stop()
		case <-tick:
			progress.ask()
		case <-look.C:
		}
		if r.loops[0].Sent() {
			for _, l := range r.loops[1:] {
				l.Stop()
			}
		}
		if part := progress.collect(); part != nil {
			fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(began).Seconds(), part.Progress())
			total.Add(part)
			part.Reset()
		}
		if r.ended() {
			total.Add(progress.part)
			return
		}
	}
}

// A progress is what loops have counted since the last line about it.
type progress struct {
	loops []*engine.Loop
	spare []*engine.Tally // to count on with, for each loop
	asked []bool
	part  *engine.Tally
}

func newProgress(loops []*engine.Loop) *progress {
	p := &progress{loops: loops, asked: make([]bool, len(loops)), part: engine.NewTally()}
	for range loops {
		p.spare = append(p.spare, engine.NewTally())
	}
	return p
}

// ask asks all loops for what they have counted.
func (p *progress) ask() {
	for i := range p.asked {
		p.asked[i] = true
	}
}

// collect takes what they give; the whole, once all that were asked have given.
func (p *progress) collect() *engine.Tally {
	waiting, got := false, false
	for i, l := range p.loops {
		if !p.asked[i] {
			continue
		}
		t := l.Collect(p.spare[i])
		if t == nil {
			waiting = true
			continue
		}
		p.part.Add(t)
		t.Reset()
		p.spare[i], p.asked[i], got = t, false, true
	}
	if waiting || !got {
		return nil
	}
	return p.part
}

func (r *rig) ended() bool {
	for _, t := range r.threads {
		select {
		case <-t.Done():
		default:
			return false
		}
	}
	return true
}
