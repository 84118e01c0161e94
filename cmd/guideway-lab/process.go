package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// marker is the environment variable by which a process of the lab is known, with
// the instance name as its value.
const marker = "GUIDEWAY_LAB"

// A process is one program that the lab started.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read after done
}

// endGrace is how long a process that a killed lab has left may take to end.
const endGrace = 3 * time.Second

// A pidFile remembers which processes are the lab's own, for the next lab to find
// should this one be killed: one line each, "pid start-time name". A process id
// comes round again, the pair of id and start time does not.
type pidFile string

func (f pidFile) add(pid int, name string) error {
	start, err := startTime(pid)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(string(f), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d %d %s\n", pid, start, name)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}

// own lists the processes in the file that still run and are the lab's beyond
// doubt: same start time, and the marker in their environment.
func (f pidFile) own(instance string) map[int]string {
	own := map[int]string{}
	data, err := os.ReadFile(string(f))
	if err != nil {
		return own
	}
	for line := range strings.Lines(string(data)) {
		var pid int
		var start uint64
		var name string
		if n, _ := fmt.Sscan(line, &pid, &start, &name); n != 3 {
			continue
		}
		if now, err := startTime(pid); err == nil && now == start && marked(pid, instance) {
			own[pid] = name
		}
	}
	return own
}

// end ends the processes that own finds, by SIGTERM and after a while by SIGKILL,
// and returns which they were.
func (f pidFile) end(instance string) map[int]string {
	found := f.own(instance)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for pid := range f.own(instance) {
			syscall.Kill(pid, sig)
		}
		for end := time.Now().Add(endGrace); len(f.own(instance)) > 0 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return found
}

// startTime is when a process started, in clock ticks since boot: field 22 of
// /proc/PID/stat, counted from behind the command's name, which may hold anything.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// marked tells whether a process carries the lab's marker.
func marked(pid int, instance string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == marker+"="+instance {
			return true
		}
	}
	return false
}

// start runs a program inside a host's namespace. It must be called on the main
// goroutine (see main). The program is in a process group of its own, so that a
// Ctrl-C reaches the lab alone, which then stops everything in order; and the
// kernel ends it should the lab be killed.
func start(t topology, host, name string, argv []string, in io.Reader, out, errs io.Writer) (*process, error) {
	argv = append(inNamespace(t.ns(host)), argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
	cmd.Env = append(os.Environ(), marker+"="+t.name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := pidFile(t.dir("pids")).add(cmd.Process.Pid, name); err != nil {
		p.stop(0)
		return nil, fmt.Errorf("%s did not stay up: %w", name, err)
	}
	return p, nil
}

// stop asks a process to end, waits for grace, and ends it for certain. It
// returns how the process ended.
func (p *process) stop(grace time.Duration) error {
	select {
	case <-p.done:
		return p.err
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(grace):
	}
	p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s did not stop within %v and was killed", p.name, grace)
}
