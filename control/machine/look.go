package machine

import (
	"slices"
	"strconv"
	"strings"
)

// Look reads what the machine is.
func Look(s Source) *Facts {
	t := tree{s.Files}
	f := &Facts{
		Kernel:  t.text("proc/sys/kernel/osrelease"),
		Command: strings.Fields(t.text("proc/cmdline")),
		Locked:  locked(t.text("proc/self/limits")),
		Running: processes(t, "guidewayd"),
	}
	f.CPUs, f.Nodes = lookCPUs(t)
	f.lookHugepages(t)
	f.lookVFIO(t)
	f.lookNICs(t)
	f.lookNetwork(s)
	f.Boot = lookBoot(t, f)
	return f
}

func lookCPUs(t tree) (c CPUs, nodes []int) {
	for line := range strings.Lines(t.text("proc/cpuinfo")) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			c.Model = value
		case "vendor_id":
			c.AMD = value == "AuthenticAMD" || value == "HygonGenuine"
		case "flags":
			c.Guest = slices.Contains(strings.Fields(value), "hypervisor")
		}
		if strings.TrimSpace(line) == "" && c.Model != "" {
			break // the others are the same
		}
	}
	const dir = "sys/devices/system/"
	c.Online = ParseCPUs(t.text(dir + "cpu/online"))
	c.Isolated = ParseCPUs(t.text(dir + "cpu/isolated"))
	of := map[int]int{} // CPU -> node
	for _, name := range t.names(dir + "node") {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "node")); err == nil {
			nodes = append(nodes, n)
			for _, cpu := range ParseCPUs(t.text(dir + "node/" + name + "/cpulist")) {
				of[cpu] = n
			}
		}
	}
	if len(nodes) == 0 {
		nodes = []int{0} // a kernel without NUMA
	}
	slices.Sort(nodes)
	for _, id := range c.Online {
		siblings := ParseCPUs(t.text(dir + "cpu/cpu" + strconv.Itoa(id) + "/topology/thread_siblings_list"))
		c.Each = append(c.Each, CPU{ID: id, Node: of[id], Siblings: siblings})
	}
	return c, nodes
}

func (f *Facts) lookHugepages(t tree) {
	f.DefaultPage = parseSize(strings.ReplaceAll(field(t.text("proc/meminfo"), "Hugepagesize"), " ", ""))
	for _, node := range f.Nodes {
		dir := poolFolder(t, node)
		for _, name := range t.names(dir) {
			if size := parseSize(strings.TrimPrefix(name, "hugepages-")); size > 0 {
				f.Hugepages = append(f.Hugepages, Hugepages{node, size,
					t.number(dir+"/"+name+"/nr_hugepages", 0), t.number(dir+"/"+name+"/free_hugepages", 0)})
			}
		}
	}
	slices.SortFunc(f.Hugepages, func(a, b Hugepages) int {
		if a.Node != b.Node {
			return a.Node - b.Node
		}
		return int(int64(a.Size) - int64(b.Size))
	})
	for line := range strings.Lines(t.text("proc/mounts")) {
		w := strings.Fields(line)
		if len(w) < 4 || w[2] != "hugetlbfs" {
			continue
		}
		m := Mount{Path: w[1], Size: f.DefaultPage}
		for option := range strings.SplitSeq(w[3], ",") {
			if size, ok := strings.CutPrefix(option, "pagesize="); ok {
				m.Size = parseSize(size)
			}
		}
		f.Mounts = append(f.Mounts, m)
	}
}

// poolFolder is where the kernel has a node's hugepages.
func poolFolder(t tree, node int) string {
	if dir := "sys/devices/system/node/node" + strconv.Itoa(node) + "/hugepages"; t.has(dir) {
		return dir
	}
	return "sys/kernel/mm/hugepages"
}

func (f *Facts) lookVFIO(t tree) {
	f.VFIO.Ready = t.has("sys/bus/pci/drivers/vfio-pci")
	modules := "lib/modules/" + f.Kernel + "/"
	f.VFIO.BuiltIn = strings.Contains(t.text(modules+"modules.builtin"), "/vfio-pci.ko") ||
		f.VFIO.Ready && !t.has("sys/module/vfio_pci/initstate") // built-in modules have none
	f.VFIO.Available = f.VFIO.Ready || f.VFIO.BuiltIn || strings.Contains(t.text(modules+"modules.dep"), "/vfio-pci.ko")
	f.IOMMU.Unsafe = t.text("sys/module/vfio/parameters/enable_unsafe_noiommu_mode") == "Y"
	f.IOMMU.Groups = len(t.names("sys/kernel/iommu_groups"))
	for _, name := range t.names("sys/class/iommu") {
		f.IOMMU.Kind = "IOMMU " + name
		for prefix, kind := range map[string]string{"dmar": "Intel VT-d", "ivhd": "AMD-Vi", "smmu": "ARM SMMU", "virtio": "virtio-iommu"} {
			if strings.HasPrefix(name, prefix) {
				f.IOMMU.Kind = kind
			}
		}
	}
}

// locked reads RLIMIT_MEMLOCK, the soft limit, of /proc/PID/limits.
func locked(limits string) uint64 {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max locked memory"); ok {
			if w := strings.Fields(rest); len(w) > 0 {
				if n, err := strconv.ParseUint(w[0], 10, 64); err == nil {
					return n
				}
			}
		}
	}
	return Unlimited
}

// processes lists those of a name.
func processes(t tree, name string) (pids []int) {
	for _, entry := range t.names("proc") {
		if pid, err := strconv.Atoi(entry); err == nil && t.text("proc/"+entry+"/comm") == name {
			pids = append(pids, pid)
		}
	}
	return pids
}
