package monitoring

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hurry is by how much the rules' times are shorter than those that are
// shipped: a minute is a second.
const hurry = 60

// hurried shortens the times of rules, in `for` and in ranges.
func hurried(rules string) string {
	short := func(text string) string {
		m := ruleTime.FindStringSubmatch(text)
		d, err := time.ParseDuration(m[2])
		if err != nil {
			panic(err)
		}
		return m[1] + fmt.Sprint((d / hurry).Milliseconds()) + "ms" + m[3]
	}
	return ruleTime.ReplaceAllStringFunc(rules, short)
}

var ruleTime = regexp.MustCompile(`(for: |\[)(\d+[smh])(\]|\n)`)

// TestFaults provokes each alert by what it is about, on real nodes, and sees it
// fire in a real Prometheus, and end when the fault has ended.
func TestFaults(t *testing.T) {
	s := open(t)
	began := time.Now()
	s.wait("a site where all is well", func() bool {
		return s.value("lb1", `min(guideway_vip_announced_peers{%})`) == 2 && s.value("lb2", `min(guideway_vip_announced_peers{%})`) == 2 &&
			s.value("lb1", `sum(guideway_bfd_up{%})`) == 2 && s.value("lb2", `sum(guideway_bfd_up{%})`) == 2 && len(s.troubles()) == 0
	})
	t.Logf("all is well after %v", time.Since(began).Round(time.Second))
	for i, phase := range phases {
		began := time.Now()
		clear(s.seen)
		var mends []func()
		for _, f := range phase {
			mends = append(mends, f.cause(s))
		}
		// Some end by themselves while others are waited for.
		missing := map[string]bool{}
		for _, f := range phase {
			for _, a := range f.fires {
				missing[a] = true
			}
		}
		for deadline := began.Add(time.Minute); len(missing) > 0; time.Sleep(200 * time.Millisecond) {
			for _, f := range phase {
				for _, a := range f.fires {
					if missing[a] && (s.seen[a] || s.isFiring(a)) {
						delete(missing, a)
						t.Logf("phase %d, after %v: %s: %s", i+1, time.Since(began).Round(time.Second), f.name, a)
					}
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("phase %d: not in a minute: %q; what fires: %q", i+1, slices.Sorted(maps.Keys(missing)), s.troubles())
			}
		}
		began = time.Now()
		for i, f := range phase {
			mends[i]()
			for _, a := range f.after {
				s.wait(a+" to fire: "+f.name, func() bool { return s.isFiring(a) })
			}
			if f.settle != nil {
				f.settle(s)
			}
		}
		for _, f := range phase {
			if f.rests {
				continue
			}
			for _, a := range slices.Concat(f.fires, f.after) {
				if strings.HasPrefix(a, "GuidewayPollGap") {
					continue // a busy machine has gaps at any time
				}
				s.wait(a+" to end: "+f.name, func() bool { return !s.isFiring(a) })
			}
		}
		t.Logf("phase %d: over after %v", i+1, time.Since(began).Round(time.Second))
	}
	for _, name := range []string{"lb1", "lb2"} {
		s.nodes[name].Stop()
	}
}

// TestEveryAlertIsProvoked: by a fault, or else it is said why not.
func TestEveryAlertIsProvoked(t *testing.T) {
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	fires := map[string]bool{}
	for _, phase := range phases {
		for _, f := range phase {
			for _, a := range slices.Concat(f.fires, f.after) {
				name, _, _ := strings.Cut(a, " ")
				fires[name] = true
			}
		}
	}
	rules := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(text), -1)
	if len(rules) < 40 {
		t.Fatalf("%d rules", len(rules))
	}
	for _, r := range rules {
		_, excused := unprovoked[r[1]]
		if fires[r[1]] == excused {
			t.Errorf("%s: a fault provokes it: %v; it is said why not: %v", r[1], fires[r[1]], excused)
		}
		delete(fires, r[1])
	}
	for name := range fires {
		t.Errorf("there is no %s", name)
	}
	for name := range unprovoked {
		if !slices.ContainsFunc(rules, func(r []string) bool { return r[1] == name }) {
			t.Errorf("there is no %s", name)
		}
	}
}

func TestHurried(t *testing.T) {
	if got := hurried("expr: rate(a[10m]) > 0\n for: 1m\n b[1h]\n  - for: 30s\nsummary: for: a 5m\n"); got !=
		"expr: rate(a[10000ms]) > 0\n for: 1000ms\n b[60000ms]\n  - for: 500ms\nsummary: for: a 5m\n" {
		t.Errorf("%q", got)
	}
}

// isFiring tells whether an alert fires: "Alert", or "Alert node".
func (s *site) isFiring(alert string) bool {
	s.t.Helper()
	name, node, _ := strings.Cut(alert, " ")
	fires := slices.ContainsFunc(s.server.firing(), func(a map[string]string) bool {
		return a["alertname"] == name && (node == "" || a["instance"] == instance(node))
	})
	s.seen[alert] = s.seen[alert] || fires
	return fires
}

// troubles are the alerts that fire though the machine has only other tests to
// do.
func (s *site) troubles() (names []string) {
	for _, a := range s.server.firing() {
		if !slices.Contains(quiet, a["alertname"]) && a["instance"] != instance("lb3") { // which is not there yet
			names = append(names, strings.TrimPrefix(a["alertname"], "Guideway")+" "+a["instance"])
		}
	}
	return names
}

func instance(node string) string { return fmt.Sprintf("10.99.0.%d:9150", number(node)) }

// value asks Prometheus about a node: of a metric, or of an expression in which
// % stands for the choice of the node; -1 where there is none.
func (s *site) value(node, expr string) float64 {
	s.t.Helper()
	by := fmt.Sprintf("instance=%q", instance(node))
	if strings.Contains(expr, "%") {
		expr = strings.ReplaceAll(expr, "%", by)
	} else {
		expr += "{" + by + "}"
	}
	got, err := s.server.query(expr)
	if err != nil || len(got) != 1 {
		return -1
	}
	v, err := strconv.ParseFloat(fmt.Sprint(got[0].Value[1]), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// alone is the configuration of lb3, by itself but for Prometheus.
var alone = strings.NewReplacer(`name   = "lb1"`, `name   = "lb3"`, "127.0.0.1:0", "10.99.0.13:9150").Replace(node)

// overload starts lb3 anew, so that it reads a capture round and round as
// fast as it can, and has to send it by an interface that is down. All others
// go before it.
func (s *site) overload() {
	s.t.Helper()
	s.nodes["lb3"].Kill()
	s.launch("lb3", strings.NewReplacer(
		"rx_pcap=in.pcap,tx_pcap=out.pcap", "rx_pcap=in.pcap,infinite_rx=1", "128MiB", "256MiB",
		"[conntrack]", "[[port]]\nname         = \"out\"\ndevice       = \"net_tap0,iface=out\"\naddresses    = [\"10.0.0.254/24\"]\nnext_hop_mac = \"02:00:00:00:00:02\"\n[conntrack]",
	).Replace(alone))
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", s.nodes["lb3"].PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(filepath.Base(thread))
		if err == nil {
			err = unix.Setpriority(unix.PRIO_PROCESS, id, 19)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.ip("lb3", "link set out down")
}
