package keep

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// private tells whether a folder is on the right kind of memory, and nobody's but
// ours: whoever can write there could take memory away under a running core.
func private(dir string, huge bool) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	switch {
	case huge && fs.Type != unix.HUGETLBFS_MAGIC:
		return fmt.Errorf("%s: not on hugetlbfs", dir)
	case !huge && fs.Type != unix.TMPFS_MAGIC:
		return fmt.Errorf("%s: not on tmpfs", dir)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !known || int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s: %v is no folder that this user alone may look into", dir, info.Mode())
	}
	return nil
}

// create makes a file of so many bytes at least, all zero, and maps it. It has
// all its memory at once: what is short shows here, and not under a core. It takes
// the place of one that there may be.
func create(c Config, name string, size int) (memory []byte, err error) {
	path := c.Dir + "/" + name
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %d bytes: %w", path, size, err), os.Remove(f.Name()))
		}
	}()
	page, err := pageOf(f)
	if err != nil {
		return nil, err
	}
	size = (size + page - 1) / page * page
	if err = on(c.Node, func() error { return unix.Fallocate(int(f.Fd()), 0, 0, int64(size)) }); err != nil {
		return nil, err
	}
	if memory, err = mapped(f, size, c.Huge); err != nil {
		return nil, err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return nil, errors.Join(err, unmap(&memory))
	}
	return memory, nil
}

// open maps a file that create has made.
func open(c Config, name string) ([]byte, error) {
	f, err := os.OpenFile(c.Dir+"/"+name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	page, err := pageOf(f)
	if err != nil {
		return nil, err
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if size := info.Size(); !known || size == 0 || size%int64(page) != 0 || stat.Blocks*512 < size {
		return nil, fmt.Errorf("%s: %d bytes: not all of the file is there", f.Name(), size)
	}
	return mapped(f, int(info.Size()), c.Huge)
}

// pageOf returns the size of the pages that a file is made of.
func pageOf(f *os.File) (int, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return 0, err
	}
	return int(fs.Bsize), nil
}

// mapped maps a file, with every page at hand.
func mapped(f *os.File, size int, huge bool) ([]byte, error) {
	memory, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err == nil && !huge {
		unix.Mlock(memory) // without the right to it, what is swapped out is slow, not wrong
	}
	return memory, err
}

// unmap gives memory back. It may be called twice.
func unmap(memory *[]byte) error {
	m := *memory
	if *memory = nil; m == nil {
		return nil
	}
	return unix.Munmap(m)
}

// on has the kernel take memory of a NUMA node for what f allocates, as long as
// that has any.
func on(node int, f func() error) error {
	if node < 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var nodes unix.CPUSet
	nodes.Set(node)
	if err := unix.SetMemPolicy(unix.MPOL_PREFERRED, &nodes); err != nil {
		return fmt.Errorf("NUMA node %d: %w", node, err)
	}
	defer unix.SetMemPolicy(unix.MPOL_DEFAULT, nil)
	return f()
}
