package lcore

import (
	"sync"
	"testing"

	"guideway/pmd"
)

// Frames come out of a ring in the order in which they went in, each once, with
// the passage that it was given, and never more than there is room for.
func TestRing(t *testing.T) {
	const frames = 200_000
	r := new(ring)
	pool := make([]pmd.Frame, 2*RingFrames)
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; i < frames; {
			if r.give(&pool[i%len(pool)], passage{value: 7, port: uint8(i), marks: uint8(i >> 8)}) {
				i++
			} else {
				r.show()
			}
			if i%61 == 0 {
				r.show()
			}
		}
		r.show()
	})
	for i := 0; i < frames; {
		n := r.waiting()
		if n < 0 || n > RingFrames {
			t.Fatalf("%d frames wait in a ring of %d", n, RingFrames)
		}
		for j := range n {
			h := r.at(j)
			if h.frame != &pool[i%len(pool)] || h.value != 7 || h.port != uint8(i) || h.marks != uint8(i>>8) {
				t.Fatalf("frame %d came as %+v", i, h)
			}
			i++
		}
		r.drop(n)
	}
	wait.Wait()
	if n := r.waiting(); n != 0 {
		t.Errorf("%d frames too many", n)
	}
}

func TestRingFull(t *testing.T) {
	r, f := new(ring), new(pmd.Frame)
	for i := range RingFrames {
		if !r.give(f, passage{}) {
			t.Fatalf("full after %d", i)
		}
	}
	if r.give(f, passage{}) {
		t.Fatal("a full ring takes one more")
	}
	if n := r.waiting(); n != 0 {
		t.Fatalf("%d frames wait before they are shown", n)
	}
	r.show()
	if n := r.waiting(); n != RingFrames {
		t.Fatalf("%d frames wait, want %d", n, RingFrames)
	}
	r.drop(1)
	if !r.give(f, passage{}) || r.give(f, passage{}) {
		t.Fatal("one slot is free: one frame goes in")
	}
}
