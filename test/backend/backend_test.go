// Package backend runs deploy/backend/guideway-backend in network namespaces:
// real addresses, settings and interfaces, but where the kernel has no GRE. There
// an interface of another kind stands in for the tunnel, and the command that would
// have made it is compared.
package backend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const script = "../../deploy/backend/guideway-backend"

// recorder is an ip that writes down what it is asked, and makes a veth of what
// would be a tunnel.
const recorder = `#!/bin/sh
printf 'ip %s\n' "$*" >>"$RECORD"
case "$*" in
"link add dev "*" type "*gre*) exec /bin/ip link add dev "$4" type veth peer name "$4-peer" ;;
esac
exec /bin/ip "$@"
`

// A machine is a network namespace with a state folder of its own.
type machine struct {
	*testing.T
	ns, dir string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t, fmt.Sprintf("gwb-%d-%s", os.Getpid(), filepath.Base(t.Name())), t.TempDir()}
	if err := os.WriteFile(m.dir+"/ip", []byte(recorder), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "netns", "add", m.ns).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", m.ns).CombinedOutput(); err != nil {
			t.Errorf("ip netns del: %v: %s", err, out)
		}
	})
	return m
}

// do runs a command there and returns its output and exit status.
func (m machine) do(argv ...string) (string, int) {
	m.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", m.ns}, argv...)...)
	cmd.Env = append(os.Environ(), "PATH="+m.dir+":"+os.Getenv("PATH"), "RECORD="+m.dir+"/record",
		"GUIDEWAY_BACKEND_STATE="+m.dir+"/state")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		m.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// script runs guideway-backend, and returns the commands that change something.
func (m machine) script(status int, args ...string) (changes []string) {
	m.Helper()
	_ = os.Remove(m.dir + "/record") // of the call before
	out, got := m.do(append([]string{script}, args...)...)
	if got != status {
		m.Fatalf("%v: status %d, want %d:\n%s", args, got, status, out)
	}
	record, err := os.ReadFile(m.dir + "/record")
	if err != nil && !os.IsNotExist(err) {
		m.Fatal(err)
	}
	for line := range strings.Lines(string(record)) {
		if line = strings.TrimSpace(line); !strings.Contains(line, " show") && line != "ip link set dev lo up" {
			changes = append(changes, line)
		}
	}
	return changes
}

func (m machine) want(got []string, want ...string) {
	m.Helper()
	if !slices.Equal(got, want) {
		m.Errorf("commands:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// setting checks a value under /proc/sys/net.
func (m machine) setting(name, want string) {
	m.Helper()
	if got, _ := m.do("cat", "/proc/sys/net/"+name); strings.TrimSpace(got) != want {
		m.Errorf("%s is %q, want %q", name, strings.TrimSpace(got), want)
	}
}

// addresses are those of lo, but for its own.
func (m machine) addresses(want ...string) {
	m.Helper()
	out, _ := m.do("ip", "-o", "addr", "show", "dev", "lo", "scope", "global")
	var got []string
	for line := range strings.Lines(out) {
		got = append(got, strings.Fields(line)[3])
	}
	if !slices.Equal(got, want) {
		m.Errorf("addresses %v, want %v", got, want)
	}
}

var all = []string{"--vip", "203.0.113.80", "--vip", "2001:db8::80", "--from", "192.0.2.11", "--from", "2001:db8:1::11"}

func TestUpAndDown(t *testing.T) {
	m := newMachine(t)
	m.script(1, append([]string{"status"}, all...)...)
	m.want(m.script(0, append([]string{"up"}, all...)...),
		"ip addr add 203.0.113.80/32 dev lo",
		"ip addr add 2001:db8::80/128 dev lo preferred_lft 0",
		"ip link add dev gwgre0 type gre remote 192.0.2.11",
		"ip link set dev gwgre0 alias guideway: gre from 192.0.2.11 to any",
		"ip link set dev gwgre0 addrgenmode none",
		"ip addr add 192.0.0.8/32 dev gwgre0 scope host",
		"ip link set dev gwgre0 up",
		"ip link add dev gwgre1 type ip6gre remote 2001:db8:1::11",
		"ip link set dev gwgre1 alias guideway: ip6gre from 2001:db8:1::11 to any",
		"ip link set dev gwgre1 addrgenmode none",
		"ip addr add 192.0.0.8/32 dev gwgre1 scope host",
		"ip link set dev gwgre1 up")
	m.addresses("203.0.113.80/32", "2001:db8::80/128")
	m.setting("ipv4/conf/all/arp_ignore", "1")
	m.setting("ipv4/conf/all/arp_announce", "2")
	m.setting("ipv4/conf/gwgre0/rp_filter", "2")
	m.setting("ipv4/conf/gwgre1/rp_filter", "2")
	m.script(0, append([]string{"status"}, all...)...)
	m.script(0, "status") // of what was asked for
	m.want(m.script(0, append([]string{"up"}, all...)...),
		"ip link set dev gwgre0 addrgenmode none",
		"ip link set dev gwgre1 addrgenmode none")

	m.script(0, "down")
	m.addresses()
	m.setting("ipv4/conf/all/arp_ignore", "0")
	m.setting("ipv4/conf/all/arp_announce", "0")
	if out, _ := m.do("ip", "link"); strings.Contains(out, "gwgre") {
		t.Errorf("left:\n%s", out)
	}
	m.script(1, "status")
	m.want(m.script(0, "down"))
}

// What stays is not touched when others come and go: connections go on.
func TestChange(t *testing.T) {
	m := newMachine(t)
	m.script(0, append([]string{"up"}, all...)...)
	m.want(m.script(0, "up", "--vip", "203.0.113.81", "--vip", "2001:db8::80", "--from", "2001:db8:1::11", "--local", "192.0.2.99"),
		"ip addr del 203.0.113.80/32 dev lo",
		"ip addr add 203.0.113.81/32 dev lo",
		"ip link del dev gwgre0",
		"ip link add dev gwgre0 type gre local 192.0.2.99",
		"ip link set dev gwgre0 alias guideway: gre from any to 192.0.2.99",
		"ip link set dev gwgre0 addrgenmode none",
		"ip addr add 192.0.0.8/32 dev gwgre0 scope host",
		"ip link set dev gwgre0 up",
		"ip link set dev gwgre1 addrgenmode none")
	m.want(m.script(0, "up", "--vip=203.0.113.81", "--vip=2001:db8::80", "--from=192.0.2.12", "--local=192.0.2.99"),
		"ip link del dev gwgre1",
		"ip link del dev gwgre0",
		"ip link add dev gwgre0 type gre remote 192.0.2.12 local 192.0.2.99",
		"ip link set dev gwgre0 alias guideway: gre from 192.0.2.12 to 192.0.2.99",
		"ip link set dev gwgre0 addrgenmode none",
		"ip addr add 192.0.0.8/32 dev gwgre0 scope host",
		"ip link set dev gwgre0 up")
	m.script(0, "status")
}

// What an operator has made is not taken away, nor lowered.
func TestOthersThings(t *testing.T) {
	m := newMachine(t)
	for _, argv := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "addr", "add", "203.0.113.80/32", "dev", "lo"},
		{"ip", "link", "add", "gwgre0", "type", "veth", "peer", "name", "other"},
		{"sh", "-c", "echo 2 >/proc/sys/net/ipv4/conf/all/arp_ignore"},
	} {
		if out, status := m.do(argv...); status != 0 {
			t.Fatalf("%v: %s", argv, out)
		}
	}
	m.want(m.script(0, "up", "--vip", "203.0.113.80", "--from", "192.0.2.11"),
		"ip link add dev gwgre1 type gre remote 192.0.2.11",
		"ip link set dev gwgre1 alias guideway: gre from 192.0.2.11 to any",
		"ip link set dev gwgre1 addrgenmode none",
		"ip addr add 192.0.0.8/32 dev gwgre1 scope host",
		"ip link set dev gwgre1 up")
	m.setting("ipv4/conf/all/arp_ignore", "2")
	m.script(0, "down")
	m.addresses("203.0.113.80/32")
	m.setting("ipv4/conf/all/arp_ignore", "2")
	if out, _ := m.do("ip", "link", "show", "gwgre0"); !strings.Contains(out, "gwgre0") {
		t.Error("another's gwgre0 is gone")
	}
}

// status finds each thing that is missing.
func TestStatusSeesBreakage(t *testing.T) {
	for name, broken := range map[string]string{
		"vip": "ip addr del 203.0.113.80/32 dev lo", "tunnel": "ip link del gwgre1", "down": "ip link set gwgre0 down", "address": "ip addr flush dev gwgre0",
		"filter": "echo 1 >/proc/sys/net/ipv4/conf/gwgre0/rp_filter", "arp": "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore",
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.script(0, append([]string{"up"}, all...)...)
			if out, status := m.do("sh", "-c", broken); status != 0 {
				t.Fatal(out)
			}
			out, status := m.do(script, "status")
			if status != 1 || strings.Count(out, "MISSING") != 1 {
				t.Errorf("status %d:\n%s", status, out)
			}
			m.script(0, append([]string{"up"}, all...)...) // mends it
			m.script(0, "status")
		})
	}
}

// TestIfupdown runs the example's commands as ifup and ifdown would.
func TestIfupdown(t *testing.T) {
	m := newMachine(t)
	text, err := os.ReadFile("../../deploy/backend/ifupdown/interfaces")
	if err != nil {
		t.Fatal(err)
	}
	if out, status := m.do("ip", "link", "set", "lo", "up"); status != 0 {
		t.Fatal(out)
	}
	run := func(hooks ...string) {
		t.Helper()
		name := ""
		for line := range strings.Lines(string(text)) {
			hook, command, _ := strings.Cut(strings.TrimSpace(line), " ")
			if hook == "iface" {
				name, _, _ = strings.Cut(command, " ")
			}
			if slices.Contains(hooks, hook) {
				if out, status := m.do("env", "IFACE="+name, "sh", "-ec", command); status != 0 {
					t.Errorf("%s: %s: %s", name, command, out)
				}
			}
		}
	}
	run("pre-up", "up")
	m.addresses("203.0.113.10/32", "2001:db8:ffff::10/128")
	m.setting("ipv4/conf/gwgre0/rp_filter", "2")
	m.setting("ipv4/conf/gwgre1/rp_filter", "2")
	record, err := os.ReadFile(m.dir + "/record")
	for _, want := range []string{"ip link add dev gwgre0 type gre remote 192.0.2.11\n", "ip link add dev gwgre1 type ip6gre remote 2001:db8::11\n", "ip link set dev gwgre1 up\n"} {
		if err != nil || !strings.Contains(string(record), want) {
			t.Errorf("%v, no %q in\n%s", err, want, record)
		}
	}
	run("down", "post-down")
	m.addresses()
	if out, _ := m.do("ip", "link"); strings.Contains(out, "gwgre") {
		t.Errorf("left:\n%s", out)
	}
}

func TestMisuse(t *testing.T) {
	m := newMachine(t)
	for _, args := range [][]string{
		{}, {"start"}, {"up"}, {"up", "--vip"}, {"up", "--vip", "www"}, {"up", "--vip", "203.0.113.80"}, {"up", "--from", "192.0.2.11"},
		{"up", "--vip", "203.0.113.80; reboot", "--from", "192.0.2.11"}, {"up", "--vip", "203.0.113.80", "--from", "192.0.2.0/24"},
		{"up", "--vip", "203.0.113.80", "--local", "10.0.0.1", "--local", "10.0.0.2"}, {"up", "203.0.113.80"},
	} {
		m.want(m.script(2, args...))
	}
	m.addresses()
}

func TestShellcheck(t *testing.T) {
	if out, err := exec.Command("shellcheck", "-s", "sh", script).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
