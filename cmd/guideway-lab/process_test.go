package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// sleeper starts a process that does nothing, with a marker or without.
func sleeper(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	return program(t, []string{"sleep", "60"}, env...)
}

func program(t *testing.T, argv []string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// Only a process that the file names, with the same start time and with the
// marker in its environment, is the lab's to end.
func TestOwnProcesses(t *testing.T) {
	file := pidFile(filepath.Join(t.TempDir(), "pids"))
	mine := sleeper(t, marker+"=mylab").Process.Pid
	other := sleeper(t, marker+"=mylab2").Process.Pid
	bare := sleeper(t).Process.Pid
	unlisted := sleeper(t, marker+"=mylab").Process.Pid
	recycled := sleeper(t, marker+"=mylab").Process.Pid

	for _, pid := range []int{mine, other, bare} {
		if err := file.add(pid, "sleep"); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(string(file), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A pid that has come round to another process, a line cut short by a kill.
	if _, err := f.WriteString(strconv.Itoa(recycled) + " 1 sleep\n12 3"); err != nil {
		t.Fatal(err)
	}
	f.Close()

	own := file.own("mylab")
	if len(own) != 1 || own[mine] != "sleep" {
		t.Errorf("own %v; want only %d (not %d of another lab, %d without marker, %d unlisted, %d recycled)",
			own, mine, other, bare, unlisted, recycled)
	}
}

// The lab's own processes end, the stubborn one too, and no others.
func TestEnd(t *testing.T) {
	file := pidFile(filepath.Join(t.TempDir(), "pids"))
	meek := sleeper(t, marker+"=mylab")
	stubborn := program(t, []string{"sh", "-c", "trap '' TERM; exec sleep 60"}, marker+"=mylab")
	for comm := ""; comm != "sleep\n"; { // by then it ignores SIGTERM
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", stubborn.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		comm = string(text)
	}
	other := sleeper(t, marker+"=mylab2")
	for _, cmd := range []*exec.Cmd{meek, stubborn, other} {
		if err := file.add(cmd.Process.Pid, "sleep"); err != nil {
			t.Fatal(err)
		}
	}
	if ended := file.end("mylab"); len(ended) != 2 {
		t.Errorf("ended %v, want two", ended)
	}
	if own := file.own("mylab"); len(own) != 0 {
		t.Errorf("own %v after the end", own)
	}
	if own := file.own("mylab2"); len(own) != 1 {
		t.Error("another lab's process was ended")
	}
}

func TestOwnForgetsTheDead(t *testing.T) {
	file := pidFile(filepath.Join(t.TempDir(), "pids"))
	cmd := sleeper(t, marker+"=mylab")
	if err := file.add(cmd.Process.Pid, "sleep"); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if own := file.own("mylab"); len(own) != 0 {
		t.Errorf("own %v after its end", own)
	}
	if own := pidFile("/nonexistent").own("mylab"); len(own) != 0 {
		t.Errorf("own %v without a file", own)
	}
}
