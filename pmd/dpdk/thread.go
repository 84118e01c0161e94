package dpdk

// #include "shim.h"
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// pin limits the calling thread to cpus.
func pin(cpus ...int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if set.Count() == 0 {
		return unix.EINVAL
	}
	return unix.SchedSetaffinity(0, &set)
}

// affinity returns the CPUs that the calling thread may use.
func affinity() (cpus []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// Besides returns the CPUs that the process may use besides those of its poll loops,
// for all other threads. CPUs that the kernel isolates are not among them, unless whoever
// started the process has put it there. None: the poll loops have them all. It is to be
// called before [Confine].
func Besides(lcores ...int) ([]int, error) {
	cpus, err := affinity()
	if err != nil {
		return nil, fmt.Errorf("dpdk: affinity: %w", err)
	}
	return slices.DeleteFunc(cpus, func(cpu int) bool { return slices.Contains(lcores, cpu) }), nil
}

// ownThread runs f on a goroutine that is locked to a thread of its own, which
// ends with it: whatever f does to its thread, no other goroutine meets it.
// The process's first thread is not taken for this. Its name is that of the
// process, and it does not end.
func ownThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		found := make(chan struct{})
		ownThread(func() {
			close(found)
			f()
		})
		<-found // until then this thread is ours, so the other is another
		runtime.UnlockOSThread()
	}()
}

// A Thread is a running poll loop.
type Thread struct{ done chan struct{} }

// Wait returns when the loop has returned and its thread is unregistered.
func (t *Thread) Wait() { <-t.done }

// Done is closed when the loop has returned and its thread is unregistered.
func (t *Thread) Done() <-chan struct{} { return t.done }

// Poll runs loop on a goroutine that is locked to a thread of its own, pinned
// to cpu (-1: not pinned) and registered with EAL. It returns when loop is
// about to be called, or with the reason why it cannot be.
//
// The thread ends with the loop: it never serves another goroutine, and new
// threads of the Go runtime are not cloned from it, so its CPU is inherited
// by nobody.
func (e *EAL) Poll(cpu int, loop func()) (*Thread, error) {
	t := &Thread{done: make(chan struct{})}
	ready := make(chan error)
	e.polling.Add(1)
	ownThread(func() {
		defer close(t.done)
		defer e.polling.Add(-1)
		name := "gw-poll"
		if cpu >= 0 {
			name += "-" + strconv.Itoa(cpu)
			if err := pin(cpu); err != nil {
				ready <- fmt.Errorf("dpdk: pin to CPU %d: %w", cpu, err)
				return
			}
		}
		nameThread(name)
		if err := errno(C.gw_thread_register()); err != nil {
			ready <- fmt.Errorf("dpdk: rte_thread_register: %w", err)
			return
		}
		defer C.gw_thread_unregister()
		ready <- nil
		loop()
	})
	if err := <-ready; err != nil {
		<-t.done
		return nil, err
	}
	return t, nil
}

// Confine limits every thread that the process has now, and so every thread
// that these make, to cpus. Called before [Start] and [EAL.Poll], it keeps
// the Go runtime and the control plane off the CPUs of the poll loops.
func Confine(cpus ...int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if set.Count() == 0 {
		return fmt.Errorf("dpdk: confine to no CPU")
	}
	// Threads may be born while we walk; the second walk finds those whose
	// parents the first had not reached. Setting twice changes nothing.
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("dpdk: threads of the process: %w", err)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
				return fmt.Errorf("dpdk: confine thread %d to CPUs %v: %w", tid, cpus, err)
			}
		}
	}
	return nil
}
