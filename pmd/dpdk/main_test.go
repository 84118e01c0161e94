package dpdk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"guideway/pmd"
)

// The tests run in a process that has a network namespace of its own, so that
// nothing they make outlives them, and start EAL there once. Some tests need
// another process: the binary runs itself once more in a role.
//
// GUIDEWAY_HUGE=1 has them take hugepages.
const roleVariable = "GUIDEWAY_TEST_ROLE"

var roles = map[string]func(args []string) error{
	"tests":   nil, // in TestMain
	"echo":    echoRole,
	"usage":   usageRole,
	"confine": confineRole,
	"threads": threadsRole,
}

// eal is started once: EAL does not start twice in a process.
var eal *EAL

func TestMain(m *testing.M) {
	switch role, args, _ := strings.Cut(os.Getenv(roleVariable), " "); role {
	case "":
		// The signal comes when the thread ends that made the process.
		runtime.LockOSThread()
		cmd := command("tests", os.Args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		os.Exit(exitCode(cmd.Run()))
	case "tests":
		os.Exit(runTests(m))
	default:
		os.Exit(exitCode(roles[role](strings.Fields(args))))
	}
}

// command returns this binary in a role.
func command(role string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func runTests(m *testing.M) int {
	var err error
	allCPUs, err = affinity()
	if err == nil {
		eal, err = Start(Config{
			ControlCPUs: allCPUs[:1],
			Memory:      256 << 20,
			Huge:        os.Getenv("GUIDEWAY_HUGE") != "",
			Log:         journal.add,
		})
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s\n", err, journal.String())
		return 1
	}
	code := m.Run()
	leaked, err := eal.Close()
	if leaked != 0 || err != nil {
		fmt.Fprintf(os.Stderr, "Close: %d frames leaked, error %v\n%s\n", leaked, err, journal.String())
		return 1
	}
	if leaked, err := eal.Close(); leaked != 0 || err != nil {
		fmt.Fprintf(os.Stderr, "Close again: %d, %v\n", leaked, err)
		return 1
	}
	if _, err := eal.Open(PortConfig{Device: "net_null9", Lcores: 1}); !errors.Is(err, ErrClosed) {
		fmt.Fprintf(os.Stderr, "Open after Close: %v\n", err)
		return 1
	}
	return code
}

// journal keeps what DPDK has logged.
var journal lines

type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) add(level Level, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, fmt.Sprintf("<%d>%s", level, line))
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.list, "\n")
}

func open(t testing.TB, cfg PortConfig) *Port {
	t.Helper()
	if cfg.Lcores == 0 {
		cfg.Lcores = 1
	}
	p, err := eal.Open(cfg)
	if err != nil {
		t.Fatalf("%v\n%s", err, journal.String())
	}
	// Closing twice is harmless; so tests may close earlier.
	t.Cleanup(func() { closePort(t, p) })
	return p
}

func closePort(t testing.TB, p *Port) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// whole checks that all frames of a port are in its pool. The port may be
// closed, but no other may have been opened since.
func whole(t testing.TB, p *Port) {
	t.Helper()
	for _, c := range eal.Pools() {
		if c.Name == p.pool.name && c.Free+p.pool.kept != c.Size {
			t.Errorf("pool %s: %d of %d frames are back, %d are kept by the driver", c.Name, c.Free, c.Size, p.pool.kept)
		}
	}
}

// poll runs f on a poll loop and waits for it. f must not call t.Fatal.
func poll(t testing.TB, f func()) {
	t.Helper()
	loop, err := eal.Poll(-1, f)
	if err != nil {
		t.Fatal(err)
	}
	loop.Wait()
}

// patience is how long a test waits for something that takes milliseconds on
// a machine that has nothing else to do.
const patience = 20 * time.Second

// until polls done, which reports that it has seen what it waits for.
func until(done func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if done() {
			return true
		}
		time.Sleep(50 * time.Microsecond)
	}
	return false
}

// blank returns a burst of n frames of 64 bytes from a net_null port.
func blank(source pmd.Queue, n int) *pmd.Burst {
	b := new(pmd.Burst)
	source.Rx(b, n)
	return b
}
