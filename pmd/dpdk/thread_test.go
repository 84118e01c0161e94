package dpdk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"guideway/pmd"
)

// allCPUs is what the process may use, as it was before EAL started.
var allCPUs []int

type task struct {
	id   int
	name string
	cpus []int
}

// tasks returns the threads of the process.
func tasks() (list []task, err error) {
	dirs, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		id, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		name, err := os.ReadFile(dir + "/comm")
		if err != nil {
			continue // it has just ended
		}
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(id, &set); err != nil {
			continue // likewise
		}
		t := task{id: id, name: strings.TrimSpace(string(name))}
		for cpu := 0; len(t.cpus) < set.Count(); cpu++ {
			if set.IsSet(cpu) {
				t.cpus = append(t.cpus, cpu)
			}
		}
		list = append(list, t)
	}
	return list, nil
}

// EAL's threads keep to the control CPUs, a poll loop's to its own; no other
// thread is confined, not even one that is born of a poll loop.
func TestThreads(t *testing.T) {
	last := allCPUs[len(allCPUs)-1]
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	release, running := make(chan struct{}), make(chan struct{})
	loop, err := eal.Poll(last, func() {
		if cpus, err := affinity(); err != nil || !slices.Equal(cpus, []int{last}) {
			t.Errorf("the loop may run on %v, %v", cpus, err)
		}
		for range 8 { // each blocks a thread, so that new ones are made
			wg.Go(func() { _, _ = unix.Read(int(read.Fd()), make([]byte, 1)) })
		}
		close(running)
		<-release
	})
	if err != nil {
		t.Fatal(err)
	}
	<-running
	enough := until(func() bool { list, _ := tasks(); return len(list) >= 12 })
	list, err := tasks()
	if err != nil || !enough {
		t.Fatal(list, err)
	}
	seen := map[string]bool{}
	for _, task := range list {
		want := allCPUs
		switch {
		case task.name == fmt.Sprintf("gw-poll-%d", last):
			want = []int{last}
		case task.name == "gw-eal", strings.HasPrefix(task.name, "eal-"):
			want = allCPUs[:1]
		case task.id == os.Getpid() && strings.HasPrefix(task.name, "gw-"):
			t.Errorf("the process is called %q", task.name)
		}
		seen[task.name] = true
		if !slices.Equal(task.cpus, want) {
			t.Errorf("thread %d, %q, may run on %v, want %v", task.id, task.name, task.cpus, want)
		}
	}
	for _, name := range []string{"gw-eal", "eal-intr-thread", fmt.Sprintf("gw-poll-%d", last)} {
		if !seen[name] {
			t.Errorf("there is no thread %q: %v", name, list)
		}
	}
	close(release)
	loop.Wait()
	write.Close()
	wg.Wait()
	read.Close()
	if !until(func() bool {
		list, _ := tasks()
		return !slices.ContainsFunc(list, func(t task) bool { return strings.HasPrefix(t.name, "gw-poll") })
	}) {
		t.Error("the loop's thread does not end")
	}
}

// Frames go from core to core: received by one, freed by the other, and never
// lost. What each has freed last stays in its own cache, where the other cannot
// have it: so both have one.
func TestFramesCrossCores(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0", Lcores: 2})
	frames, done := make(chan *pmd.Frame, 512), make(chan int)
	free := func(q pmd.Queue, list []*pmd.Frame) {
		b := new(pmd.Burst)
		for len(list) > 0 {
			for b.N < pmd.MaxBurst && b.N < len(list) {
				b.Add(list[b.N])
			}
			list = list[b.N:]
			q.Free(b)
		}
	}
	// all takes what frames a core can have.
	all := func(q pmd.Queue) (list []*pmd.Frame) {
		for b := new(pmd.Burst); q.Alloc(b, 1) > 0; b.N = 0 {
			list = append(list, b.Frames[0])
		}
		return list
	}
	other, err := eal.Poll(-1, func() {
		q := p.Queue(1)
		for f := range frames {
			free(q, []*pmd.Frame{f})
		}
		done <- 0 // the first core takes what it can
		<-done
		list := all(q)
		done <- len(list)
		free(q, list)
	})
	if err != nil {
		t.Fatal(err)
	}
	cached := func(who string, got int) {
		if kept := p.pool.size - got; kept < 1 || kept > cacheSize*3/2 {
			t.Errorf("%s: %d of %d frames could be had: the other core keeps %d", who, got, p.pool.size, kept)
		}
	}
	poll(t, func() {
		q := p.Queue(0)
		for range 200 {
			b := blank(q, 50)
			for _, f := range b.Frames[:b.N] {
				frames <- f
			}
		}
		close(frames)
		<-done
		list := all(q)
		cached("the core that received", len(list))
		free(q, list)
		done <- 0
		cached("the core that freed", <-done)
	})
	other.Wait()
	whole(t, p)
}

func TestPollOnNoSuchCPU(t *testing.T) {
	if _, err := eal.Poll(1000, func() { t.Error("it runs") }); err == nil || !strings.Contains(err.Error(), "CPU 1000") {
		t.Errorf("error %v", err)
	}
}

// EAL stays while loops run or ports are open.
func TestCloseRefuses(t *testing.T) {
	release := make(chan struct{})
	loop, err := eal.Poll(-1, func() { <-release })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eal.Close(); err == nil || !strings.Contains(err.Error(), "1 poll loops") {
		t.Errorf("error %v", err)
	}
	close(release)
	loop.Wait()
	open(t, PortConfig{Name: "one", Device: "net_null0"})
	if _, err := eal.Close(); err == nil || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("error %v", err)
	}
}

// The process's first thread is never taken, though with one processor it is
// the one that would run a new goroutine.
func TestOwnThread(t *testing.T) {
	out, err := command("threads").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func threadsRole([]string) error {
	runtime.GOMAXPROCS(1)
	for range 20 {
		id := make(chan int)
		ownThread(func() { id <- unix.Gettid() })
		if <-id == os.Getpid() {
			return fmt.Errorf("on the first thread")
		}
	}
	return nil
}

func TestConfine(t *testing.T) {
	out, err := command("confine").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func confineRole([]string) error {
	cpus, err := affinity()
	if err != nil {
		return err
	}
	if err := Confine(cpus[0]); err != nil {
		return err
	}
	list, err := tasks()
	if err != nil || len(list) < 2 {
		return fmt.Errorf("%v %w", list, err)
	}
	for _, task := range list {
		if !slices.Equal(task.cpus, cpus[:1]) {
			return fmt.Errorf("thread %d, %q, may run on %v", task.id, task.name, task.cpus)
		}
	}
	if Confine() == nil {
		return fmt.Errorf("confined to no CPU at all")
	}
	return nil
}
