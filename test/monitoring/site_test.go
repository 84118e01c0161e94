package monitoring

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// The site, in network namespaces. One of them is everything but the nodes: a
// router with BIRD, backends (only what checks ask for: tunnels end nowhere), and
// a Prometheus that reaches the nodes by a network of its own, as it should.
//
//	router                                 lb1, lb2
//	 edge 192.0.2.1, 2001:db8::1 ────────── wan, guidewayd's (gw-wan: 192.0.2.11, .12, 2001:db8::11, ::12)
//	 rack 10.0.0.1-5, backends
//	 mgmt 10.99.0.1 ─────────────────────── mgmt0 10.99.0.11, .12
const space = "gwmon-" // of every namespace

// Backends, by what happens to them.
const (
	steady   = "10.0.0.1"
	also     = "10.0.0.2"
	dies     = "10.0.0.3"
	disputed = "10.0.0.4" // lb2 loses its way to it
	flaps    = "10.0.0.5"
)

type site struct {
	t      *testing.T
	dir    string
	nodes  map[string]*daemon.Daemon
	taps   map[string]int // raw sockets on the router's links to nodes
	alive  map[string]*atomic.Bool
	server *server
	seen   map[string]bool // alerts that fired when they were asked for, in this phase
}

// open makes the site and returns when it is as it should be.
func open(t *testing.T) *site {
	t.Helper()
	lock, err := os.Create("/run/" + space + "lock") // one site at a time on a machine
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), nodes: map[string]*daemon.Daemon{}, taps: map[string]int{}, alive: map[string]*atomic.Bool{}, seen: map[string]bool{}}
	s.clear()
	t.Cleanup(s.clear)
	s.host("router")
	s.ip("router",
		"link add edge address 02:00:00:00:00:01 type bridge", "link set edge up", "link add rack type bridge", "link set rack up",
		"link add mgmt type bridge", "link set mgmt up", "addr add 10.99.0.1/24 dev mgmt",
		"addr add 192.0.2.1/24 dev edge", "addr add 2001:db8::1/64 dev edge nodad")
	for _, b := range []string{steady, also, dies, disputed, flaps} {
		s.ip("router", "addr add "+b+"/24 dev rack")
		s.serve(b)
	}
	s.bird(true)
	for _, name := range []string{"lb1", "lb2", "lb3"} {
		s.wire(name)
	}
	for _, name := range []string{"lb1", "lb2"} {
		s.launch(name, s.config(name, ""))
	}
	if err := os.Mkdir(filepath.Join(s.dir, "lb3"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := capture(filepath.Join(s.dir, "lb3", "in.pcap")); err != nil {
		t.Fatal(err)
	}
	s.server = scrape(t, space+"router", hurried, instance("lb1"), instance("lb2"), instance("lb3"))
	t.Cleanup(func() {
		for name, n := range s.nodes {
			if t.Failed() {
				t.Logf("%s:\n%s", name, n.Log())
			}
		}
	})
	return s
}

// wire makes a node's namespace. Its port is guidewayd's alone.
func (s *site) wire(name string) {
	s.host(name)
	n := name[2:]
	const plain = "numtxqueues 1 numrxqueues 1"
	s.command(strings.Fields(fmt.Sprintf("ip link add name wan netns %[1]s%[2]s address 02:00:00:00:00:1%[3]s %[4]s type veth peer name %[2]s netns %[1]srouter %[4]s",
		space, name, n, plain))...)
	s.command(strings.Fields(fmt.Sprintf("ip link add name mgmt0 netns %[1]s%[2]s type veth peer name m%[2]s netns %[1]srouter", space, name))...)
	for _, at := range [][2]string{{name, "wan"}, {"router", name}} {
		s.run(at[0], "ethtool", "-K", at[1], "tx", "off", "tso", "off", "gso", "off", "gro", "off")
	}
	s.run(name, "sysctl", "-qw", "net.ipv6.conf.wan.disable_ipv6=1")
	s.ip(name, "link set wan up", "link set mgmt0 up", "addr add 10.99.0.1"+n+"/24 dev mgmt0")
	s.ip("router", "link set "+name+" master edge", "link set "+name+" up", "link set m"+name+" master mgmt", "link set m"+name+" up")
	s.taps[name] = s.tap(name)
}

// launch starts a node and waits until it forwards.
func (s *site) launch(name, config string) {
	s.t.Helper()
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	n := daemon.LaunchIn(s.t, space+name, dir, config)
	s.nodes[name] = n
	n.WaitLog(`msg=forwarding`)
	if strings.Contains(config, "gw-wan") {
		s.ip(name, "route replace default via 192.0.2.1") // for checks
	}
}

// reload has a node take a configuration, and does not wait for it.
func (s *site) reload(name, config string) {
	s.t.Helper()
	s.nodes[name].Write(config)
	s.nodes[name].Signal(syscall.SIGHUP)
}

// serve answers the checks of a backend while it is alive.
func (s *site) serve(backend string) {
	s.t.Helper()
	alive := &atomic.Bool{}
	alive.Store(true)
	s.alive[backend] = alive
	var listener net.Listener
	err := daemon.Inside(space+"router", func() (err error) {
		listener, err = net.Listen("tcp", backend+":80")
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !alive.Load() {
			http.Error(w, "out of order", http.StatusServiceUnavailable)
		}
	})}
	s.t.Cleanup(func() { server.Close() })
	go server.Serve(listener)
}

// bird writes BIRD's configuration and has it taken. All is well with all
// sessions; else lb1 has one without IPv6 and one without BFD, and lb2 has none.
func (s *site) bird(well bool) {
	s.t.Helper()
	text := "router id 192.0.2.1;\nprotocol device {}\nprotocol bfd { interface \"edge\" { min rx interval 300 ms; min tx interval 300 ms; multiplier 8; }; }\n"
	session := func(node, net, bfd, families string) {
		text += fmt.Sprintf("protocol bgp { local %[1]s1 as 64500; neighbor %[1]s1%[2]s as 64512; connect delay time 1; error wait time 1, 2; bfd %[3]s; %[4]s }\n", net, node[2:], bfd, families)
	}
	const net4, net6 = "192.0.2.", "2001:db8::"
	const four, six = "ipv4 { import all; export none; };", "ipv6 { import all; export none; };"
	if well {
		for _, node := range []string{"lb1", "lb2"} {
			session(node, net4, "on", four+six)
			session(node, net6, "on", four+six)
		}
	} else {
		session("lb1", net4, "on", four)
		session("lb1", net6, "off", four+six)
	}
	conf, ctl := filepath.Join(s.dir, "bird.conf"), filepath.Join(s.dir, "bird.ctl")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if _, err := os.Stat(ctl); err == nil {
		s.command("birdc", "-s", ctl, "configure")
		return
	}
	argv := append(inside("router"), "bird", "-f", "-c", conf, "-s", ctl, "-P", filepath.Join(s.dir, "bird.pid"))
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // not left behind by a killed test
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ctl); err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("BIRD has no control socket")
		}
	}
}

// tap opens a raw socket on the router's link to a node.
func (s *site) tap(name string) (fd int) {
	s.t.Helper()
	err := daemon.Inside(space+"router", func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func (s *site) host(name string) {
	s.t.Helper()
	s.command("ip", "netns", "add", space+name)
	s.run(name, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv6.conf.default.accept_ra=0")
	s.ip(name, "link set lo up")
}

// clear removes the namespaces, those that a killed run has left too.
func (s *site) clear() {
	spaces, err := filepath.Glob("/run/netns/" + space + "*")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range spaces {
		s.command("ip", "netns", "del", filepath.Base(one))
	}
}

// ip gives commands to ip inside a namespace.
func (s *site) ip(host string, lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		s.command(append([]string{"ip", "-n", space + host}, strings.Fields(line)...)...)
	}
}

func (s *site) run(host string, argv ...string) {
	s.t.Helper()
	s.command(append(inside(host), argv...)...)
}

func inside(host string) []string { return []string{"ip", "netns", "exec", space + host} }

func (s *site) command(argv ...string) {
	s.t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

// say gives a node's console a command that must succeed.
func (s *site) say(name, line string) {
	s.t.Helper()
	c, err := net.Dial("unix", s.console(name))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "%s -json\nquit\n", line)
	var all strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := c.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if strings.Contains(all.String(), `"error"`) {
		s.t.Fatalf("%s> %s: %s", name, line, all.String())
	}
}

// wait waits until done returns true.
func (s *site) wait(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in a minute: %s; what fires: %q", what, s.troubles())
		}
	}
}

// address of a node, the last byte of it.
func number(node string) byte { return 10 + node[2] - '0' }

var client = netip.MustParseAddr("198.51.100.7")
