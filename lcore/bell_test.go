package lcore

import (
	"sync"
	"testing"
	"time"

	"guideway/pmd"
)

func TestCoreSet(t *testing.T) {
	var s coreSet
	want := []int{0, 1, 63, 64, 127}
	for _, core := range []int{127, 1, 64, 0, 5, 63, 1} {
		s.add(core)
	}
	s.remove(5)
	for _, core := range want {
		if got, ok := s.pop(); !ok || got != core {
			t.Fatalf("popped %d, %v, want %d", got, ok, core)
		}
	}
	if core, ok := s.pop(); ok {
		t.Errorf("popped %d of none", core)
	}
}

// Whatever a core gives is taken at the next turn, however long its ring has slept.
func TestSleepingRing(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 2, rxQueues: 1}, "10.0.0.1")
	w := f.nodes[0].workers
	r := w[1].from[0]
	number := 0
	give := func() { // a packet of core 1's
		for handed := w[0].counters.verdicts[HandedOver]; w[0].counters.verdicts[HandedOver] == handed; number++ {
			f.inject(0, 0, datagram(1, 1000+number, 0, 10, 1500, false)...)
			w[0].Turn()
		}
	}
	for _, pause := range []int{0, 1, restAfterLooks - 1, restAfterLooks, restAfterLooks + 1, 3 * restAfterLooks, 0} {
		for range pause {
			w[1].Turn()
		}
		if asleep := r.asleep.Load(); pause > restAfterLooks && !asleep || pause == 1 && asleep {
			t.Errorf("after %d empty turns: asleep %v", pause, asleep)
		}
		give()
		if n := w[1].Turn(); n != 1 {
			t.Errorf("after %d empty turns: the next one took %d packets, want 1", pause, n)
		}
	}
	f.take()
	f.shut()
}

// A frame that is given after the taker's last look, and before the ring sleeps, rings no
// bell: the ring has to stay awake.
func TestRingStaysAwake(t *testing.T) {
	var b bell
	r := newRing(0, &b)
	r.asleep.Store(false)
	for range restAfterLooks - 1 {
		if r.nothing() {
			t.Fatal("asleep too early")
		}
	}
	var f pmd.Frame
	r.give(&f, passage{})
	r.show()
	if b.answer() != (coreSet{}) {
		t.Error("a bell rang for a ring that was awake")
	}
	if r.nothing() || r.asleep.Load() {
		t.Error("the ring sleeps over a frame")
	}
}

// Nothing is left behind while giver and taker run side by side: frames are given about when
// the taker decides that nothing comes, and some when it surely has.
func TestWakingRing(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 2, rxQueues: 1}, "10.0.0.1")
	w := f.nodes[0].workers
	r := w[1].from[0]
	port := f.nodes[0].port
	var frame []byte // of core 1's
	for i := 0; w[0].counters.verdicts[HandedOver] == 0; i++ {
		frame = datagram(1, 1000+i, 0, 10, 1500, false)[0]
		f.inject(0, 0, frame)
		w[0].Turn()
	}
	f.run()
	f.take()
	var running sync.WaitGroup
	running.Go(w[1].Run)
	const packets, steps = 2000, 16 // steps of an eighth of what a ring takes to fall asleep
	var toSleep time.Duration
	slept, sent := 0, 0
	for start := time.Now(); sent < packets && time.Since(start) < 5*time.Second; sent++ {
		step := time.Duration(sent % steps)
		idle := time.Now()
		deadline := idle.Add(20 * time.Second)
		for !r.asleep.Load() && (step == 0 || time.Since(idle) < toSleep*step/8) {
			if time.Now().After(deadline) {
				t.Fatalf("packet %d: the ring does not fall asleep", sent)
			}
		}
		if step == 0 {
			toSleep = time.Since(idle)
		}
		if r.asleep.Load() {
			slept++
		}
		port.Inject(0, frame)
		w[0].Turn()
		for len(port.Sent(1)) == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("packet %d, given to a ring that had slept %d times, was not taken", sent, slept)
			}
		}
	}
	t.Logf("%d of %d packets met a ring that slept; it takes %v to fall asleep", slept, sent, toSleep)
	f.nodes[0].group.Stop()
	running.Wait()
	f.shut()
}
