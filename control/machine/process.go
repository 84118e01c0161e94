package machine

import (
	"fmt"
	"slices"
	"strconv"
)

// A Process is a guidewayd that runs here.
type Process struct {
	PID     int     `json:"pid"`
	Locked  uint64  `json:"memlock_bytes"` // its limit; [Unlimited], also of one with CAP_IPC_LOCK
	Threads [][]int `json:"threads"`       // the CPUs that each may run on
}

// LookProcess reads a process, or tells that there is none of this number here.
func LookProcess(s Source, pid int) (p Process, ok bool) {
	t := tree{s.Files}
	dir := "proc/" + strconv.Itoa(pid)
	if !slices.Contains(processes(t, "guidewayd"), pid) {
		return p, false
	}
	p = Process{PID: pid, Locked: locked(t.text(dir + "/limits"))}
	const lock = 1 << 14 // CAP_IPC_LOCK: vfio then does not count
	if can, err := strconv.ParseUint(field(t.text(dir+"/status"), "CapEff"), 16, 64); err == nil && can&lock != 0 {
		p.Locked = Unlimited
	}
	for _, id := range t.names(dir + "/task") {
		p.Threads = append(p.Threads, ParseCPUs(field(t.text(dir+"/task/"+id+"/status"), "Cpus_allowed_list")))
	}
	return p, true
}

// JudgeProcess says whether a process has what it wants of the machine it runs on.
func JudgeProcess(p Process, w Want) (findings []Finding) {
	for _, cpu := range w.Lcores {
		if !slices.ContainsFunc(p.Threads, func(allowed []int) bool { return slices.Equal(allowed, []int{cpu}) }) {
			findings = append(findings, missing("lcores", "no thread of guidewayd is bound to CPU %d: somebody moved its poll loop", cpu).
				advise("taskset, a cpuset or a container's CPU quota: take it away and restart guidewayd"))
		}
	}
	if len(findings) == 0 && len(w.Lcores) > 0 {
		findings = append(findings, fine("lcores", "each poll loop is bound to its CPU (%s)", FormatCPUs(w.Lcores)))
	}
	card := slices.ContainsFunc(w.Ports, func(port Port) bool { return port.PCI })
	switch limit := fmt.Sprintf("it may lock %s of memory", inBytes(p.Locked)); {
	case p.Locked == Unlimited:
		findings = append(findings, fine("memlock", "no limit"))
	case card && p.Locked < w.Memory:
		findings = append(findings, missing("memlock", "%s: vfio counts what cards can reach against that, %s", limit, inBytes(w.Memory)).
			advise("LimitMEMLOCK=infinity in the unit, as it was shipped; by hand, ulimit -l unlimited"))
	default:
		findings = append(findings, fine("memlock", "%s, and no card needs more", limit))
	}
	return findings
}
