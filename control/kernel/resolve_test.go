package kernel

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at is seconds after the start.
func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * 1e9)) }

func steady() float64 { return 0 }

// TestResolverSteps takes one neighbour through all its states.
func TestResolverSteps(t *testing.T) {
	gw := target{1, ip("192.0.2.1")}
	r := newResolver(steady)
	r.aim(map[target]bool{gw: true})
	for _, step := range []struct {
		at    float64
		known neighbour
		ask   bool
		again float64 // seconds; -1: nothing to come
		says  string
	}{
		{0, neighbour{}, true, 1, "absent: ask at once"},
		{0.5, neighbour{}, false, 1, "absent, asked lately"},
		{0.6, neighbour{state: Incomplete, busy: true}, false, -1, "the kernel is asking"},
		{3, neighbour{state: Failed}, true, 5, "failed: the first retry is due"},
		{4, neighbour{state: Failed}, false, 5, "backing off"},
		{5, neighbour{state: Failed}, true, 9, "twice as long"},
		{9, neighbour{state: Failed}, true, 17, "four times"},
		{17, neighbour{state: Failed}, true, 33, "eight times"},
		{33, neighbour{state: Failed}, true, 63, "no longer than the longest wait"},
		{63, neighbour{}, true, 93, "absent is as failed"},
		{64, neighbour{state: Reachable}, false, -1, "found"},
		{100, neighbour{state: Stale}, true, 101, "stale: confirm at once"},
		{100.2, neighbour{state: Stale, busy: true}, false, -1, "the kernel is confirming"},
		{101, neighbour{state: Failed}, true, 102, "lost: ask at once"},
		{101.1, neighbour{state: Stale}, true, 102.1, "answered by another's question: confirm"},
		{101.2, neighbour{state: Stale}, false, 102.1, "confirm once"},
		{102.1, neighbour{state: Stale}, true, 104.1, "not confirmed: again, but later"},
	} {
		ask, again := r.due(at(step.at), map[target]neighbour{gw: step.known})
		if got := len(ask) == 1; got != step.ask {
			t.Errorf("at %v (%s): asks %v", step.at, step.says, got)
		}
		if want := at(step.again); step.again < 0 && !again.IsZero() || step.again >= 0 && !again.Round(time.Millisecond).Equal(want) {
			t.Errorf("at %v (%s): comes again %v later, want %v", step.at, step.says, again.Sub(at(step.at)), want.Sub(at(step.at)))
		}
	}
	r.aim(map[target]bool{})
	if ask, again := r.due(at(200), nil); len(ask) > 0 || !again.IsZero() {
		t.Error("asks for what nobody wants")
	}
}

// TestResolverRate: thousands of neighbours that never answer are asked for in
// turn, never more than the rate, each no more often than its backoff says.
func TestResolverRate(t *testing.T) {
	const n = 2000
	wanted := map[target]bool{}
	for i := range n {
		wanted[target{1, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}] = true
	}
	r := newResolver(steady)
	r.aim(wanted)
	now, total, asked := start, 0, map[target]int{}
	window := map[int]int{} // requests by second
	for now.Before(at(12)) {
		ask, again := r.due(now, nil)
		if len(ask) > askBurst {
			t.Fatalf("%d at once", len(ask))
		}
		for _, who := range ask {
			asked[who]++
		}
		total += len(ask)
		window[int(now.Sub(start)/time.Second)] += len(ask)
		if !again.After(now) {
			t.Fatalf("comes again at once, at %v", now.Sub(start))
		}
		now = earlier(again, now.Add(20*time.Millisecond)) // changes make it look more often
	}
	for second, count := range window {
		if count > askRate+askBurst {
			t.Errorf("%d requests in second %d", count, second)
		}
	}
	if len(asked) != n || total < 10*askRate {
		t.Errorf("%d of %d neighbours asked for, %d requests", len(asked), n, total)
	}
	least, most := math.MaxInt, 0
	for _, times := range asked {
		least, most = min(least, times), max(most, times)
	}
	if most-least > 1 {
		t.Errorf("asked between %d and %d times: not in turn", least, most)
	}
}

// TestResolverLostFirst: under a rate limit, lost neighbours go before stale ones.
func TestResolverLostFirst(t *testing.T) {
	r, wanted, known := newResolver(steady), map[target]bool{}, map[target]neighbour{}
	for i := range 500 {
		who := target{1, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
		wanted[who], known[who] = true, neighbour{state: Stale}
	}
	lost := target{1, ip("10.200.0.1")}
	wanted[lost], known[lost] = true, neighbour{state: Failed}
	r.aim(wanted)
	ask, _ := r.due(start, known)
	if len(ask) != askBurst || !slices.Contains(ask, lost) {
		t.Errorf("%d asked for, the lost one: %v", len(ask), slices.Contains(ask, lost))
	}
}
