//go:build amd64 && !race

package conntrack

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// On this architecture other cores see stores in the order in which they were
// made. One that looks on never finds a slot marked as taken before all else in
// it is the new flow's; so neither does who comes after a kill.
func TestMarkComesLast(t *testing.T) {
	table := mustNew(t, Config{Flows: 8, Timeouts: shortTimeouts})
	l := &table.lines[0]
	var epoch atomic.Uint32
	var stop atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := uint32(1); !stop.Load(); n++ {
			epoch.Store(n)
			table.put(&table.v4, 0, slotAt(0, 0), tag{name: uint64(n)<<32 | uint64(n), ports: n, class: uint32(tcp << classShift)}, n, Tick(n), Unconfirmed)
			l[meta] = 0
		}
	})
	defer writer.Wait()
	defer stop.Store(true)
	deadline := time.Now().Add(time.Minute)
	for seen := 0; seen < 100_000; {
		for range 1000 {
			n := epoch.Load()
			taken := atomic.LoadUint32(&l[meta]) != 0
			words := [...]uint32{atomic.LoadUint32(&l[0]), atomic.LoadUint32(&l[1]), atomic.LoadUint32(&l[ports]), atomic.LoadUint32(&l[values]), atomic.LoadUint32(&l[stamps])}
			if !taken || epoch.Load() != n {
				continue // it went on while we looked
			}
			seen++
			if words != [...]uint32{n, n, n, n, n} {
				t.Fatalf("taken by flow %d, and holds %d", n, words)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("a slot was seen taken %d times: the two had one core", seen)
		}
	}
}
