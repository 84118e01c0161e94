package machine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Want is what guidewayd is to have.
type Want struct {
	Ports    []Port
	Lcores   []int  // CPUs of the poll loops; nil: not known yet
	Memory   uint64 // of hugepages on each NUMA node that a port or a poll loop is on, in bytes; 0: none
	PageSize uint64 // of hugepages, in bytes; 0: the machine's usual
	Force    bool   // take what is in use
}

// A Port is a port of the configuration.
type Port struct {
	Name   string
	Device string // a PCI address, or a virtual device
	PCI    bool
}

// Judge says what is there of what is wanted, and what is missing.
func Judge(f *Facts, w Want) (findings []Finding) {
	for _, what := range f.Unknown {
		findings = append(findings, note("reading", "%s: what it would have said is not judged", what))
	}
	findings = append(findings, judgeCPUs(f, w)...)
	findings = append(findings, judgeHugepages(f, w)...)
	return append(findings, judgePorts(f, w)...)
}

func judgeCPUs(f *Facts, w Want) (findings []Finding) {
	if len(w.Lcores) == 0 {
		return nil
	}
	const topic = "lcores"
	list := FormatCPUs(w.Lcores)
	var gone []int
	for _, cpu := range w.Lcores {
		if !slices.Contains(f.CPUs.Online, cpu) {
			gone = append(gone, cpu)
		}
	}
	if len(gone) > 0 {
		return append(findings, missing(topic, "of [dpdk].lcores, %s not there, or offline; there are %s", theyAre(gone), FormatCPUs(f.CPUs.Online)))
	}
	if len(w.Lcores) == len(f.CPUs.Online) {
		findings = append(findings, note(topic, "poll loops on all CPUs (%s): they share one with everything else, the kernel too", list).
			advise("leave CPU 0 at least out of [dpdk].lcores"))
	}
	if far := farFrom(f, w); len(far) > 0 {
		findings = append(findings, note(topic, "%s", strings.Join(far, "\n")).
			advise("take CPUs of the card's node for [dpdk].lcores (lscpu -e), or put the card into a slot of theirs: each packet crosses between the sockets"))
	}
	if shared := sharedCores(f, w); shared != "" {
		findings = append(findings, note(topic, "%s", shared).advise("whole cores are steadier: leave the sibling idle, or switch it off (echo 0 > /sys/devices/system/cpu/cpuN/online)"))
	}
	var open []int
	for _, cpu := range w.Lcores {
		if !slices.Contains(f.CPUs.Isolated, cpu) {
			open = append(open, cpu)
		}
	}
	if len(open) > 0 {
		findings = append(findings, note(topic, "%s not isolated: the scheduler may run others there, and packets wait meanwhile", theyAre(open)).
			advise("on the kernel's command line: isolcpus=%[1]s nohz_full=%[1]s rcu_nocbs=%[1]s (docs/setup.md)", list))
	}
	if len(findings) == 0 {
		findings = append(findings, fine(topic, "%s, isolated, on their cards' NUMA nodes", list))
	}
	return findings
}

// farFrom names the ports whose card is on another node than a poll loop.
func farFrom(f *Facts, w Want) (far []string) {
	for _, p := range w.Ports {
		n := f.NIC(p.Device)
		if n == nil {
			continue
		}
		var away []int
		for _, cpu := range w.Lcores {
			if f.node(cpu) != n.Node {
				away = append(away, cpu)
			}
		}
		if len(away) > 0 {
			far = append(far, fmt.Sprintf("%s not on NUMA node %d, where port %q (%s) is", theyAre(away), n.Node, p.Name, p.Device))
		}
	}
	return far
}

// theyAre writes "CPU 2 is" or "CPUs 2-3 are".
func theyAre(cpus []int) string {
	if len(cpus) == 1 {
		return "CPU " + FormatCPUs(cpus) + " is"
	}
	return "CPUs " + FormatCPUs(cpus) + " are"
}

// sharedCores says which poll loops have a core with another thread.
func sharedCores(f *Facts, w Want) string {
	for _, c := range f.CPUs.Each {
		if slices.Contains(w.Lcores, c.ID) && len(c.Siblings) > 1 {
			return fmt.Sprintf("CPU %d shares its core with %s (hyper-threading)", c.ID, FormatCPUs(slices.DeleteFunc(slices.Clone(c.Siblings), func(s int) bool { return s == c.ID })))
		}
	}
	return ""
}

// wantedNodes are the NUMA nodes that need memory.
func wantedNodes(f *Facts, w Want) (nodes []int) {
	for _, p := range w.Ports {
		if n := f.NIC(p.Device); n != nil {
			nodes = append(nodes, n.Node)
		}
	}
	for _, cpu := range w.Lcores {
		if n := f.node(cpu); n >= 0 {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		nodes = f.Nodes[:1]
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

func judgeHugepages(f *Facts, w Want) (findings []Finding) {
	if w.Memory == 0 {
		return nil
	}
	const topic = "hugepages"
	size := w.PageSize
	if size == 0 {
		size = f.DefaultPage
	}
	if !slices.ContainsFunc(f.Hugepages, func(h Hugepages) bool { return h.Size == size }) {
		var there []string
		for _, h := range f.Hugepages {
			if s := inBytes(h.Size); !slices.Contains(there, s) {
				there = append(there, s)
			}
		}
		return append(findings, missing(topic, "this machine has no pages of %s; it has %s", inBytes(size), strings.Join(there, ", ")))
	}
	need := int((w.Memory + size - 1) / size)
	boot := map[int]int{} // node -> pages
	for _, node := range wantedNodes(f, w) {
		has := pool(f.Hugepages, node, size)
		others := 0
		if len(f.Running) == 0 {
			others = has.Total - has.Free
		}
		total := need + others
		boot[node] = max(total, has.Total)
		switch {
		case has.Total >= total:
			findings = append(findings, fine(topic, "node %d: %d of %s, %d free; %d are wanted", node, has.Total, inBytes(size), has.Free, need))
		case others > 0:
			findings = append(findings, missing(topic, "node %d: %d of %s, but %d are in use by others; %d are wanted", node, has.Total, inBytes(size), others, need).
				mend(set(poolFile(node, size), strconv.Itoa(total))))
		default:
			findings = append(findings, missing(topic, "node %d: %d of %s; %d are wanted, for %s", node, has.Total, inBytes(size), need, inBytes(w.Memory)).
				mend(set(poolFile(node, size), strconv.Itoa(total))))
		}
	}
	findings = append(findings, judgeBootPages(f, size, need, boot)...)
	if !slices.ContainsFunc(f.Mounts, func(m Mount) bool { return m.Size == size }) {
		dir := "/dev/hugepages"
		if size != f.DefaultPage {
			dir += "-" + strings.ReplaceAll(inBytes(size), " ", "")
		}
		findings = append(findings, note("hugetlbfs", "no file system of pages of %s is mounted; at boot systemd mounts one of the usual size", inBytes(size)).
			mend(command("mkdir", "-p", dir), command("mount", "-t", "hugetlbfs", "-o", fmt.Sprintf("pagesize=%dM", size>>20), "hugetlbfs", dir)))
	}
	return findings
}

func poolFile(node int, size uint64) string {
	return fmt.Sprintf("/sys/devices/system/node/node%d/hugepages/hugepages-%dkB/nr_hugepages", node, size>>10)
}

// judgeBootPages looks at the next start; boot is what nodes have by then if
// nothing is in the way.
func judgeBootPages(f *Facts, size uint64, need int, boot map[int]int) (findings []Finding) {
	const topic = "hugepages at boot"
	var short []int
	for _, node := range f.Nodes {
		if n, wanted := boot[node]; wanted && pool(f.Boot.Hugepages, node, size).Total < min(n, need) {
			short = append(short, node)
		}
	}
	switch {
	case len(short) == 0:
		return append(findings, fine(topic, "%d of %s on each node that needs them", need, inBytes(size)))
	case size >= 1<<30:
		// Of a gigabyte in one piece there may be none left a second after the start.
		count := make([]string, 0, len(boot))
		for _, node := range f.Nodes {
			if n := boot[node]; n > 0 {
				count = append(count, fmt.Sprintf("%d:%d", node, n))
			}
		}
		return append(findings, missing(topic, "less than %d of %s are reserved for node %s", need, inBytes(size), FormatCPUs(short)).
			advise("on the kernel's command line: default_hugepagesz=1G hugepagesz=1G hugepages=%s (docs/setup.md)", strings.Join(count, ",")))
	}
	return append(findings, missing(topic, "less than %d of %s are reserved for node %s", need, inBytes(size), FormatCPUs(short)).
		mend(write(pagesFile, pagesText(f, size, boot))))
}
