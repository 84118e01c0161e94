package service

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"guideway/test/daemon"
)

const (
	securityPage = "../../docs/security.md"
	unitFile     = "../../deploy/guidewayd.service"
)

// Everything that opens a socket, by the usual addresses where there are some.
const exposing = `
[node]
name   = "lb1"
source = ["192.0.2.11", "2001:db8::11"]
[dpdk]
lcores       = [%[1]d]
control_cpus = [%[2]d]
memory       = "256MiB"
huge         = false
idle         = "sleep"
[conntrack]
flows_per_core = 1024
[[port]]
name      = "wan"
device    = "net_af_packet0,iface=wan"
addresses = ["192.0.2.11/24", "2001:db8::11/64"]
gateways  = ["192.0.2.1", "2001:db8::1"]
mtu       = 1544
kernel    = "gw-wan"
[fragments]
nodes = [{ name = "lb1", address = "192.0.2.11" }, { name = "lb2", address = "192.0.2.12" }]
[[check]]
name = "ping"
type = "icmp"
[[check]]
name = "inside"
type = "tcp"
port = 80
via  = "tunnel"
[[pool]]
name     = "web"
check    = "ping"
backends = [{ address = "10.0.0.1" }, { address = "2001:db8:a::1" }]
[[pool]]
name     = "shop"
check    = "inside"
backends = [{ address = "10.0.0.1" }]
[[vip]]
name    = "www"
address = "203.0.113.10"
ports   = ["80"]
pools   = ["web"]
[[vip]]
name    = "shop"
address = "203.0.113.11"
ports   = ["80"]
pools   = ["shop"]
[trace]
key_file = "%[3]s/trace.key"
[bgp]
asn               = 64512
router_id         = "192.0.2.11"
graceful_shutdown = "0s"
[[bgp.peer]]
address = "192.0.2.1"
asn     = 64500
bfd     = true
[[bgp.peer]]
address       = "192.0.2.2"
asn           = 64500
passive       = true
local_address = "192.0.2.11"
[console]
listen = "unix:%[3]s/console.sock"
`

// TestExposed runs the daemon with the capabilities of the unit and no more, and
// holds what it listens on, what it is allowed, and the modes of what it makes
// against docs/security.md.
func TestExposed(t *testing.T) {
	dir, ns := t.TempDir(), fmt.Sprintf("guideway-exposed-%d", os.Getpid())
	run(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { run(t, "ip", "netns", "del", ns) })
	run(t, "ip", "-n", ns, "link", "set", "lo", "up")
	run(t, "ip", "-n", ns, "link", "add", "wan", "mtu", "1544", "type", "veth", "peer", "name", "cable", "mtu", "1544")
	run(t, "ip", "-n", ns, "link", "set", "wan", "up")
	run(t, "ip", "-n", ns, "link", "set", "cable", "up")
	if err := os.WriteFile(filepath.Join(dir, "trace.key"), []byte(strings.Repeat("0f", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	capabilities := regexp.MustCompile(`(?m)^CapabilityBoundingSet=(.*)$`).FindStringSubmatch(file(t, unitFile))[1]
	bounds := "--bounding-set=-all"
	for c := range strings.FieldsSeq(capabilities) {
		bounds += ",+" + strings.ToLower(strings.TrimPrefix(c, "CAP_"))
	}
	d := daemon.LaunchBy(t, []string{"setpriv", "--no-new-privs", bounds}, ns, dir, fmt.Sprintf(exposing, pollCPU, controlCPU, dir))
	d.WaitLog(`msg=forwarding`)
	page := file(t, securityPage)

	t.Run("listens", func(t *testing.T) {
		_, part, _ := strings.Cut(page, "\n## What listens where\n")
		part, _, _ = strings.Cut(part, "\n## ")
		want := map[string]bool{}
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(part, -1) {
			want[m[1]+" "+strings.Replace(m[2], "/run/guideway", dir, 1)] = true
		}
		if len(want) < 8 {
			t.Fatalf("%s has %d sockets", securityPage, len(want))
		}
		var got []string
		for end := time.Now().Add(20 * time.Second); len(got) < len(want) && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			got = listening(t, ns, d.PID())
		}
		for _, s := range got {
			if !want[s] {
				t.Errorf("listens on %s, and the page does not say so", s)
			}
			delete(want, s)
		}
		for s := range want {
			t.Errorf("the page says that it listens on %s", s)
		}
	})

	t.Run("capabilities", func(t *testing.T) {
		status := file(t, fmt.Sprintf("/proc/%d/status", d.PID()))
		set := regexp.MustCompile(`(?m)^CapBnd:\s+([0-9a-f]+)$`).FindStringSubmatch(status)
		for _, name := range []string{"CapPrm", "CapEff"} {
			if !strings.Contains(status, name+":\t"+set[1]+"\n") {
				t.Errorf("%s is not %s:\n%s", name, set[1], status)
			}
		}
		for c := range strings.FieldsSeq(capabilities) {
			if !strings.Contains(page, "| `"+c+"` |") {
				t.Errorf("%s is in the unit, and the page does not say why", c)
			}
		}
	})

	t.Run("modes", func(t *testing.T) {
		for name, want := range map[string]os.FileMode{"console.sock": os.ModeSocket | 0o660, "state": os.ModeDir | 0o750} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode()&^want != 0 {
				t.Errorf("%s: %v, %v, want no more than %v", name, info.Mode(), err, want)
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "state", "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no state: %v", err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Mode()&0o077 != 0 {
				t.Errorf("%s: %v, %v, others can read it", f, info.Mode(), err)
			}
		}
	})
	d.Stop()
}

// listening lists the sockets of a process that take something from others:
// protocol, and address with port.
func listening(t *testing.T, ns string, pid int) (all []string) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", ns, "ss", "-Hanp", "-A", "tcp,udp,raw,packet,unix").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); strings.Contains(line, fmt.Sprintf("pid=%d,", pid)) && (f[1] == "LISTEN" || f[1] == "UNCONN") {
			all = append(all, f[0]+" "+f[4])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
