// Package doctor has guideway doctor examine a real node, well and unwell, and a
// real backend's namespace, with packets on their way to it.
package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"guideway/maglev/packet"
	"guideway/test/daemon"
)

var guideway string // the binary

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "guideway-doctor-")
	if err == nil {
		guideway = filepath.Join(dir, "guideway")
		cmd := exec.Command("go", "build", "-o", guideway, "guideway/cmd/guideway")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := daemon.Main(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

const config = `[node]
source = ["192.0.2.11"]
[dpdk]
lcores = [1]
memory = "64MiB"
huge   = false
idle   = "sleep"
[conntrack]
flows_per_core = 1024
keep = ""
[[port]]
name         = "wan"
device       = "net_null0,no-rx=1"
mtu          = 1500
next_hop_mac = "02:00:5e:10:00:01"
[[check]]
name     = "web"
type     = "tcp"
port     = 1
interval = "200ms"
timeout  = "100ms"
rise     = 1
fall     = 1
[[pool]]
name     = "web"
check    = "web"
backends = [{ address = "198.51.100.1" }]
[[vip]]
name        = "www"
address     = "203.0.113.10"
ports       = ["80"]
pools       = ["web"]
min_healthy = 1
[metrics]
listen = ""
[console]
listen = "unix:CONSOLE"
`

// newNS makes a network namespace with a loopback, and says one thing to ip there.
func newNS(t *testing.T, say string) string {
	t.Helper()
	ns := fmt.Sprintf("gwd-%d-%s", os.Getpid(), t.Name())
	for _, args := range []string{"netns add " + ns, "-n " + ns + " link set lo up", "-n " + ns + " " + say} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	return ns
}

// run runs guideway doctor, in a network namespace unless netns is "".
func run(t *testing.T, netns string, args ...string) (status int, out string) {
	t.Helper()
	argv := append([]string{guideway, "doctor"}, args...)
	if netns != "" {
		argv = append([]string{"ip", "netns", "exec", netns}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

func expect(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(out, p) {
			t.Errorf("no %q in:\n%s", p, out)
		}
	}
}

func TestNode(t *testing.T) {
	ns := newNS(t, "addr add 198.51.100.1/32 dev lo") // the backend, where nothing listens
	dir := t.TempDir()
	console := filepath.Join(dir, "console.sock")
	text := strings.ReplaceAll(config, "CONSOLE", console)
	d := daemon.LaunchIn(t, ns, dir, text)
	d.WaitLog(`msg=forwarding`)

	// By the configuration it finds the console. The backend's check fails.
	var status int
	var out string
	wait(t, func() string { status, out = run(t, "", "--config", filepath.Join(dir, "guideway.toml")); return out }, "withdrawn: 0 of 1")
	expect(t, out, "ok       guidewayd: ", "ok       poll loops: all 1 answer", `ok       port "wan": link is up, MTU 1500`,
		`MISSING  VIP "www": withdrawn: 0 of 1 backends are healthy`, `note     backend 198.51.100.1: down by check "web" (tcp, direct): `,
		"ok       lcores: each poll loop is bound to its CPU (1)", `port "wan": mtu 1500 leaves no room for the tunnel`,
		"ok       traffic: ")
	if status != 1 {
		t.Errorf("status %d:\n%s", status, out)
	}

	// A backend that is well, and a file that is not.
	well := strings.Replace(text, `check    = "web"`, "", 1)
	d.Write(well)
	d.Signal(syscall.SIGHUP)
	wait(t, func() string { _, out = run(t, "", "unix:"+console); return out }, "ok       VIPs: 1 of 1 are served")
	d.Write(well + "[broken]\n")
	d.Signal(syscall.SIGHUP)
	wait(t, func() string { status, out = run(t, "", "unix:"+console); return out }, "MISSING  configuration: the last load failed")
	if status != 1 {
		t.Errorf("status %d:\n%s", status, out)
	}

	wake := d.Stall(1)
	wait(t, func() string { _, out = run(t, "", "unix:"+console); return out }, "MISSING  CPU 1: its poll loop does not answer")
	wake()

	d.Stop()
	if status, out = run(t, "", "unix:"+console); status != 1 {
		t.Errorf("status %d without guidewayd:\n%s", status, out)
	}
	expect(t, out, "is guidewayd running")
}

// wait asks until the answer has what it should.
func wait(t *testing.T, ask func() string, part string) {
	t.Helper()
	out := ""
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); {
		if out = ask(); strings.Contains(out, part) {
			return
		}
	}
	t.Fatalf("never %q in:\n%s", part, out)
}

// TestBackend sets a namespace up as a backend but for what this kernel may not
// have, a tunnel, and sends it what a load balancer would.
func TestBackend(t *testing.T) {
	ns := newNS(t, "addr add 203.0.113.80/32 dev lo")
	if out, err := exec.Command("ip", "netns", "exec", ns, "sh", "-c", "cd /proc/sys/net/ipv4/conf/all && echo 1 >arp_ignore && echo 2 >arp_announce").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	// The load balancer of both families, on the loopback.
	stop, stopped := make(chan struct{}), make(chan error)
	go func() { stopped <- send(ns, stop) }()
	status, out := run(t, ns, "--backend", "--vip", "203.0.113.80", "--vip", "2001:db8::80", "--from", "127.0.0.1", "--probe", "3")
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if status != 1 {
		t.Errorf("status %d", status)
	}
	expect(t, out, "MISSING  tunnel: no GRE interface takes packets from 127.0.0.1",
		"ok       VIP 203.0.113.80: on lo", "note     VIP 203.0.113.80: no TCP service listens",
		"MISSING  VIP 2001:db8::80: on no interface",
		"ok       ARP: nobody learns a VIP",
		"packets from 127.0.0.1 for 203.0.113.80\n",
		"packets from ::1 for 2001:db8::80, which was not named with --from",
		"MISSING  probe: no packet for 2001:db8::80 has arrived")
}

// send sends GRE over both families until stop is closed.
func send(ns string, stop <-chan struct{}) error {
	var conns []net.PacketConn
	err := daemon.Inside(ns, func() error {
		for _, network := range []string{"ip4:47", "ip6:47"} {
			c, err := net.ListenPacket(network, "")
			if err != nil {
				return err
			}
			conns = append(conns, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer conns[0].Close()
	defer conns[1].Close()
	four := make([]byte, packet.GRELen+packet.IPv4Len)
	packet.PutGRE(four, 0x0800)
	copy(four[packet.GRELen+16:], netip.MustParseAddr("203.0.113.80").AsSlice())
	six := make([]byte, packet.GRELen+packet.IPv6Len)
	packet.PutGRE(six, 0x86DD)
	copy(six[packet.GRELen+24:], netip.MustParseAddr("2001:db8::80").AsSlice())
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(50 * time.Millisecond):
			if _, err := conns[0].WriteTo(four, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
				return err
			}
			if _, err := conns[1].WriteTo(six, &net.IPAddr{IP: net.IPv6loopback}); err != nil {
				return err
			}
		}
	}
}
