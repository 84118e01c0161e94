package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stall stops the poll loop on a CPU, as a debugger does, until wake is called;
// all else of the process goes on. The loop must be one that sleeps when idle,
// and rests in that moment: stopped in the midst of Go code it would hold up
// the collector, and with that the whole process.
func (d *Daemon) Stall(cpu int) (wake func()) {
	d.t.Helper()
	tid := d.PollLoop(cpu)
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
		d.t.Fatal(err)
	}
	wake = sync.OnceFunc(func() {
		close(on)
		if err := <-gone; err != nil {
			d.t.Error(err)
		}
	})
	d.t.Cleanup(wake) // else it cannot even be killed
	return wake
}

// PollLoop returns the thread that polls on a CPU.
func (d *Daemon) PollLoop(cpu int) (tid int) {
	d.t.Helper()
	tid, err := pollLoop(d.PID(), cpu)
	if err != nil {
		d.t.Fatal(err)
	}
	return tid
}

// pollLoop finds the thread that polls on a CPU. No other of the process may run
// there.
func pollLoop(pid, cpu int) (tid int, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if strings.Contains(string(text), fmt.Sprintf("Cpus_allowed_list:\t%d\n", cpu)) {
			if tid != 0 {
				return 0, fmt.Errorf("threads %d and %s are on CPU %d", tid, file, cpu)
			}
			tid, _ = strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	if tid == 0 {
		return 0, fmt.Errorf("no thread is on CPU %d", cpu)
	}
	return tid, nil
}

// seize stops a thread where it sleeps.
func seize(tid int) error {
	if err := unix.PtraceSeize(tid); err != nil {
		return fmt.Errorf("seize: %w", err)
	}
	for range 1000 {
		if err := interrupt(tid); err != nil {
			return err
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

// interrupt stops a thread. A signal that comes meanwhile, such as those of Go's
// scheduler, stops it too; it is passed on, or the stop asked for would be the one after
// it, and so for ever.
func interrupt(tid int) error {
	if err := unix.PtraceInterrupt(tid); err != nil {
		return fmt.Errorf("interrupt: %w", err)
	}
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		if status.TrapCause() == unix.PTRACE_EVENT_STOP {
			return nil
		}
		if !status.Stopped() {
			return fmt.Errorf("the thread has ended: %#x", status)
		}
		if err := unix.PtraceCont(tid, int(status.StopSignal())); err != nil {
			return fmt.Errorf("continue: %w", err)
		}
	}
}
