package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"guideway/maglev/conntrack"
)

// DPDK says what of the machine the poll loops get.
type DPDK struct {
	Lcores      []int  // CPUs of the poll loops, one each, in the order of the file; not empty
	ControlCPUs []int  // CPUs of everything else; nil: every CPU but the Lcores
	Memory      uint64 // for DPDK's pools and rings, in bytes
	Huge        bool   // Memory is in hugepages
	Idle        Idle
	Steering    Steering
	EALArgs     []string // passed to EAL as they are
}

// DefaultMemory is [dpdk].memory, in bytes, where a file does not say it.
const DefaultMemory = 1 << 30

// Idle is what a poll loop does when there is nothing to do.
type Idle uint8

const (
	IdlePoll  Idle = iota // keeps polling: least delay, a busy CPU
	IdleSleep             // backs off to short sleeps: for labs and virtual machines
)

var idleNames = []string{"poll", "sleep"}

func (i Idle) String() string { return idleNames[i] }

// Steering is who brings the packets of a flow to one lcore, which holds its
// entry in the connection table.
type Steering uint8

const (
	SteeringAuto     Steering = iota // the device where it can, else software
	SteeringDevice                   // the device's RSS, whose key and table it tells; a queue per lcore
	SteeringSoftware                 // a hash of our own, and rings between the lcores
)

var steeringNames = []string{"auto", "device", "software"}

func (s Steering) String() string { return steeringNames[s] }

const (
	maxCPU    = 1023 // CPU_SETSIZE less one, glibc's limit on affinity sets
	maxLcores = 128  // RTE_MAX_LCORE of common builds
)

type dpdkDraft struct {
	DPDK
	lcores, control []located[int]
	clean           bool // every lcore was understood
	steeringAt      pos
}

func readDPDK(s *section) dpdkDraft {
	d := dpdkDraft{}
	cpu := number[int](0, maxCPU)
	d.lcores, d.clean = list(s, "lcores", cpu)
	if len(d.lcores) == 0 && d.clean && !s.r.learning {
		s.r.fault(s.place("lcores"), "[dpdk] is missing \"lcores\": list the CPUs of the poll loops, as in lcores = [2, 3]: "+
			"whole cores on the NIC's NUMA node (lscpu -e), but not CPU 0, which the kernel needs most")
	}
	if len(d.lcores) > maxLcores {
		s.r.fault(s.place("lcores"), "dpdk.lcores: %d CPUs: DPDK is built for at most %d", len(d.lcores), maxLcores)
	}
	d.control, _ = list(s, "control_cpus", cpu)
	d.distinct(&s.r.report)
	d.Lcores, d.ControlCPUs = plain(d.lcores), plain(d.control)
	d.Memory = read(s, "memory", DefaultMemory, size(64<<20, 1<<40))
	d.Huge = read(s, "huge", true, boolean)
	d.Idle = read(s, "idle", IdlePoll, oneOf[Idle](idleNames))
	d.Steering = read(s, "steering", SteeringAuto, oneOf[Steering](steeringNames))
	d.steeringAt = s.place("steering")
	args, _ := list(s, "eal_args", ealArg)
	d.EALArgs = plain(args)
	return d
}

func (d *dpdkDraft) distinct(r *report) {
	user := map[int]string{}
	for _, c := range d.lcores {
		if user[c.v] != "" {
			r.fault(c.at, "dpdk.lcores: CPU %d stands twice: a poll loop needs its CPU to itself", c.v)
		}
		user[c.v] = "lcores"
	}
	for _, c := range d.control {
		switch user[c.v] {
		case "lcores":
			r.fault(c.at, "dpdk.control_cpus: CPU %d is one of lcores: a poll loop needs its CPU to itself", c.v)
		case "control_cpus":
			r.fault(c.at, "dpdk.control_cpus: CPU %d stands twice", c.v)
		}
		user[c.v] = "control_cpus"
	}
}

// ours names the EAL options that we write ourselves, and the key for each.
var ours = map[string]string{
	"-l": "[dpdk].lcores", "-c": "[dpdk].lcores", "--lcores": "[dpdk].lcores", "--main-lcore": "[dpdk].lcores",
	"-m": "[dpdk].memory", "--socket-mem": "[dpdk].memory", "--no-huge": "[dpdk].huge",
	"-a": "[[port]].device", "-w": "[[port]].device", "--allow": "[[port]].device", "--vdev": "[[port]].device",
}

// ealArg accepts one word for EAL that none of our keys stands for.
func ealArg(v *value) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(s, "=")
	if len(name) > 2 && name[0] == '-' && name[1] != '-' {
		name = name[:2] // -l2,3
	}
	switch {
	case s == "":
		return "", fmt.Errorf("this argument is empty")
	case ours[name] != "":
		return "", fmt.Errorf("%q is given to EAL for you: set %s", s, ours[name])
	case strings.HasPrefix(s, "-") && strings.Contains(s, " "):
		return "", fmt.Errorf("%q holds two words: write them as two strings", s)
	}
	return s, nil
}

// HugeMemory is how much of hugepages the process takes, in bytes: for
// [dpdk].memory, and for connection tables where they are kept on hugetlbfs,
// each of which is a file of whole pages. 0 without [dpdk].huge.
func (c *Config) HugeMemory() uint64 {
	if !c.DPDK.Huge {
		return 0
	}
	n := c.DPDK.Memory
	if strings.HasPrefix(c.Conntrack.Keep, filepath.Dir(UsualKeep(true))+"/") {
		const page = 2 << 20
		table := uint64(conntrack.Bytes(c.Conntrack.FlowsPerCore))
		n += uint64(len(c.DPDK.Lcores)) * ((table+page-1)/page + 1) * page // and one for what is said about it
	}
	return n
}
