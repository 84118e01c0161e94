//go:build vm

package vm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bootLimit is for three machines that boot at a time on processors that QEMU
// plays for them, on cores shared with others.
const bootLimit = 4 * time.Minute

// A machine is a virtual machine that runs.
type machine struct {
	t       *testing.T // the test that booted it
	name    string
	files   string // what its files begin with: NAME.log, .control, .monitor, .pid
	cmd     *exec.Cmd
	exit    chan struct{}
	control net.Conn // to the agent
	answers *bufio.Reader
}

// boot starts QEMU inside a network namespace and returns at once. The kernel's
// and systemd's words go to bin/vm/NAME.log.
func boot(t *testing.T, netns, name, kernelArgs string, args ...string) *machine {
	t.Helper()
	m := &machine{t: t, name: name, files: filepath.Join(built, name), exit: make(chan struct{})}
	m.endLeftover()
	for _, kind := range []string{".control", ".monitor"} {
		if err := os.Remove(m.files + kind); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	argv := append([]string{
		"ip", "netns", "exec", netns,
		"qemu-system-x86_64", "-name", name, "-nodefaults", "-no-user-config", "-display", "none",
		"-machine", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-kernel", filepath.Join(built, "vmlinuz"), "-initrd", filepath.Join(built, "initrd"),
		"-append", "console=ttyS0 loglevel=4 panic=-1 " + kernelArgs, "-no-reboot",
		"-serial", "file:" + m.files + ".log",
		"-drive", "if=none,id=disk,format=raw,snapshot=on,file=" + filepath.Join(built, "root.img"),
		"-device", "virtio-blk-pci,drive=disk",
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=control,name=test",
		"-chardev", "socket,id=control,server=on,wait=off,path=" + m.files + ".control",
		"-monitor", "unix:" + m.files + ".monitor,server=on,wait=off",
	}, args...)
	m.cmd = exec.Command(argv[0], argv[1:]...)
	said := &strings.Builder{}
	m.cmd.Stdout, m.cmd.Stderr = said, said
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.files+".pid", []byte(strconv.Itoa(m.cmd.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		m.cmd.Wait()
		close(m.exit)
	}()
	t.Cleanup(func() {
		m.cmd.Process.Kill()
		<-m.exit
		os.Remove(m.files + ".pid")
		if said.Len() > 0 {
			t.Logf("%s: QEMU says: %s", name, said)
		}
		if t.Failed() {
			t.Logf("%s: see %s.log", name, m.files)
		}
	})
	return m
}

// endLeftover ends the QEMU of a test that was killed.
func (m *machine) endLeftover() {
	text, err := os.ReadFile(m.files + ".pid")
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return
	}
	// Numbers are used again: it must be the one that has our files open.
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(line), m.files+".control") {
		return
	}
	syscall.Kill(pid, syscall.SIGKILL)
	for err == nil {
		time.Sleep(10 * time.Millisecond)
		_, err = os.Stat(fmt.Sprintf("/proc/%d", pid))
	}
}

// ready waits until the agent answers.
func (m *machine) ready() {
	m.t.Helper()
	deadline := time.Now().Add(bootLimit)
	for m.control == nil {
		c, err := net.Dial("unix", m.files+".control")
		switch {
		case err == nil:
			m.control, m.answers = c, bufio.NewReader(c)
			m.t.Cleanup(func() { c.Close() })
		case time.Now().After(deadline):
			m.t.Fatalf("%s: %v", m.name, err)
		default:
			m.alive()
			time.Sleep(50 * time.Millisecond)
		}
	}
	if exit, out := m.try(m.t, time.Until(deadline), "true"); exit != 0 {
		m.t.Fatalf("%s: %s", m.name, out)
	}
}

func (m *machine) alive() {
	m.t.Helper()
	select {
	case <-m.exit:
		m.t.Fatalf("%s: QEMU has ended", m.name)
	default:
	}
}

// try runs a shell command in the machine and returns its exit code and what it
// said. It is killed after limit.
func (m *machine) try(t *testing.T, limit time.Duration, command string) (exit int, output string) {
	t.Helper()
	request, err := json.Marshal(map[string]any{"Run": command, "Timeout": limit})
	if err != nil {
		t.Fatal(err)
	}
	m.control.SetDeadline(time.Now().Add(limit + 30*time.Second))
	if _, err := m.control.Write(append(request, '\n')); err != nil {
		t.Fatalf("%s: %s: %v", m.name, command, err)
	}
	line, err := m.answers.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s: %s: no answer: %v", m.name, command, err)
	}
	var answer struct {
		Exit   int
		Output string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatalf("%s: %s: %v", m.name, command, err)
	}
	return answer.Exit, strings.TrimSpace(answer.Output)
}

// run is try for a command that must succeed within a minute or two.
func (m *machine) run(t *testing.T, command string) string {
	t.Helper()
	exit, output := m.try(t, 2*time.Minute, command)
	if exit != 0 {
		t.Fatalf("%s: %s: exit status %d\n%s", m.name, command, exit, output)
	}
	return output
}

// write makes a file in the machine.
func (m *machine) write(t *testing.T, file, text string) {
	t.Helper()
	m.run(t, fmt.Sprintf("cat >%s <<'EOF-OF-FILE'\n%sEOF-OF-FILE", file, text))
}

// monitor gives QEMU a command.
func (m *machine) monitor(t *testing.T, command string) {
	t.Helper()
	c, err := net.Dial("unix", m.files+".monitor")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	prompt := func() (said string) {
		for !strings.HasSuffix(said, "(qemu) ") {
			b, err := r.ReadByte()
			if err != nil {
				t.Fatalf("%s: monitor: %s: %v after %q", m.name, command, err, said)
			}
			said += string(b)
		}
		return said
	}
	prompt()
	fmt.Fprintf(c, "%s\n", command)
	if said := prompt(); strings.Contains(said, "Error") || strings.Contains(said, "unknown") {
		t.Fatalf("%s: monitor: %s", m.name, said)
	}
}
