package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// lockLab makes this process the only lab of its name until it ends, however it
// ends: the kernel gives the lock back. The lock file stays; taking it away would
// let two labs hold locks on two files of one name.
func lockLab(t topology) (*os.File, error) {
	if err := os.MkdirAll(runRoot, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(runRoot, t.name+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		f.Close()
		return nil, fmt.Errorf("a lab named %q is running (process %s); stop it, or give this one another --name",
			t.name, strings.TrimSpace(string(holder)))
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// cleanMain is the verb "clean".
func cleanMain(o options, say *narrator) error {
	if err := require(); err != nil {
		return err
	}
	t := newTopology(o.name, o.driver, o.backends)
	lock, err := lockLab(t)
	if err != nil {
		return err
	}
	defer lock.Close()
	removed, err := clean(t, say)
	if err == nil && len(removed) == 0 {
		say.step("nothing to remove")
	}
	return errors.Join(err, os.RemoveAll(t.dir()))
}

// clean removes all that a lab of this name has made, but its logs: processes,
// namespaces with the links in them, the management link, files. It serves the
// end of a run and the start of the next alike, and names what it removed.
func clean(t topology, say *narrator) (removed []string, err error) {
	var faults []error
	for pid, name := range pidFile(t.dir("pids")).end(t.name) {
		removed = append(removed, fmt.Sprintf("%s (process %d)", name, pid))
	}
	spaces, err := namespaces(t)
	if err != nil {
		faults = append(faults, err)
	}
	b := &builder{t: t, say: say}
	for _, ns := range spaces {
		for _, pid := range pidsIn(ns) {
			say.step("left alone: process %s, which you run inside %s", pid, ns)
		}
		b.run("ip", "netns", "del", ns)
		faults = append(faults, b.err)
		b.err = nil
		removed = append(removed, ns)
	}
	// It goes with its peer's namespace, but the kernel takes its time over that.
	if _, err := os.Stat("/sys/class/net/" + t.mgmtLink()); err == nil {
		b.run("ip", "link", "del", t.mgmtLink())
		if _, err := os.Stat("/sys/class/net/" + t.mgmtLink()); err == nil {
			faults = append(faults, b.err)
		}
	}
	entries, _ := os.ReadDir(t.dir())
	for _, e := range entries {
		if e.Name() != "log" {
			faults = append(faults, os.RemoveAll(t.dir(e.Name())))
		}
	}
	return removed, errors.Join(faults...)
}

// namespaces lists those that exist and are the lab's by their names.
func namespaces(t topology) ([]string, error) {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("ip netns list: %w", err)
	}
	var own []string
	for line := range strings.Lines(string(out)) {
		// A line is a name, with "(id: 3)" after it at times.
		if fields := strings.Fields(line); len(fields) > 0 && t.owns(fields[0]) {
			own = append(own, fields[0])
		}
	}
	return own, nil
}

// pidsIn lists the processes inside a namespace.
func pidsIn(ns string) []string {
	out, _ := exec.Command("ip", "netns", "pids", ns).Output()
	return strings.Fields(string(out))
}
