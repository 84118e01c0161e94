package metrics

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

var (
	coreNUMA     = gauge("core_numa_node", "NUMA node of a core's CPU.", "core")
	coreIsolated = gauge("core_isolated", "Whether the kernel keeps other threads away from a core's CPU by itself (isolcpus).", "core")
	corePinned   = gauge("core_pinned", "Whether a poll loop's thread may run on its CPU and nowhere else.", "core")
	coreSwitches = counter("core_switches_total", "How often a poll loop left its CPU: to rest of its own will, or forced by another thread.", "core", "kind")
)

// A pinned is what the kernel counts for the threads that are bound to a CPU.
type pinned struct{ rested, forced uint64 }

// cpus shows what the kernel says of the CPUs that poll.
func (c *collector) cpus(s sender, lcores []int) {
	isolated, err := fs.ReadFile(c.sys, "devices/system/cpu/isolated")
	if err != nil {
		c.Log.Warn("isolated CPUs are not known", "error", err)
	}
	threads := c.pinned()
	for _, cpu := range lcores {
		name := strconv.Itoa(cpu)
		if err == nil {
			s.send(coreIsolated, truth(contains(strings.TrimSpace(string(isolated)), cpu)), name)
		}
		nodes, _ := fs.Glob(c.sys, fmt.Sprintf("devices/system/cpu/cpu%d/node[0-9]*", cpu)) // well formed; none without NUMA
		for _, node := range nodes {
			if n, err := strconv.Atoi(strings.TrimPrefix(path.Base(node), "node")); err == nil {
				s.send(coreNUMA, float64(n), name)
			}
		}
		thread, there := threads[name]
		s.send(corePinned, truth(there), name)
		if there {
			s.send(coreSwitches, float64(thread.rested), name, "rested")
			s.send(coreSwitches, float64(thread.forced), name, "forced")
		}
	}
}

// pinned looks at the process's threads for those that are bound to one CPU, by
// that CPU: poll loops are, and nothing else is on lcores.
func (c *collector) pinned() map[string]pinned {
	threads := map[string]pinned{}
	files, _ := fs.Glob(c.proc, "task/*/status") // well formed
	for _, file := range files {
		text, err := fs.ReadFile(c.proc, file)
		if err != nil {
			continue // the thread has ended
		}
		cpu := field(string(text), "Cpus_allowed_list")
		rested, err1 := strconv.ParseUint(field(string(text), "voluntary_ctxt_switches"), 10, 64)
		forced, err2 := strconv.ParseUint(field(string(text), "nonvoluntary_ctxt_switches"), 10, 64)
		if err1 == nil && err2 == nil {
			t := threads[cpu]
			threads[cpu] = pinned{t.rested + rested, t.forced + forced}
		}
	}
	return threads
}

// contains tells whether a list of CPUs as the kernel writes it, "2-5,9", has
// one.
func contains(list string, cpu int) bool {
	for part := range strings.SplitSeq(list, ",") {
		first, last, ok := strings.Cut(part, "-")
		if !ok {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 == nil && err2 == nil && from <= cpu && cpu <= to {
			return true
		}
	}
	return false
}
