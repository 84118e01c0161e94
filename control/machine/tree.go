package machine

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A tree reads small files. What is not there, or not readable, is empty.
type tree struct{ fs.FS }

func (t tree) text(name string) string {
	b, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (t tree) number(name string, otherwise int) int {
	n, err := strconv.Atoi(t.text(name))
	if err != nil {
		return otherwise
	}
	return n
}

// link is the last name of where a symbolic link leads.
func (t tree) link(name string) string {
	to, err := fs.ReadLink(t.FS, name)
	if err != nil {
		return ""
	}
	return path.Base(to)
}

// names lists a folder in order.
func (t tree) names(dir string) (names []string) {
	entries, err := fs.ReadDir(t.FS, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (t tree) has(name string) bool {
	_, err := fs.Stat(t.FS, name)
	return err == nil
}

// lines are those of all files of some folders that end in suffix, without
// comments. Of files with one name, the first folder's counts, as in systemd.
func (t tree) lines(suffix string, dirs ...string) (lines []string) {
	seen := map[string]bool{}
	for _, dir := range dirs {
		for _, name := range t.names(dir) {
			if !strings.HasSuffix(name, suffix) || seen[name] {
				continue
			}
			seen[name] = true
			lines = append(lines, uncommented(t.text(dir+"/"+name))...)
		}
	}
	return lines
}

func uncommented(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line[0] != ';' {
			lines = append(lines, line)
		}
	}
	return lines
}

// field is a value of a file of lines "KEY: VALUE".
func field(text, key string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && k == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// ParseCPUs reads what the kernel writes as "0-3,8".
func ParseCPUs(s string) (cpus []int) {
	for part := range strings.SplitSeq(strings.TrimSpace(s), ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(to); err != nil || b-a > 4096 {
				continue
			}
		}
		for ; a <= b; a++ {
			cpus = append(cpus, a)
		}
	}
	return cpus
}

// FormatCPUs is the other way round.
func FormatCPUs(cpus []int) string {
	sorted := slices.Sorted(slices.Values(cpus))
	var parts []string
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] == sorted[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(sorted[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", sorted[i], sorted[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// inBytes writes a size as people do.
func inBytes(n uint64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// parseSize reads "2M", "1G", "1048576kB" and the like; 0 is not understood.
func parseSize(s string) uint64 {
	digits := strings.TrimRight(s, "kKmMgGiBb")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0
	}
	shift := 0
	if unit := s[len(digits):]; unit != "" {
		shift = map[byte]int{'k': 10, 'm': 20, 'g': 30}[unit[0]|0x20]
	}
	if n > math.MaxUint64>>shift {
		return 0
	}
	return n << shift
}

// ParsePage reads the size of a hugepage as people write it, "2M" or "1G".
func ParsePage(s string) (uint64, error) {
	if size := parseSize(s); size >= 64<<10 && size&(size-1) == 0 {
		return size, nil
	}
	return 0, fmt.Errorf("%q is no size of a page: 2M or 1G", s)
}
