package bgp

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// birdHead is what every BIRD has: routes of its protocols go to the kernel,
// over all equal ways.
const birdHead = `
router id 10.0.0.1;
protocol device { scan time 1; }
protocol direct { ipv4; ipv6; }
protocol kernel k4 { merge paths; ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel k6 { merge paths; ipv6 { import none; export where source = RTS_BGP; }; }
template bgp node {
	local as 64500;
	connect delay time 1; connect retry time 1; error wait time 1, 1; startup hold time 3;
	ipv4 { import all; export none; };
	ipv6 { import all; export none; };
}
`

// bird is a running BIRD 2.
type bird struct {
	ns
	dir string
}

func newBird(n ns, config string) *bird {
	n.Helper()
	b := &bird{n, n.TempDir()}
	b.write(config)
	n.daemon("bird", "-f", "-c", b.dir+"/conf", "-s", b.dir+"/ctl", "-P", b.dir+"/pid")
	eventually(n, 5*time.Second, "BIRD answers", func() bool {
		return exec.Command("birdc", "-s", b.dir+"/ctl", "show", "status").Run() == nil
	})
	return b
}

func (b *bird) write(config string) {
	b.Helper()
	if err := os.WriteFile(b.dir+"/conf", []byte(birdHead+config), 0o600); err != nil {
		b.Fatal(err)
	}
}

// reconfigure gives BIRD another configuration.
func (b *bird) reconfigure(config string) {
	b.Helper()
	b.write(config)
	b.ask("configure")
}

func (b *bird) ask(words ...string) string {
	b.Helper()
	out, err := b.try(words...)
	if err != nil {
		b.Fatalf("birdc %s: %v\n%s", words, err, out)
	}
	return out
}

func (b *bird) try(words ...string) (string, error) {
	out, err := exec.Command("birdc", append([]string{"-s", b.dir + "/ctl"}, words...)...).CombinedOutput()
	return string(out), err
}

// route gives the attributes of the best route, by BIRD's names without
// "BGP."; nil: there is none.
func (b *bird) route(prefix string) map[string]string {
	b.Helper()
	out, _ := b.try("show", "route", prefix, "primary", "all") // to find none is an error
	attrs := map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.HasPrefix(name, "BGP.") {
			attrs[strings.TrimPrefix(name, "BGP.")] = value
		}
	}
	if len(attrs) == 0 {
		return nil
	}
	return attrs
}

// count is the number of routes from BGP.
func (b *bird) count() (n int) {
	b.Helper()
	for line := range strings.Lines(b.ask("show", "route", "where", "source", "=", "RTS_BGP", "count")) {
		var some int
		if _, err := fmt.Sscanf(line, "%d of", &some); err == nil && !strings.Contains(line, "Total") {
			n += some
		}
	}
	return n
}

// updates is the number of routes that a protocol was sent, withdrawals
// included.
func (b *bird) updates(protocol string) (n int) {
	b.Helper()
	for line := range strings.Lines(b.ask("show", "protocols", "all", protocol)) {
		f := strings.Fields(line)
		if len(f) > 3 && f[0] == "Import" && (f[1] == "updates:" || f[1] == "withdraws:") {
			var some int
			if _, err := fmt.Sscan(f[2], &some); err != nil {
				b.Fatal(err)
			}
			n += some
		}
	}
	return n
}

// kernel gives the ways of a route in the namespace's kernel.
func (n ns) kernel(prefix string) (ways []string) {
	n.Helper()
	family := "-4"
	if strings.Contains(prefix, ":") {
		family = "-6"
	}
	var routes []struct {
		Gateway  string
		Nexthops []struct{ Gateway string }
	}
	if err := json.Unmarshal([]byte(n.ip("-j %s route show %s", family, prefix)), &routes); err != nil {
		n.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range routes {
		seen[r.Gateway] = true
		for _, h := range r.Nexthops {
			seen[h.Gateway] = true
		}
	}
	delete(seen, "")
	for gateway := range maps.Keys(seen) {
		ways = append(ways, gateway)
	}
	return ways
}

// frr is a running zebra and bgpd of FRR.
type frr struct {
	ns
	dir string
}

func newFRR(n ns, config string) *frr {
	n.Helper()
	f := &frr{n, n.TempDir()}
	f.own()
	conf := filepath.Join(f.dir, "conf")
	if err := os.WriteFile(conf, []byte("frr defaults datacenter\nlog file "+f.dir+"/log\n"+config), 0o644); err != nil {
		n.Fatal(err)
	}
	for _, daemon := range []string{"zebra", "bgpd"} {
		n.daemon("/usr/lib/frr/"+daemon, "-f", conf, "-i", f.dir+"/"+daemon+".pid",
			"-z", f.dir+"/zserv", "--vty_socket", f.dir, "-P", "0")
		eventually(n, 10*time.Second, daemon+" answers", func() bool {
			return exec.Command("vtysh", "--vty_socket", f.dir, "-d", daemon, "-c", "show version").Run() == nil
		})
	}
	return f
}

// own gives the folder to the user that FRR's daemons become.
func (f *frr) own() {
	f.Helper()
	who, err := user.Lookup("frr")
	if err != nil {
		f.Fatal(err)
	}
	uid, err := strconv.Atoi(who.Uid)
	if err == nil {
		err = errors.Join(os.Chown(f.dir, uid, -1), os.Chmod(filepath.Dir(f.dir), 0o755))
	}
	if err != nil {
		f.Fatal(err)
	}
}

// ask gives the answer of bgpd.
func (f *frr) ask(command string) string {
	f.Helper()
	return run(f, "vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", command)
}

// frrRoute is what FRR tells of one path to a prefix.
type frrRoute struct {
	ASPath struct{ String string }
	MED    *int `json:"metric"`
	// FRR writes locPrf where it was sent.
	LocalPref *int `json:"locPrf"`
	Community struct{ String string }
	Large     struct{ String string } `json:"largeCommunity"`
	Nexthops  []struct{ IP string }
}

func (f *frr) routes(prefix string) []frrRoute {
	f.Helper()
	family := "ipv4"
	if strings.Contains(prefix, ":") {
		family = "ipv6"
	}
	var got struct{ Paths []frrRoute }
	if err := json.Unmarshal([]byte(f.ask("show bgp "+family+" unicast "+prefix+" json")), &got); err != nil {
		f.Fatal(err)
	}
	return got.Paths
}

// testLog sends log lines to the test.
type testLog struct{ t testing.TB }

func (w testLog) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
