package metrics

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

var (
	mempoolFree = gauge("mempool_free", "Frames in the pool.", "pool")
	mempoolSize = gauge("mempool_size", "Frames that the pool has in all.", "pool")

	hugepages         = gauge("hugepages", "Hugepages of the machine, by their size.", "size")
	hugepagesFree     = gauge("hugepages_free", "Hugepages of the machine that nobody has taken, by their size.", "size")
	numaHugepages     = gauge("numa_hugepages", "Hugepages of a NUMA node, by their size.", "node", "size")
	numaHugepagesFree = gauge("numa_hugepages_free", "Hugepages of a NUMA node that nobody has taken, by their size.", "node", "size")
	hugepagesUsed     = gauge("hugepages_used_bytes", "Memory in hugepages that the process has taken.")
)

// hugepageFiles are where the kernel tells of hugepages, below /sys: of the
// machine, and of each NUMA node, which is then the first label.
var hugepageFiles = []struct {
	pattern string
	perNode bool
	metric  metric
}{
	{"kernel/mm/hugepages/hugepages-*kB/nr_hugepages", false, hugepages},
	{"kernel/mm/hugepages/hugepages-*kB/free_hugepages", false, hugepagesFree},
	{"devices/system/node/node*/hugepages/hugepages-*kB/nr_hugepages", true, numaHugepages},
	{"devices/system/node/node*/hugepages/hugepages-*kB/free_hugepages", true, numaHugepagesFree},
}

// memory shows the memory that packets live in.
func (c *collector) memory(s sender) {
	for _, p := range c.Pools() {
		s.send(mempoolFree, float64(p.Free), p.Name)
		s.send(mempoolSize, float64(p.Size), p.Name)
	}
	for _, h := range hugepageFiles {
		// A kernel without hugepages, or without NUMA, has no such files.
		files, _ := fs.Glob(c.sys, h.pattern) // the patterns are well formed
		for _, file := range files {
			n, err := readNumber(c.sys, file)
			if err != nil {
				c.Log.Warn("hugepages are not known", "error", err)
				continue
			}
			labels := []string{pageSize(file)}
			if h.perNode {
				node := path.Base(path.Dir(path.Dir(path.Dir(file))))
				labels = []string{strings.TrimPrefix(node, "node"), labels[0]}
			}
			s.send(h.metric, float64(n), labels...)
		}
	}
	if text, err := fs.ReadFile(c.proc, "status"); err != nil {
		c.Log.Warn("the process's hugepages are not known", "error", err)
	} else if kib, err := strconv.ParseUint(strings.TrimSuffix(field(string(text), "HugetlbPages"), " kB"), 10, 64); err == nil {
		s.send(hugepagesUsed, float64(kib)*1024)
	}
}

func readNumber(from fs.FS, file string) (uint64, error) {
	text, err := fs.ReadFile(from, file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// field finds the value of a line "name: value", as proc(5) has them; empty if
// there is none.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// pageSize reads ".../hugepages-2048kB/..." as "2MiB".
func pageSize(file string) string {
	text := strings.TrimSuffix(strings.TrimPrefix(path.Base(path.Dir(file)), "hugepages-"), "kB")
	kib, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return text
	case kib%(1<<20) == 0:
		return fmt.Sprint(kib>>20, "GiB")
	case kib%(1<<10) == 0:
		return fmt.Sprint(kib>>10, "MiB")
	}
	return fmt.Sprint(kib, "KiB")
}
