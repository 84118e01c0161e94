package health

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is the time that this process has had of the processors.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fds lists what the process has open.
func fds(t testing.TB) []string {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range open {
		to, err := os.Readlink("/proc/self/fd/" + f.Name())
		if err == nil && to != "" {
			all = append(all, to)
		}
	}
	return all
}

// TestManyTargets: two thousand targets ten times a second need four goroutines
// and little of a CPU, all are found up, and none ever fails.
func TestManyTargets(t *testing.T) {
	const n, interval, watched = 2000 / slower, 100 * time.Millisecond, 3 * time.Second
	host := newNS(t)
	before := runtime.NumGoroutine()
	var all []Target
	for i := range n {
		all = append(all, Target{Addr: netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), Source: ip("127.0.0.1"), Interval: interval, Fall: 5})
	}
	began := time.Now()
	m := watch(t, Config{listen: host.listen}, all...)
	up := func() (up int) {
		for _, s := range m.Status() {
			if s.State == Up {
				up++
			}
		}
		return up
	}
	eventually(t, soon, "all up", func() bool { return up() == n })
	t.Logf("all up after %v", time.Since(began).Round(time.Millisecond))

	first, used, began := m.Status(), cpu(t), time.Now()
	goroutines := runtime.NumGoroutine() - before
	time.Sleep(watched)
	used, took := cpu(t)-used, time.Since(began)
	var probes, failed uint64
	var latencies []time.Duration
	for i, s := range m.Status() {
		probes += s.Probes - first[i].Probes
		failed += s.Failed
		latencies = append(latencies, s.Latency)
		if s.State != Up || s.Untried > 0 || !s.Since.Equal(first[i].Since) {
			t.Errorf("%+v", s)
		}
	}
	slices.Sort(latencies)
	t.Logf("%.0f probes a second, %d of %d failed; %.1f %% of a CPU, %.1f us a probe; %d goroutines; latency %v, 99 of 100 below %v, highest %v",
		float64(probes)/took.Seconds(), failed, probes, 100*used.Seconds()/took.Seconds(), float64(used.Microseconds())/float64(probes), goroutines,
		latencies[n/2], latencies[n*99/100], latencies[n-1])
	if goroutines > 3 {
		t.Errorf("%d goroutines", goroutines)
	}
	if want := float64(n) * took.Seconds() / interval.Seconds(); float64(probes) < want*0.8 || float64(probes) > want*1.01 {
		t.Errorf("%d probes, want %.0f or little less", probes, want)
	}
	if failed*1000 > probes {
		t.Errorf("%d of %d probes failed", failed, probes)
	}
	if share := used.Seconds() / took.Seconds(); share > 0.9 {
		t.Errorf("%.0f %% of a CPU", 100*share)
	}
}

// TestNothingIsLeft: Close gives back every goroutine and file, and so does
// Watch for what is not used any more.
func TestNothingIsLeft(t *testing.T) {
	host := newNS(t)
	files, goroutines := fds(t), runtime.NumGoroutine()
	for range 20 {
		m := New(Config{listen: host.listen})
		var all []Target
		for i := range 10 {
			all = append(all, Target{Addr: ip("127.0.0.9"), Source: netip.AddrFrom4([4]byte{127, 0, 0, byte(10 + i)}), Interval: MinInterval})
			m.Watch(append(all[i:], Target{Addr: ip("::1"), Interval: MinInterval}))
			time.Sleep(2 * time.Millisecond)
		}
		eventually(t, soon, "both up", func() bool { return m.State(ip("127.0.0.9")) == Up && m.State(ip("::1")) == Up })
		if open := len(fds(t)); open > len(files)+8 {
			t.Fatalf("%d more files are open:\n%q", open-len(files), fds(t))
		}
		m.Close()
		m.Close()
	}
	// Looking after the source address, ten times a second, leaves nothing open.
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nor is it left to the collector
	m := watch(t, Config{listen: host.listen}, Target{Addr: ip("127.0.0.9"), Source: ip("127.0.0.1"), Interval: MinInterval})
	eventually(t, soon, "up", func() bool { return m.State(ip("127.0.0.9")) == Up })
	time.Sleep(5 * check)
	if open := len(fds(t)); open > len(files)+2 {
		t.Errorf("%d more files are open:\n%q", open-len(files), fds(t))
	}
	m.Close()
	left := ""
	eventually(t, soon, "nothing left", func() bool {
		left = fmt.Sprint(runtime.NumGoroutine()-goroutines, " goroutines, ", len(fds(t))-len(files), " files: ", fds(t))
		return runtime.NumGoroutine() <= goroutines && len(fds(t)) <= len(files)
	})
	t.Log(left)
}
