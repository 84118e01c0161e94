package service

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// Nothing but its poll loop runs on an lcore, whether the file names the CPUs of all else
// or not: then they are those that are left. Where none is left that is told.
func TestCPUs(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count() < 2 || !all.IsSet(pollCPU) {
		t.Fatalf("CPU %d, and another, are needed", pollCPU)
	}
	const none = "no CPU is left for the control plane"
	left := all
	left.Clear(pollCPU)
	var named unix.CPUSet
	named.Set(controlCPU)
	line := fmt.Sprintf("control_cpus = [%d]\n", controlCPU)
	unnamed := strings.Replace(settings, line, "", 1)

	for _, c := range []struct {
		name, config string
		want         unix.CPUSet // of all threads but the poll loop
	}{{"named", settings, named}, {"not named", unnamed, left}} {
		t.Run(c.name, func(t *testing.T) {
			d := daemon.Start(t, t.TempDir(), c.config)
			loops := 0
			for name, cpus := range threads(t, d) {
				if cpus != c.want {
					if loops++; !strings.HasPrefix(name, "gw-poll-") || cpus.Count() != 1 || !cpus.IsSet(pollCPU) {
						t.Errorf("thread %s may run on %v", name, list(cpus))
					}
				}
			}
			if loops != 1 {
				t.Errorf("%d threads are on CPU %d", loops, pollCPU)
			}
			d.Stop()
			if strings.Contains(d.Log(), none) {
				t.Errorf("it is said that %s:\n%s", none, d.Log())
			}
		})
	}

	t.Run("none left", func(t *testing.T) {
		lcores := strings.Join(strings.Fields(fmt.Sprint(list(all))), ", ")
		d := daemon.Start(t, t.TempDir(), strings.Replace(unnamed, fmt.Sprintf("[%d]", pollCPU), lcores, 1))
		d.Stop()
		if !strings.Contains(d.Log(), none) {
			t.Errorf("it is not said that %s:\n%s", none, d.Log())
		}
	})
}

// threads returns where each thread of a daemon may run, by its name and number.
func threads(t *testing.T, d *daemon.Daemon) map[string]unix.CPUSet {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", d.PID()))
	if err != nil || len(tasks) < 3 {
		t.Fatalf("%d threads: %v", len(tasks), err)
	}
	all := map[string]unix.CPUSet{}
	for _, task := range tasks {
		var tid int
		fmt.Sscan(filepath.Base(task), &tid)
		var cpus unix.CPUSet
		name, err := os.ReadFile(task + "/comm")
		if err == nil {
			err = unix.SchedGetaffinity(tid, &cpus)
		}
		if err != nil {
			continue // it has ended
		}
		all[fmt.Sprintf("%s (%d)", strings.TrimSpace(string(name)), tid)] = cpus
	}
	return all
}

func list(set unix.CPUSet) []int {
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
