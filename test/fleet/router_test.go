package fleet

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The AS numbers, and the password of every session that has one.
const (
	nodeAS, routerAS = 64512, 64500
	password         = "correct-horse-battery-staple"
)

// A router is a routing daemon in the router's namespace: BIRD or FRR as Debian
// has them. It takes all that nodes announce, spreads over equal ways, and
// prefers others to those that say GRACEFUL_SHUTDOWN.
type router interface {
	start()                           // and returns when it answers
	end(syscall.Signal)               // and returns when it is gone
	route(netip.Addr, int) attributes // of a VIP by a node, as in its table
}

// A peering is what a router is told of the sessions with nodes.
type peering struct {
	nodes    []netip.Addr // their ends
	password bool
	bfd      bool // as the nodes have it
}

// The attributes of a route. Communities are sorted.
type attributes struct {
	Path, NextHop, MED, Communities, Large string
}

// words puts the words of a line in order.
func words(line string) string {
	w := strings.Fields(line)
	slices.Sort(w)
	return strings.Join(w, " ")
}

// ways lists the next hops of the router's kernel to a VIP.
func (f *fleet) ways(v vip) (via []string) {
	f.t.Helper()
	family := "-4"
	if v.addr.Is6() {
		family = "-6"
	}
	w := strings.Fields(f.run("router", "ip", family, "-o", "route", "show", v.addr.String()))
	for i := range w {
		if w[i] == "via" {
			via = append(via, w[i+1])
		}
	}
	slices.Sort(via)
	return slices.Compact(via)
}

// routerLimit is more than any session takes to come back.
const routerLimit = 30 * time.Second

// leads waits until the router's kernel spreads each of some VIPs over just these
// nodes, and returns how long that took.
func (f *fleet) leads(nodes []int, to ...vip) time.Duration {
	f.t.Helper()
	began := time.Now()
	for _, v := range to {
		var want []string
		for _, i := range nodes {
			if v.addr.Is6() {
				want = append(want, nth(node6, i).String())
			} else {
				want = append(want, nth(node4, i).String())
			}
		}
		slices.Sort(want)
		for got := f.ways(v); !slices.Equal(got, want); got = f.ways(v) {
			if time.Since(began) > routerLimit {
				f.t.Fatalf("the router's ways to %s are %v, want %v", v.addr, got, want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return time.Since(began)
}

// routerFiles makes the folder of a routing daemon, with its configuration.
func (f *fleet) routerFiles(config string) (dir string) {
	f.t.Helper()
	dir, err := os.MkdirTemp(f.dir, "router-")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "conf"), []byte(config), 0o644)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return dir
}

// routerDaemon starts a program in the router's namespace and waits until a
// question to it is answered.
func (f *fleet) routerDaemon(question []string, argv ...string) *exec.Cmd {
	f.t.Helper()
	argv = append(inside("router"), argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	f.launch("router", cmd)
	within(f.t, 10*time.Second, strings.Join(question, " ")+" is answered", func() bool {
		return exec.Command(question[0], question[1:]...).Run() == nil
	})
	return cmd
}

// finish sends a signal to a program that was launched, and waits until it is gone.
func finish(cmd *exec.Cmd, s syscall.Signal) {
	cmd.Process.Signal(s)
	cmd.Wait()
}
