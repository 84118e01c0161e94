//go:build vm

package vm

import (
	"bufio"
	"bytes"
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
	argv    []string
	cmd     *exec.Cmd
	said    *strings.Builder // by QEMU
	exit    chan struct{}
	control net.Conn // to the agent
	answers *bufio.Reader
}

// boot starts QEMU inside a network namespace and returns at once. The kernel's
// and systemd's words go to bin/vm/NAME.log.
func boot(t *testing.T, netns, name, kernelArgs string, args ...string) *machine {
	t.Helper()
	m := &machine{t: t, name: name, files: filepath.Join(built, name), said: &strings.Builder{}}
	m.endLeftover()
	m.argv = append([]string{
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
	m.start()
	t.Cleanup(func() {
		m.cmd.Process.Kill()
		<-m.exit
		os.Remove(m.files + ".pid")
		if m.said.Len() > 0 {
			t.Logf("%s: QEMU says: %s", name, m.said)
		}
		if t.Failed() {
			t.Logf("%s: see %s.log", name, m.files)
		}
	})
	return m
}

// start starts QEMU.
func (m *machine) start() {
	m.t.Helper()
	for _, kind := range []string{".control", ".monitor"} {
		if err := os.Remove(m.files + kind); err != nil && !errors.Is(err, os.ErrNotExist) {
			m.t.Fatal(err)
		}
	}
	cmd, exit := exec.Command(m.argv[0], m.argv[1:]...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = m.said, m.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.cmd, m.exit = cmd, exit
	if err := os.WriteFile(m.files+".pid", []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(exit)
	}()
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

// boots is how often a machine is booted whose kernel panics before it is up: one with
// an IOMMU does now and then, when QEMU had no CPU while it looked whether its timer ticks.
const boots = 3

// ready waits until the agent answers.
func (m *machine) ready() {
	m.t.Helper()
	for n := 1; ; n++ {
		err := m.answer(time.Now().Add(bootLimit))
		if err == nil {
			return
		}
		if n == boots || !m.panicked() {
			m.t.Fatalf("%s: %v", m.name, err)
		}
		m.t.Logf("%s: its kernel panicked; booted once more", m.name)
		m.start()
	}
}

// panicked tells whether QEMU has ended, or does now, because the kernel panicked.
func (m *machine) panicked() bool {
	select {
	case <-m.exit:
	case <-time.After(10 * time.Second):
		return false
	}
	words, err := os.ReadFile(m.files + ".log")
	return err == nil && bytes.Contains(words, []byte("Kernel panic"))
}

// answer connects to the agent and has it answer.
func (m *machine) answer(deadline time.Time) error {
	for {
		c, err := net.Dial("unix", m.files+".control")
		if err == nil {
			m.control, m.answers = c, bufio.NewReader(c)
			m.t.Cleanup(func() { c.Close() })
			break
		}
		select {
		case <-m.exit:
			return errors.New("QEMU has ended")
		case <-time.After(50 * time.Millisecond):
			if time.Now().After(deadline) {
				return err
			}
		}
	}
	exit, out, err := m.ask(time.Until(deadline), "true")
	if err == nil && exit != 0 {
		err = errors.New(out)
	}
	return err
}

// try runs a shell command in the machine and returns its exit code and what it
// said. It is killed after limit.
func (m *machine) try(t *testing.T, limit time.Duration, command string) (exit int, output string) {
	t.Helper()
	exit, output, err := m.ask(limit, command)
	if err != nil {
		t.Fatalf("%s: %s: %v", m.name, command, err)
	}
	return exit, output
}

func (m *machine) ask(limit time.Duration, command string) (exit int, output string, err error) {
	request, err := json.Marshal(map[string]any{"Run": command, "Timeout": limit})
	if err != nil {
		return 0, "", err
	}
	m.control.SetDeadline(time.Now().Add(limit + 30*time.Second))
	if _, err := m.control.Write(append(request, '\n')); err != nil {
		return 0, "", err
	}
	line, err := m.answers.ReadBytes('\n')
	if err != nil {
		return 0, "", fmt.Errorf("no answer: %w", err)
	}
	var answer struct {
		Exit   int
		Output string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return 0, "", err
	}
	return answer.Exit, strings.TrimSpace(answer.Output), nil
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
