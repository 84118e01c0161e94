package lcore

import (
	"testing"
	"time"

	"guideway/pmd/memport"
)

func TestPaceAccountsForAllTime(t *testing.T) {
	var p pace
	for _, turn := range []struct {
		now      int64
		received int
	}{{100, 0}, {110, 5}, {150, 0}, {155, 0}, {400, 1}, {401, 0}} {
		p.polled(turn.now)
		p.turned(turn.received)
	}
	if p.busy != 40+1 || p.free != 10+5+245 {
		t.Errorf("busy %d, free %d, want 41 and 260", p.busy, p.free)
	}
	if p.gap != 245 || p.turns != 6 || p.emptyTurns != 4 {
		t.Errorf("gap %d, turns %d, empty %d", p.gap, p.turns, p.emptyTurns)
	}
	p.gap = 0
	p.rested(time.Millisecond)
	p.polled(401 + 1_000_000)
	if p.gap != 0 || p.free != 260+1_000_000 {
		t.Errorf("a rest counts as a gap of %d, free %d", p.gap, p.free)
	}
	p.turned(0)
	p.rested(time.Millisecond)
	p.polled(401 + 2_000_000 + 70)
	if p.gap != 70 || p.free != 260+2_000_000+70 {
		t.Errorf("a rest that is 70 too long counts as a gap of %d, free %d", p.gap, p.free)
	}
}

func TestIdleCoreRestsLongerAndWakesAtOnce(t *testing.T) {
	r := newRig(t, memport.Config{}, "10.0.0.1")
	var rests []time.Duration
	r.worker.idle = func(d time.Duration) { rests = append(rests, d) }
	for range restAfter - 1 {
		r.worker.Turn()
	}
	if len(rests) != 0 {
		t.Fatalf("rested after fewer than %d empty turns", restAfter)
	}
	for range 100 {
		r.worker.Turn()
	}
	if len(rests) != 100 || rests[0] != restFirst || rests[99] != restMax {
		t.Fatalf("%d rests, from %v to %v", len(rests), rests[0], rests[len(rests)-1])
	}
	for i := 1; i < len(rests); i++ {
		if rests[i] < rests[i-1] {
			t.Fatalf("rest %d is shorter than the one before", i)
		}
	}
	r.forward(tcp4(1, syn, 0))
	n := len(rests)
	r.worker.Turn()
	if len(rests) > n+1 {
		t.Error("rests although there is work")
	}
}

// A loop that keeps its processor says so far more often than each 10 ms.
func TestStay(t *testing.T) {
	r := newRig(t, memport.Config{}, "10.0.0.1")
	stays := 0
	r.worker.stay = func() { stays++ }
	for range 50 {
		r.port.Advance(int64(time.Millisecond))
		r.worker.Turn()
		r.worker.Turn()
	}
	if stays < 25 || stays > 50 {
		t.Errorf("said so %d times in 50 ms", stays)
	}
}
