package timeslice

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit is what only a goroutine that is never asked, or one that is not let go, takes.
const limit = 5 * time.Minute

// spin runs on a thread of its own until asked to stop, and says how often that thread
// has given way.
func spin(t *testing.T, turn func()) (away *atomic.Int64, stop func()) {
	t.Helper()
	away = new(atomic.Int64)
	var end atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		var before, now unix.Rusage
		unix.Getrusage(unix.RUSAGE_THREAD, &before)
		for n := 1; !end.Load(); n++ {
			turn()
			if n%(1<<16) == 0 {
				unix.Getrusage(unix.RUSAGE_THREAD, &now)
				away.Store(now.Nvcsw - before.Nvcsw)
			}
		}
	}()
	return away, func() {
		end.Store(true)
		<-ended
	}
}

// Go's scheduler asks a loop to give way, and one that renews its time slice it does not ask.
func TestRenew(t *testing.T) {
	if !Known() {
		t.Fatalf("with %s on %s the counter is not where it should be", runtime.Version(), runtime.GOARCH)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const often = 10
	began := time.Now()
	away, stop := spin(t, func() {})
	for away.Load() < often {
		if time.Since(began) > limit {
			t.Fatalf("a loop gave way %d times in %v: there is nothing to show", away.Load(), limit)
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	stop()

	away, stop = spin(t, Renew)
	time.Sleep(took)
	stop()
	if n := away.Load(); n > often/3 { // the collector's requests are heeded
		t.Errorf("in %v a loop gave way %d times with Renew, and %d without", took, n, often)
	}
}

// The collector gets its turns.
func TestCollector(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for range 2 {
		_, stop := spin(t, Renew)
		defer stop()
	}
	collected := make(chan struct{})
	go func() {
		for range 5 {
			runtime.GC()
		}
		close(collected)
	}()
	select {
	case <-collected:
	case <-time.After(limit):
		t.Fatalf("five collections took more than %v beside two loops", limit)
	}
}
