package machine

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The files that guideway setup writes.
const (
	pagesFile   = "/etc/tmpfiles.d/guideway-hugepages.conf"
	modulesFile = "/etc/modules-load.d/guideway.conf"
	rulesFile   = "/etc/udev/rules.d/60-guideway.rules"
)

var (
	pageLine = regexp.MustCompile(`^w[!+-]*\s+/sys/devices/system/node/node(\d+)/hugepages/hugepages-(\d+kB)/nr_hugepages\s.*\s(\d+)$`)
	ruleLine = regexp.MustCompile(`KERNEL=="([0-9a-f:.]+)".*ATTR\{driver_override\}="([^"]+)"`)
)

// lookBoot reads what the next start brings.
func lookBoot(t tree, f *Facts) Boot {
	b := Boot{Overrides: map[string]string{}, Ours: map[string]string{}}
	for _, name := range []string{pagesFile, modulesFile, rulesFile} {
		if t.has(name[1:]) {
			b.Ours[name] = t.text(name[1:]) + "\n"
		}
	}
	b.Hugepages = bootPages(t, f)
	for _, line := range t.lines(".conf", "etc/modules-load.d", "run/modules-load.d", "usr/lib/modules-load.d") {
		b.Modules = append(b.Modules, strings.ReplaceAll(line, "_", "-"))
	}
	for _, line := range uncommented(t.text("etc/modules")) {
		b.Modules = append(b.Modules, strings.ReplaceAll(strings.Fields(line)[0], "_", "-"))
	}
	for _, line := range t.lines(".rules", "etc/udev/rules.d", "usr/lib/udev/rules.d") {
		if m := ruleLine.FindStringSubmatch(line); m != nil {
			b.Overrides[m[1]] = m[2]
		}
	}
	for _, address := range t.names("etc/driverctl.d") {
		b.Overrides[address] = t.text("etc/driverctl.d/" + address)
	}
	return b
}

// bootPages are the pages that are reserved, by the kernel's command line and,
// later, by sysctl and tmpfiles.
func bootPages(t tree, f *Facts) []Hugepages {
	pages := map[Hugepages]int{}
	set := func(node int, size uint64, n int) {
		key := Hugepages{Node: node, Size: size}
		pages[key] = max(pages[key], n)
	}
	spread := func(size uint64, n int) { // evenly, as the kernel does
		for _, node := range f.Nodes {
			set(node, size, n/len(f.Nodes))
		}
	}
	size := f.DefaultPage
	for _, word := range f.Command {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "default_hugepagesz", "hugepagesz":
			size = parseSize(value)
		case "hugepages":
			for part := range strings.SplitSeq(value, ",") {
				node, n, each := strings.Cut(part, ":")
				if a, err := strconv.Atoi(node); err == nil {
					if b, err := strconv.Atoi(n); each && err == nil {
						set(a, size, b)
					} else if !each {
						spread(size, a)
					}
				}
			}
		}
	}
	for _, line := range append(t.lines(".conf", "etc/sysctl.d", "run/sysctl.d", "usr/lib/sysctl.d"), uncommented(t.text("etc/sysctl.conf"))...) {
		key, value, _ := strings.Cut(line, "=")
		if strings.ReplaceAll(strings.TrimSpace(key), "/", ".") == "vm.nr_hugepages" {
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
				spread(f.DefaultPage, n)
			}
		}
	}
	for _, line := range t.lines(".conf", "etc/tmpfiles.d", "run/tmpfiles.d", "usr/lib/tmpfiles.d") {
		if m := pageLine.FindStringSubmatch(line); m != nil {
			node, _ := strconv.Atoi(m[1])
			n, _ := strconv.Atoi(m[3])
			set(node, parseSize(m[2]), n)
		}
	}
	var all []Hugepages
	for key, n := range pages {
		if n > 0 {
			key.Total = n
			all = append(all, key)
		}
	}
	slices.SortFunc(all, func(a, b Hugepages) int {
		if a.Node != b.Node {
			return a.Node - b.Node
		}
		return int(int64(a.Size) - int64(b.Size))
	})
	return all
}

// pool finds the pages of a node and size.
func pool(all []Hugepages, node int, size uint64) Hugepages {
	for _, h := range all {
		if h.Node == node && h.Size == size {
			return h
		}
	}
	return Hugepages{Node: node, Size: size}
}
