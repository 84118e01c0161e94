package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// name is the instance that the tests run, so that a lab someone has up stays.
const name = "gwtest"

// within bounds everything that one lab does.
const within = 90 * time.Second

var bin string // folder of the binaries under test

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "guideway-lab-"); err == nil {
		defer os.RemoveAll(bin)
		err = prepare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/lab:", err)
		return 1
	}
	return m.Run()
}

// prepare builds the daemon and the lab as the Makefile does, and clears away
// what an earlier test run that was killed has left.
func prepare() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("must run as root: the lab makes network namespaces")
	}
	for _, b := range []struct{ pkg, cgo string }{{"guidewayd", "1"}, {"guideway-lab", "0"}} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, b.pkg), "guideway/cmd/"+b.pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+b.cgo, "CGO_CFLAGS_ALLOW=-mrtm")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", b.pkg, err, out)
		}
	}
	if out, err := exec.Command(filepath.Join(bin, "guideway-lab"), "clean", "--name", name).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// A command is one guideway-lab at work.
type command struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
	err  error // after done

	mu  sync.Mutex
	out bytes.Buffer
}

// start starts a lab of the tests' name. The test ends it at the latest.
func start(t *testing.T, args ...string) *command {
	t.Helper()
	verb := []string{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[:1], args[1:]
	}
	args = append(append(verb, "--name", name), args...)
	c := &command{t: t, cmd: exec.Command(filepath.Join(bin, "guideway-lab"), args...), done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = c, c
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		c.cmd.Process.Signal(syscall.SIGTERM)
		c.wait()
	})
	return c
}

func (c *command) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *command) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

func (c *command) signal(s os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("%v: %v\n%s", s, err, c.output())
	}
}

// wait returns how the lab ended. One that does not end is a failure.
func (c *command) wait() error {
	c.t.Helper()
	select {
	case <-c.done:
		return c.err
	case <-time.After(within):
		c.cmd.Process.Kill()
		<-c.done
		c.t.Errorf("still running after %v:\n%s", within, c.output())
		return c.err
	}
}

// await returns once the lab has said something.
func (c *command) await(text string) {
	c.t.Helper()
	for end := time.Now().Add(within); !strings.Contains(c.output(), text); time.Sleep(10 * time.Millisecond) {
		select {
		case <-c.done:
			c.t.Fatalf("ended (%v) without saying %q:\n%s", c.err, text, c.output())
		default:
		}
		if time.Now().After(end) {
			c.t.Fatalf("did not say %q within %v:\n%s", text, within, c.output())
		}
	}
}

// nothingLeft checks that of a lab of the tests' name no namespace, no process, no
// interface and no file but its logs is left.
func nothingLeft(t *testing.T) {
	t.Helper()
	for _, ns := range namespaces(t) {
		t.Errorf("left: namespace %s", ns)
	}
	for _, p := range processes(t) {
		t.Errorf("left: process %s", p)
	}
	// The kernel unmakes a namespace, and the links in it, in its own time.
	link := "/sys/class/net/" + name + "-mgmt"
	for end := time.Now().Add(5 * time.Second); exists(link); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("left: interface %s", filepath.Base(link))
			break
		}
	}
	files, _ := filepath.Glob("/run/guideway-lab/" + name + "/*")
	for _, f := range files {
		if filepath.Base(f) != "log" {
			t.Errorf("left: %s", f)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func namespaces(t *testing.T) (own []string) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, name+"-") {
			own = append(own, strings.TrimSpace(line))
		}
	}
	return own
}

// processes lists those that carry the lab's marker in their environment. One that
// has ended but was not waited for has no environment any more.
func processes(t *testing.T) (own []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(files) == 0 {
		t.Fatalf("no processes in /proc: %v", err)
	}
	for _, f := range files {
		env, _ := os.ReadFile(f)
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if string(v) == "GUIDEWAY_LAB="+name {
				cmdline, _ := os.ReadFile(filepath.Dir(f) + "/cmdline")
				own = append(own, filepath.Base(filepath.Dir(f))+" "+string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
			}
		}
	}
	return own
}
