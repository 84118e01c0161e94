package kernel

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Namespaces of these tests are called gwk-PID-N.
const nsPrefix = "gwk-"

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "control/kernel: these tests make network namespaces: run them as root")
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

func (n ns) path() string { return "/run/netns/" + n.name }

// ip runs ip-netns's ip with the words of args.
func (n ns) ip(args string, a ...any) string {
	n.Helper()
	return run(n, append([]string{"ip", "-n", n.name}, strings.Fields(fmt.Sprintf(args, a...))...)...)
}

// batch runs many commands of ip(8) at once.
func (n ns) batch(lines []string) {
	n.Helper()
	cmd := exec.Command("ip", "-n", n.name, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		n.Fatalf("ip -batch: %v\n%s", err, out)
	}
}

func (n ns) exec(args ...string) string {
	n.Helper()
	return run(n, append([]string{"ip", "netns", "exec", n.name}, args...)...)
}

// sysctl is read, or written if a value is given.
func (n ns) sysctl(path string, value ...string) string {
	n.Helper()
	path = "/proc/sys/net/" + path
	if len(value) > 0 {
		n.exec("sh", "-c", "echo "+value[0]+" >"+path)
	}
	return strings.TrimSpace(n.exec("cat", path))
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// pair is a load balancer and a router, joined by lb0 and r0.
func pair(t *testing.T) (lb, router ns) {
	t.Helper()
	lb, router = newNS(t), newNS(t)
	run(t, "ip", "link", "add", "lb0", "netns", lb.name, "address", "02:00:00:00:00:0b",
		"type", "veth", "peer", "name", "r0", "netns", router.name, "address", "02:00:00:00:00:01")
	for _, n := range []ns{lb, router} {
		n.sysctl("ipv6/conf/default/accept_dad", "0")
	}
	lb.sysctl("ipv6/conf/lb0/accept_dad", "0")
	router.sysctl("ipv6/conf/r0/accept_dad", "0")
	lb.ip("addr add 192.0.2.11/24 dev lb0")
	lb.ip("addr add 2001:db8::11/64 dev lb0 nodad")
	router.ip("addr add 192.0.2.1/24 dev r0")
	router.ip("addr add 2001:db8::1/64 dev r0 nodad")
	lb.ip("link set lb0 up")
	router.ip("link set r0 up")
	return lb, router
}

// tap makes a TAP interface and holds it open, as DPDK's net_tap does.
func (n ns) tap(name string) {
	n.Helper()
	n.ip("tuntap add dev %s mode tap", name)
	hold := exec.Command("ip", "netns", "exec", n.name, "python3", "-c", `
import fcntl, os, struct, sys
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))  # TUNSETIFF: IFF_TAP | IFF_NO_PI
print("open", flush=True)
sys.stdin.read()`, name)
	stdin, err := hold.StdinPipe()
	if err != nil {
		n.Fatal(err)
	}
	stdout, err := hold.StdoutPipe()
	if err != nil {
		n.Fatal(err)
	}
	if err := hold.Start(); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		stdin.Close()
		if err := hold.Wait(); err != nil {
			n.Error("holder of the TAP:", err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "open\n" {
		n.Fatalf("the TAP did not open: %q %v", line, err)
	}
}

// follow starts a Kernel in the namespace.
func (n ns) follow(c Config) *Kernel {
	n.Helper()
	c.Namespace = n.path()
	k, err := New(c)
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(k.Close)
	return k
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

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }
func ips(s ...string) (a []netip.Addr) {
	for _, s := range s {
		a = append(a, ip(s))
	}
	return a
}
func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// gateways lists the next hops to dst, as "gateway/weight".
func gateways(v *View, dst string) []string {
	var all []string
	for _, h := range v.NextHops(ip(dst)) {
		all = append(all, fmt.Sprintf("%s/%d", h.Addr, h.Weight))
	}
	slices.Sort(all)
	return all
}

// to waits until the next hops to dst are as given.
func to(t testing.TB, k *Kernel, dst string, want ...string) time.Duration {
	t.Helper()
	return eventually(t, 3*time.Second, fmt.Sprintf("%s via %v; now %v", dst, want, gateways(k.View(), dst)), func() bool {
		return slices.Equal(gateways(k.View(), dst), want)
	})
}
