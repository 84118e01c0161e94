package health

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Namespaces of these tests are called gwh-PID-N.
const nsPrefix = "gwh-"

func TestMain(m *testing.M) {
	if os.Getenv(crowdEnv) != "" {
		serveCrowd()
		return
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "control/health: these tests make network namespaces and raw sockets: run them as root")
		os.Exit(1)
	}
	removeLeftovers()
	os.Exit(m.Run())
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

// ip runs ip-netns's ip with the words of args.
func (n ns) ip(args string) string {
	n.Helper()
	return run(n, append([]string{"ip", "-n", n.name}, strings.Fields(args)...)...)
}

// sysctl writes values, each given as path=value.
func (n ns) sysctl(settings ...string) {
	n.Helper()
	var script strings.Builder
	for _, s := range settings {
		path, value, _ := strings.Cut(s, "=")
		fmt.Fprintf(&script, "echo %s >/proc/sys/net/%s\n", value, path)
	}
	run(n, "ip", "netns", "exec", n.name, "sh", "-ec", script.String())
}

// do runs f on a thread in the namespace.
func (n ns) do(f func() error) error {
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
			err = f()
		}
		done <- err
	}()
	return <-done
}

// listen opens raw sockets in the namespace.
func (n ns) listen(network, address string) (conn *net.IPConn, err error) {
	return conn, n.do(func() (err error) {
		conn, err = listenIP(network, address)
		return err
	})
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// pair is two nodes on one link: 192.0.2.1 and 2001:db8::1 on a0, and .2 and
// ::2 on b0. Neighbours that do not answer are given up after 150 ms, and ICMP
// errors are not rated.
func pair(t testing.TB) (a, b ns) {
	t.Helper()
	a, b = newNS(t), newNS(t)
	run(t, "ip", "link", "add", "a0", "netns", a.name, "type", "veth", "peer", "name", "b0", "netns", b.name)
	for n, host := range map[ns]string{a: "1", b: "2"} {
		dev := map[string]string{"1": "a0", "2": "b0"}[host]
		n.sysctl("ipv6/conf/"+dev+"/accept_dad=0", "ipv4/icmp_ratelimit=0", "ipv6/icmp/ratelimit=0",
			"ipv4/neigh/"+dev+"/retrans_time_ms=50", "ipv6/neigh/"+dev+"/retrans_time_ms=50",
			"ipv4/conf/all/forwarding=1", "ipv6/conf/all/forwarding=1")
		n.ip("addr add 192.0.2." + host + "/24 dev " + dev)
		n.ip("addr add 2001:db8::" + host + "/64 dev " + dev + " nodad")
		n.ip("link set " + dev + " up")
	}
	return a, b
}

// eventually waits until ok, and says how long that took.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("not in %v: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}
