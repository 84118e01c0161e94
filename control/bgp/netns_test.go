package bgp

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Namespaces of these tests are called gwb-PID-N.
const nsPrefix = "gwb-"

// A test that needs the network runs in a process of its own, in a namespace
// of its own, which is the node: a Speaker's sockets are opened by goroutines
// on any thread. insideKey names that test in the process's environment.
const insideKey = "GUIDEWAY_BGP_TEST"

// speakerKey makes the test program a node that announces and nothing else.
const speakerKey = "GUIDEWAY_BGP_SPEAKER"

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "control/bgp: these tests make network namespaces and run routers: run them as root")
		os.Exit(1)
	}
	if os.Getenv(speakerKey) != "" {
		os.Exit(speakerProcess())
	}
	flag.Parse()
	if os.Getenv(insideKey) == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		removeLeftovers()
		// They wait more than they compute.
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// isolated runs the test in a namespace and says whether this is there.
func isolated(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideKey) == t.Name() {
		run(t, "ip", "link", "set", "lo", "up")
		return true
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	args := []string{"-test.run=^" + t.Name() + "$", "-test.timeout=100s"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), insideKey+"="+t.Name())
	cmd.Stdout, cmd.Stderr = &out, &out
	newNS(t).start(cmd)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("in its namespace: %v\n%s", err, out.String())
	}
	t.Log(out.String())
	return false
}

// removeLeftovers deletes the namespaces of test processes that were killed.
func removeLeftovers() {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		name := strings.Fields(line)[0]
		rest, ours := strings.CutPrefix(name, nsPrefix)
		pid, _, _ := strings.Cut(rest, "-")
		if _, err := os.Stat("/proc/" + pid); ours && pid != "" && err != nil {
			_ = exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

var nsCount atomic.Int64

// An ns is a network namespace made for one test.
type ns struct {
	testing.TB
	name string
}

func newNS(t testing.TB) ns {
	t.Helper()
	n := ns{t, fmt.Sprintf("%s%d-%d", nsPrefix, os.Getpid(), nsCount.Add(1))}
	run(t, "ip", "netns", "add", n.name)
	t.Cleanup(func() { run(t, "ip", "netns", "del", n.name) })
	n.ip("link set lo up")
	return n
}

// ip runs ip in the namespace with the words of args.
func (n ns) ip(args string, a ...any) string {
	n.Helper()
	return run(n, append([]string{"ip", "-n", n.name}, strings.Fields(fmt.Sprintf(args, a...))...)...)
}

// start starts a program in the namespace.
func (n ns) start(cmd *exec.Cmd) {
	n.Helper()
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+n.name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(fd)
		if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
			err = cmd.Start()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		n.Fatalf("%s in %s: %v", cmd.Path, n.name, err)
	}
}

// daemon starts a program that runs until the test ends.
func (n ns) daemon(args ...string) *exec.Cmd {
	n.Helper()
	var out bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	n.start(cmd)
	n.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if n.Failed() {
			n.Logf("%s:\n%s", args[0], out.String())
		}
	})
	return cmd
}

// exec runs a program in the namespace.
func (n ns) exec(args ...string) string {
	n.Helper()
	var out bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	n.start(cmd)
	if err := cmd.Wait(); err != nil {
		n.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// join makes a link between the process's own namespace, the node, and n. The
// node has .11 and ::11 on it, n has .1 and ::1, in 10.0.link.0/24 and
// 2001:db8:link::/64.
func (n ns) join(link int) {
	n.Helper()
	dev := fmt.Sprintf("n%d", link)
	run(n, "ip", "link", "add", dev, "type", "veth", "peer", "name", dev, "netns", n.name)
	for host, ip := range map[int]func(string, ...any) string{1: n.ip, 11: ownIP(n)} {
		ip("addr add 10.0.%d.%d/24 dev %s", link, host, dev)
		ip("addr add 2001:db8:%d::%d/64 dev %s nodad", link, host, dev)
		ip("link set %s up", dev)
	}
}

// ownIP runs ip in the process's own namespace.
func ownIP(t testing.TB) func(string, ...any) string {
	return func(args string, a ...any) string {
		t.Helper()
		return run(t, append([]string{"ip"}, strings.Fields(fmt.Sprintf(args, a...))...)...)
	}
}

// eventually waits until ok, and says how long that took.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("not in %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}
