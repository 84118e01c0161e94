package fleet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watchdogTime is after how long a node withdraws everything that has a core
// stalled: a look each 200 ms, and 500 ms without a sign of life.
const watchdogTime = 700 * time.Millisecond

// A poll loop stands still, and all else of the process is well. The watchdog
// withdraws, by sessions that do not need that loop. Where they go by its port a
// withdrawal comes no further than packets do, and BFD tells the router.
func TestOutageStalled(t *testing.T) {
	t.Run("sessions beside", func(t *testing.T) {
		stalled(t, "stalled poll loop", setting{router: newBird, beside: true}, watchdogTime)
	})
	if full {
		t.Run("sessions by its port", func(t *testing.T) {
			stalled(t, "stalled poll loop of the sessions' port", setting{router: newFRR, bfd: true}, bfdTime)
		})
	}
}

func stalled(t *testing.T, name string, s setting, limit time.Duration) {
	o := beginOutage(t, s)
	c := o.gather()
	time.Sleep(calm)
	wake := stop(t, pollLoop(t, o.nodes[0].PID(), pollCPU))
	took := o.leads(o.others(0), vips...)
	want := fmt.Sprintf("the poll loops on CPUs [%d] give no sign of life", pollCPU)
	within(t, slack, "the console says why", func() bool { return o.withheld(0) == want })
	time.Sleep(500 * time.Millisecond)
	wake()
	back := o.whole()
	time.Sleep(calm)
	c.leave()
	c.report(t, name)
	t.Logf("%s | out of the router's table after %v; back %v after it went on", name, took.Round(time.Millisecond), back.Round(time.Millisecond))
	if took > limit+slack {
		t.Errorf("withdrawn after %v, want %v", took, limit)
	}
	c.gaps(t, limit+slack, vips...)
}

// pollLoop finds the thread that polls on a CPU. No other of the process may run
// there.
func pollLoop(t testing.TB, pid, cpu int) (tid int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if strings.Contains(string(text), fmt.Sprintf("Cpus_allowed_list:\t%d\n", cpu)) {
			if tid != 0 {
				t.Fatalf("threads %d and %s are on CPU %d", tid, file, cpu)
			}
			tid, _ = strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	if tid == 0 {
		t.Fatalf("no thread is on CPU %d", cpu)
	}
	return tid
}

// stop stops a poll loop, as a debugger does, until wake is called. The loop
// rests in that moment: stopped in the midst of Go code it would hold up the
// collector, and with that the whole process.
func stop(t testing.TB, tid int) (wake func()) {
	t.Helper()
	stopped, on, gone := make(chan error), make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread() // it is this thread that has the other one
		defer runtime.UnlockOSThread()
		err := seize(tid)
		stopped <- err
		if err == nil {
			<-on
			gone <- unix.PtraceDetach(tid)
		}
	}()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	wake = sync.OnceFunc(func() {
		close(on)
		if err := <-gone; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(wake) // else it cannot even be killed
	return wake
}

func seize(tid int) error {
	if err := unix.PtraceSeize(tid); err != nil {
		return fmt.Errorf("seize: %w", err)
	}
	for range 1000 {
		if err := unix.PtraceInterrupt(tid); err != nil {
			return fmt.Errorf("interrupt: %w", err)
		}
		if _, err := unix.Wait4(tid, nil, unix.WALL, nil); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		at, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", tid))
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(at), fmt.Sprintf("%d ", unix.SYS_NANOSLEEP)) {
			return nil
		}
		if err := unix.PtraceCont(tid, 0); err != nil {
			return fmt.Errorf("continue: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
	return errors.Join(errors.New("the poll loop never rests"), unix.PtraceDetach(tid))
}
