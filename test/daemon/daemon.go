// Package daemon runs the real guidewayd for tests: built from the tree, as a
// process of its own, watched by its log and its metrics.
package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Limits that only a broken daemon reaches.
const (
	startLimit = 30 * time.Second
	stopLimit  = 20 * time.Second
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "guidewayd-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "guidewayd")
	cmd := exec.Command("go", "build", "-o", bin, "guideway/cmd/guidewayd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "CGO_CFLAGS_ALLOW=-mrtm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build guidewayd: %w\n%s", err, out)
	}
	return bin, nil
})

// Main is for TestMain: it runs the tests and removes what was built.
func Main(m *testing.M) int {
	bin, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(filepath.Dir(bin))
	return m.Run()
}

// A Daemon is a running guidewayd.
type Daemon struct {
	t      testing.TB
	cmd    *exec.Cmd
	netns  string // the namespace it runs in; "": the test's own
	log    *logBuffer
	config string
	exit   chan struct{} // closed when it has ended; err is then set
	err    error
}

// Run starts guidewayd in dir with a configuration and waits until it has ended
// by itself; it is for those that do not start. It returns the exit code and
// what it said.
func Run(t testing.TB, dir, config string) (code int, log string) {
	t.Helper()
	d := launch(t, "", nil, dir, config)
	select {
	case <-d.exit:
	case <-time.After(startLimit):
		d.Kill()
		t.Fatalf("guidewayd runs on:\n%s", d.Log())
	}
	return d.cmd.ProcessState.ExitCode(), d.Log()
}

// Start starts guidewayd in dir with a configuration, and with env beside the
// test's own environment, and waits until it says that it is forwarding. It is
// stopped with the test, if not before.
func Start(t testing.TB, dir, config string, env ...string) *Daemon {
	t.Helper()
	d := launch(t, "", nil, dir, config, env...)
	d.WaitLog(`msg=forwarding`)
	return d
}

func launch(t testing.TB, netns string, by []string, dir, config string, env ...string) *Daemon {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{t: t, netns: netns, log: &logBuffer{}, config: filepath.Join(dir, "guideway.toml"), exit: make(chan struct{})}
	d.Write(config)
	argv := append(slices.Clone(by), bin, "--config", d.config, "--state", filepath.Join(dir, "state"))
	if netns != "" {
		// ip becomes guidewayd: the process id stays, and so does Pdeathsig.
		argv = append([]string{"ip", "netns", "exec", netns}, argv...)
	}
	d.cmd = exec.Command(argv[0], argv[1:]...)
	d.cmd.Dir, d.cmd.Env = dir, append(os.Environ(), env...)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // not left behind by a killed test
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.exit)
	}()
	t.Cleanup(d.Kill)
	return d
}

// Kill ends the daemon at once, as SIGKILL does, and returns when it is gone.
func (d *Daemon) Kill() {
	d.cmd.Process.Kill()
	<-d.exit
}

// Log returns what the daemon has said so far.
func (d *Daemon) Log() string { return d.log.String() }

// WaitLog waits until the log matches the pattern and returns the match with
// its groups.
func (d *Daemon) WaitLog(pattern string) []string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	var match []string
	d.WaitFor("log "+pattern, func() bool {
		match = re.FindStringSubmatch(d.Log())
		return match != nil
	})
	return match
}

// WaitFor waits until done returns true.
func (d *Daemon) WaitFor(what string, done func() bool) {
	d.t.Helper()
	deadline := time.Now().Add(startLimit)
	for !done() {
		select {
		case <-d.exit:
			if done() {
				return
			}
			d.t.Fatalf("guidewayd ended (%v) before %s:\n%s", d.err, what, d.Log())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("guidewayd: no %s in %v:\n%s", what, startLimit, d.Log())
		}
	}
}

// Write replaces the configuration file.
func (d *Daemon) Write(config string) {
	d.t.Helper()
	if err := os.WriteFile(d.config, []byte(config), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// PID is the process id.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Signal sends a signal.
func (d *Daemon) Signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

// Stop ends the daemon in order and fails the test unless it exits with 0 and
// every frame is back in its pool.
func (d *Daemon) Stop() {
	d.t.Helper()
	d.Signal(syscall.SIGTERM)
	select {
	case <-d.exit:
	case <-time.After(stopLimit):
		d.t.Fatalf("guidewayd does not stop:\n%s", d.Log())
	}
	if d.err != nil {
		d.t.Fatalf("guidewayd: %v:\n%s", d.err, d.Log())
	}
	if !strings.Contains(d.Log(), "every frame is back in its pool") {
		d.t.Fatalf("guidewayd does not say that all frames are back:\n%s", d.Log())
	}
}

// Metrics scrapes the daemon: values by name and labels as Prometheus writes
// them, as in `guideway_packets_total{core="1",verdict="forwarded"}`.
func (d *Daemon) Metrics() map[string]float64 {
	d.t.Helper()
	url := d.WaitLog(`metrics=(http://\S+)`)[1]
	r, err := d.client().Get(url)
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		d.t.Fatalf("metrics: %s: %v\n%s", r.Status, err, text)
	}
	values, err := parse(text)
	if err != nil {
		d.t.Fatal(err)
	}
	return values
}

func parse(text []byte) (map[string]float64, error) {
	values := map[string]float64{}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		i := bytes.LastIndexByte(line, ' ')
		if i < 0 {
			return nil, errors.New("not a metric: " + string(line))
		}
		v, err := strconv.ParseFloat(string(line[i+1:]), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		values[string(line[:i])] = v
	}
	return values, nil
}

// Sum adds up the metrics whose name is name, over all labels.
func Sum(metrics map[string]float64, name string) (sum float64) {
	for k, v := range metrics {
		if k == name || strings.HasPrefix(k, name+"{") {
			sum += v
		}
	}
	return sum
}

// Verdicts returns how many frames ended by each verdict, over all cores,
// without those that none did.
func Verdicts(metrics map[string]float64) map[string]int {
	verdict := regexp.MustCompile(`^guideway_packets_total\{.*verdict="([^"]+)"`)
	counts := map[string]int{}
	for k, v := range metrics {
		if m := verdict.FindStringSubmatch(k); m != nil && v != 0 {
			counts[m[1]] += int(v)
		}
	}
	return counts
}

// logBuffer collects a process's output while others read it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
