package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"guideway/cmd/guideway-load/engine"
)

// limit is what only a generator that hangs takes beyond its time.
const limit = 60 * time.Second

// buildGenerator builds guideway-load into dir.
func buildGenerator(dir string) (string, error) {
	bin := filepath.Join(dir, "guideway-load")
	cmd := exec.Command("go", "build", "-o", bin, "guideway/cmd/guideway-load")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "CGO_CFLAGS_ALLOW=-mrtm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build guideway-load: %w\n%s", err, out)
	}
	return bin, nil
}

// A generator is a running guideway-load.
type generator struct {
	cmd       *exec.Cmd
	out, errs output
	ended     chan error
}

// generate starts guideway-load on a device.
func generate(t *testing.T, device string, huge bool, flags string, args ...any) *generator {
	t.Helper()
	argv := []string{loadProgram, "-port", device, "-mac", "02:00:00:00:00:01", "-json", "-lcores", fmt.Sprint(generatorCPU), "-memory", fmt.Sprint(generatorMemory)}
	if !huge {
		argv = append(argv, "-no-huge")
	}
	argv = append(argv, strings.Fields(fmt.Sprintf(flags, args...))...)
	if strings.Contains(device, generatorLink) {
		argv = append([]string{"ip", "netns", "exec", namespace}, argv...)
	}
	g := &generator{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan error, 1)}
	g.cmd.Stdout, g.cmd.Stderr = &g.out, &g.errs
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { g.ended <- g.cmd.Wait() }()
	t.Cleanup(func() { g.cmd.Process.Kill() })
	return g
}

// started waits until the generator measures.
func (g *generator) started(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if bytes.Contains(g.errs.bytes(), []byte(" s  sent ")) {
			return
		}
		select {
		case err := <-g.ended:
			t.Fatalf("guideway-load ended (%v):\n%s", err, g.errs.bytes())
		default:
		}
	}
	t.Fatalf("guideway-load does not begin:\n%s", g.errs.bytes())
}

// signal tells the generator to go on to its end.
func (g *generator) signal(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// report ends a generator's test and returns what it found. The generator holds its
// port open, until close: memif's driver takes a peer's rings away while they are
// polled, so the device goes first.
func (g *generator) report(t *testing.T) engine.Report {
	t.Helper()
	g.signal(t)
	return g.awaitReport(t)
}

// awaitReport returns what the generator found when its test has ended by itself.
func (g *generator) awaitReport(t *testing.T) (r engine.Report) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if json.Unmarshal(g.out.bytes(), &r) == nil { // it is whole
			return r
		}
		select {
		case err := <-g.ended:
			g.ended <- err
			if json.Unmarshal(g.out.bytes(), &r) == nil {
				return r
			}
			t.Fatalf("guideway-load ended (%v):\n%s%s", err, g.out.bytes(), g.errs.bytes())
		default:
		}
	}
	t.Fatalf("guideway-load does not report:\n%s", g.errs.bytes())
	return r
}

// close has a generator close its port and end.
func (g *generator) close(t *testing.T) {
	t.Helper()
	g.signal(t)
	g.wait(t)
}

func (g *generator) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-g.ended:
		if err != nil {
			t.Fatalf("guideway-load: %v\n%s%s", err, g.out.bytes(), g.errs.bytes())
		}
	case <-time.After(limit):
		t.Fatalf("guideway-load does not end:\n%s", g.errs.bytes())
	}
}

// An output is read while a process writes it.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	return len(p), nil
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.text)
}
