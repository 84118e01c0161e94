// Package fleet runs one, two and three guidewayd nodes behind a router that
// spreads VIPs over them, in network namespaces, and proves from outside what
// they promise together: fragments meet, errors find their flow, sizes are
// told, and the kernel's own sessions live. It needs root, Linux, and what
// third_party/install.sh installs; without them it fails and says so.
//
// FLEET_FULL=1 takes the sizes of a release instead of those of every day.
package fleet

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"guideway/test/daemon"
)

var (
	full = os.Getenv("FLEET_FULL") != ""
	lab  string // guideway-lab, whose decap is the end of the backends' tunnels
)

// size is that of a test: in every run, or with FLEET_FULL.
func size(short, release int) int {
	if full {
		return release
	}
	return short
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "test/fleet: must run as root: it makes network namespaces")
		return 1
	}
	lock, err := os.Create("/run/" + prefix + "lock")
	if err == nil {
		defer lock.Close()
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX) // one fleet at a time on a machine
	}
	dir, e := os.MkdirTemp("", prefix)
	defer os.RemoveAll(dir)
	lab = filepath.Join(dir, "guideway-lab")
	build := exec.Command("go", "build", "-o", lab, "guideway/cmd/guideway-lab")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err != nil || e != nil {
		fmt.Fprintln(os.Stderr, "test/fleet:", err, e)
		return 1
	}
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "test/fleet: build guideway-lab: %v\n%s", err, out)
		return 1
	}
	return daemon.Main(m)
}

// A fleet is the network and what runs in it.
type fleet struct {
	t testing.TB
	shape
	dir   string // for all files
	nodes []*daemon.Daemon
	web   []*exec.Cmd   // the backends' nginx
	taps  []int         // raw sockets on the router's links to the nodes
	ids   atomic.Uint32 // the last identification of datagrams that are made here
}

// start makes a fleet and returns when every VIP is served by way of every
// node. It is gone with the test.
func start(t testing.TB, s shape) *fleet {
	t.Helper()
	f := build(t, s)
	f.begin()
	f.settle()
	return f
}

// build makes the network and the backends, and no nodes yet.
func build(t testing.TB, s shape) *fleet {
	t.Helper()
	f := &fleet{t: t, shape: s, dir: t.TempDir()}
	f.access, f.fabric = cmp.Or(s.access, 1500), cmp.Or(s.fabric, 1600)
	clear(t) // what a killed run has left
	t.Cleanup(func() { clear(t) })
	f.wire()
	for i := range backends {
		f.serve(i)
	}
	for i := range f.shape.nodes {
		if err := os.Mkdir(f.nodeDir(i), 0o755); err != nil {
			t.Fatal(err)
		}
		f.taps = append(f.taps, f.tap(i))
	}
	return f
}

// begin starts the nodes.
func (f *fleet) begin() {
	f.t.Helper()
	for i := range f.shape.nodes {
		f.nodes = append(f.nodes, f.node(i))
	}
	f.t.Cleanup(f.lastWords)
	for i := range f.nodes {
		f.defaultRoutes(i)
	}
}

// node starts the process of a node, for the first time or again.
func (f *fleet) node(i int) *daemon.Daemon {
	f.t.Helper()
	return daemon.LaunchIn(f.t, prefix+nodeName(i), f.nodeDir(i), f.config(i))
}

// nodeDir is where a node's files are.
func (f *fleet) nodeDir(i int) string { return filepath.Join(f.dir, nodeName(i)) }

// settle waits until the nodes know each other, and until a datagram to every
// VIP is answered by way of every node: then each knows its next hops, and the
// router each node.
func (f *fleet) settle() {
	f.t.Helper()
	for i, n := range f.nodes {
		n.WaitLog(`msg=forwarding`)
		n.WaitFor("the other nodes' answers", func() bool {
			return int(daemon.Sum(n.Metrics(), "guideway_node_up")) == f.shape.nodes-1
		})
		for _, v := range vips {
			s := f.speak(v, 0)
			for deadline := time.Now().Add(20 * time.Second); ; {
				through := func(payload []byte) { f.inject(i, s.frames(payload)...) }
				if s.ask(64, 100*time.Millisecond, through).whole {
					break
				}
				if time.Now().After(deadline) {
					f.t.Fatalf("%s does not forward to %s", nodeName(i), v.name)
				}
			}
			s.close()
		}
	}
}

// defaultRoutes lets a node's kernel itself speak to hosts far away, as soon as
// it has an interface.
func (f *fleet) defaultRoutes(i int) {
	f.t.Helper()
	f.nodes[i].WaitLog(`change="address none -> 2001:`) // the last of them
	f.ip(nodeName(i), "route add default via "+edge4.Addr().String(), "route add default via "+edge6.Addr().String())
}

// stop ends all nodes in order and fails the test unless all frames are back.
func (f *fleet) stop() {
	f.t.Helper()
	for _, n := range f.nodes {
		n.Stop()
	}
}

// lastWords tells a test that has failed what the nodes had to say.
func (f *fleet) lastWords() {
	if !f.t.Failed() {
		return
	}
	for i, n := range f.nodes {
		f.t.Logf("%s:\n%s", nodeName(i), n.Log())
	}
}

// metrics adds up those of all nodes, by name and labels.
func (f *fleet) metrics() map[string]float64 {
	f.t.Helper()
	sum := map[string]float64{}
	for _, n := range f.nodes {
		for name, value := range n.Metrics() {
			sum[name] += value
		}
	}
	return sum
}

// verdicts tells what became of the frames at all nodes.
func (f *fleet) verdicts() map[string]int {
	f.t.Helper()
	return daemon.Verdicts(f.metrics())
}

// clear removes the namespaces of every fleet, and with them all links. The
// processes inside have ended with the test that started them.
func clear(t testing.TB) {
	t.Helper()
	spaces, err := filepath.Glob("/run/netns/" + prefix + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spaces {
		command(t, "ip", "netns", "del", filepath.Base(s))
	}
}

// ip gives commands to ip inside a host's namespace, all in one go.
func (f *fleet) ip(host string, lines ...string) {
	f.t.Helper()
	batch(f.t, strings.Join(lines, "\n")+"\n", "ip", "-n", prefix+host, "-batch", "-")
}

// run runs a command inside a host's namespace and returns what it printed.
func (f *fleet) run(host string, argv ...string) string {
	f.t.Helper()
	return command(f.t, append(inside(host), argv...)...)
}

// inside is the prefix that runs a command inside a host's namespace. It execs,
// so the command keeps the process id.
func inside(host string) []string { return []string{"ip", "netns", "exec", prefix + host} }

func command(t testing.TB, argv ...string) string {
	t.Helper()
	return batch(t, "", argv...)
}

// batch runs a command to its end with some input; it must succeed.
func batch(t testing.TB, input string, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(argv, " "), err, input, out)
	}
	return string(out)
}

// launch starts a program inside a host's namespace. It ends with the test, and
// should the test be killed, with that.
func (f *fleet) launch(host string, cmd *exec.Cmd) {
	f.t.Helper()
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if f.t.Failed() && log.Len() > 0 {
			f.t.Logf("%s: %s: %s", host, cmd.Args[0], &log)
		}
	})
}
