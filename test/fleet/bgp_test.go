package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Two nodes announce every VIP to BIRD by sessions over their exception paths,
// and the router spreads over both. One that is killed is left by the router at
// once; one that stops in order is left before it stops.
func TestBGP(t *testing.T) {
	f := start(t, shape{nodes: 2})
	f.ip("router", "route del 203.0.113.0/24", "route del 2001:db8:cafe::/64")
	f.bird()
	for i, n := range f.nodes {
		n.Write(f.config(i) + fmt.Sprintf(`
[bgp]
asn = 64512
graceful_shutdown = "500ms"
[[bgp.peer]]
address   = "%s"
asn       = 64500
hold_time = "3s"
`, edge4.Addr()))
		n.Signal(syscall.SIGHUP)
	}
	for i, n := range f.nodes {
		n.WaitLog(`msg=reloaded`)
		n.WaitFor("the router's session", func() bool { return n.Metrics()[`guideway_bgp_peer_up{peer="192.0.2.1"}`] == 1 })
		t.Logf("%s: session up", nodeName(i))
	}
	f.waysTo(vip4, 2)
	f.waysTo(vip6, 2)
	for _, v := range vips {
		if got := f.curl(v, "/"); !strings.HasPrefix(got, "b") {
			t.Errorf("%s: %q", v.name, got)
		}
	}

	began := time.Now()
	f.nodes[0].Kill()
	f.waysTo(vip4, 1)
	t.Logf("a node that was killed is out of the router's table after %v", time.Since(began).Round(time.Millisecond))
	for _, v := range vips {
		if got := f.curl(v, "/"); !strings.HasPrefix(got, "b") {
			t.Errorf("%s by the node that is left: %q", v.name, got)
		}
	}

	began = time.Now()
	f.nodes[1].Signal(syscall.SIGTERM)
	f.waysTo(vip4, 0)
	if gone := time.Since(began); gone < 400*time.Millisecond {
		t.Errorf("withdrawn after %v: routers had no time to go elsewhere", gone)
	}
	f.nodes[1].WaitLog(`every frame is back in its pool`)
}

// bird starts BIRD as the router's routing daemon.
func (f *fleet) bird() {
	f.t.Helper()
	conf := filepath.Join(f.dir, "bird.conf")
	text := "router id 192.0.2.1;\nprotocol device {}\n" +
		"protocol kernel { ipv4 { export all; }; merge paths on; }\nprotocol kernel { ipv6 { export all; }; merge paths on; }\n"
	for i := range f.shape.nodes {
		text += fmt.Sprintf("protocol bgp %s { local %s as 64500; neighbor %s as 64512; ipv4 { import all; export none; }; ipv6 { import all; export none; }; }\n",
			nodeName(i), edge4.Addr(), nth(node4, i))
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	argv := append(inside("router"), "bird", "-f", "-c", conf, "-s", filepath.Join(f.dir, "bird.ctl"), "-P", filepath.Join(f.dir, "bird.pid"))
	f.launch("router", exec.Command(argv[0], argv[1:]...))
}

// waysTo waits until the router's kernel has so many ways to a VIP.
func (f *fleet) waysTo(v vip, want int) {
	f.t.Helper()
	family := "-4"
	if v.addr.Is6() {
		family = "-6"
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		routes := f.run("router", "ip", family, "-o", "route", "show", v.addr.String())
		if strings.Count(routes, "via ") == want {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the router has %q to %s, want %d ways", routes, v.addr, want)
		}
	}
}
