package metrics

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

var (
	mempoolFree   = gauge("mempool_free", "Frames in the pool.", "pool")
	mempoolSize   = gauge("mempool_size", "Frames that the pool has in all.", "pool")
	hugepagesFree = gauge("hugepages_free", "Hugepages of the machine that nobody has taken, by their size.", "size")
)

// machine shows the memory that packets live in.
func (c *collector) machine(s sender) {
	for _, p := range c.Pools() {
		s.send(mempoolFree, float64(p.Free), p.Name)
		s.send(mempoolSize, float64(p.Size), p.Name)
	}
	// A kernel without hugepages has no such files.
	files, _ := fs.Glob(c.hugepages, "hugepages-*kB/free_hugepages") // the pattern is well formed
	for _, file := range files {
		text, err := fs.ReadFile(c.hugepages, file)
		if err != nil {
			c.Log.Warn("free hugepages are not known", "error", err)
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			c.Log.Warn("free hugepages are not known", "file", file, "error", err)
			continue
		}
		s.send(hugepagesFree, float64(n), pageSize(file))
	}
}

// pageSize reads "hugepages-2048kB/..." as "2MiB".
func pageSize(file string) string {
	text := strings.TrimSuffix(strings.TrimPrefix(path.Dir(file), "hugepages-"), "kB")
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
