// Package testpmd runs DPDK's own dpdk-testpmd, the yardstick of benchmarks: a loop
// in C on the same ports that does nothing to packets (io), swaps their MAC
// addresses (macswap), or addresses and ports too (5tswap).
package testpmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Config says what testpmd does.
type Config struct {
	Mode   string // of forwarding: "io"
	Device string // a virtual device with its arguments, the one port
	Main   int    // CPU of its main thread
	CPU    int    // of its polling thread
	Two    bool   // polling threads, the other one beside the main thread: each has a queue
	Huge   bool   // memory of hugepages
	Netns  string // the namespace it runs in; "": the caller's own
}

// memory is in MiB, and has room for so many frames.
const (
	memory = 128
	frames = 16383
)

// limit is what only a testpmd that hangs takes to answer.
const limit = 30 * time.Second

// Testpmd is a running dpdk-testpmd. Its methods are for one goroutine.
type Testpmd struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *output
	ended chan struct{} // closed when it has; err is then set
	err   error
	shown int // answers by Counters so far
}

// Start starts testpmd and returns when it forwards.
func Start(c Config) (*Testpmd, error) {
	threads, lcores := 1, fmt.Sprintf("--lcores=0@%d,1@%d", c.Main, c.CPU)
	if c.Two {
		threads, lcores = 2, lcores+fmt.Sprintf(",2@%d", c.Main)
	}
	args := []string{
		"stdbuf", "-oL", // or what it says to a pipe waits until there is more
		"dpdk-testpmd", lcores, "--no-pci", "--no-telemetry",
		fmt.Sprintf("--file-prefix=guideway-testpmd-%d", os.Getpid()), "-m", strconv.Itoa(memory), "--vdev=" + c.Device,
	}
	if c.Huge {
		args = append(args, "--in-memory", "--single-file-segments")
	} else {
		args = append(args, "--no-huge", "--no-shconf")
	}
	args = append(args, "--", "-i", "--auto-start", "--forward-mode="+c.Mode, fmt.Sprint("--nb-cores=", threads), fmt.Sprint("--rxq=", threads), fmt.Sprint("--txq=", threads), "--burst=64", fmt.Sprint("--total-num-mbufs=", frames),
		"--port-topology=loop", "--disable-link-check", "--record-core-cycles")
	if c.Netns != "" {
		args = append([]string{"ip", "netns", "exec", c.Netns}, args...)
	}
	p := &Testpmd{cmd: exec.Command(args[0], args[1:]...), out: new(output), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("dpdk-testpmd, from the Debian package dpdk-dev: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if _, err := p.Counters(); err != nil { // it answers once it has started
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Counters are of the port and its loop, since the start.
type Counters struct {
	Received, Sent uint64
	Busy           time.Duration // of turns of the loop that received something
}

var (
	packets = regexp.MustCompile(`RX-packets: (\d+) +RX-missed: [^#]*TX-packets: (\d+) [^#]*##`)
	cycles  = regexp.MustCompile(`total cycles=(\d+) [^)]*\) at (\d+) MHz`) // not there before the first packet
)

// Counters returns how far it is.
func (p *Testpmd) Counters() (c Counters, err error) {
	p.shown++
	if _, err := io.WriteString(p.stdin, "show fwd stats all\nshow port stats 0\n"); err != nil {
		return c, errors.Join(err, p.failed("does not listen"))
	}
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		said := p.out.bytes()
		if all := packets.FindAllSubmatch(said, -1); len(all) >= p.shown { // and what was asked before is there
			var errs [4]error
			c.Received, errs[0] = strconv.ParseUint(string(all[p.shown-1][1]), 10, 64)
			c.Sent, errs[1] = strconv.ParseUint(string(all[p.shown-1][2]), 10, 64)
			if all := cycles.FindAllSubmatch(said, -1); len(all) > 0 {
				var ticks, rate float64
				ticks, errs[2] = strconv.ParseFloat(string(all[len(all)-1][1]), 64)
				rate, errs[3] = strconv.ParseFloat(string(all[len(all)-1][2]), 64)
				c.Busy = time.Duration(ticks / rate * 1000)
			}
			return c, errors.Join(errs[:]...)
		}
		select {
		case <-p.ended:
			return c, p.failed("has ended")
		default:
		}
	}
	return c, p.failed("does not answer")
}

func (p *Testpmd) failed(what string) error {
	return fmt.Errorf("dpdk-testpmd %s:\n%s", what, p.out.bytes())
}

// PollTime returns the processor time that its polling thread has had.
func (p *Testpmd) PollTime() (time.Duration, error) {
	return ThreadTime(p.cmd.Process.Pid, "lcore-worker", "rte-worker")
}

// Stop ends it in order.
func (p *Testpmd) Stop() error {
	io.WriteString(p.stdin, "quit\n") // if it does not listen, it is killed below
	select {
	case <-p.ended:
		return p.err
	case <-time.After(limit):
		p.Kill()
		return p.failed("does not end")
	}
}

// Kill ends it at once.
func (p *Testpmd) Kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// ThreadTime returns the processor time, in all, of the process's threads whose names
// begin with one of the prefixes.
func ThreadTime(pid int, prefixes ...string) (took time.Duration, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return 0, err
	}
	found := false
	for _, task := range tasks {
		name, err := os.ReadFile(filepath.Join(task, "comm"))
		if err != nil {
			continue // it has ended
		}
		for _, prefix := range prefixes {
			if !strings.HasPrefix(string(name), prefix) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(task, "schedstat"))
			if err != nil {
				return 0, err
			}
			ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
			if err != nil {
				return 0, err
			}
			took += time.Duration(ns)
			found = true
			break
		}
	}
	if found {
		return took, nil
	}
	return 0, fmt.Errorf("process %d has no thread %v", pid, prefixes)
}

// output is what a process has said so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buf.Bytes())
}
