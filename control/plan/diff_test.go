package plan

import (
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guideway/control/config"
)

var update = flag.Bool("update", false, "write the golden files anew: read the difference before you keep it")

func vipSized(name, address string, size string, rest string) string {
	return vip(name, address, "a") + "table_size = " + size + "\n" + rest
}

// compare plans for two texts and compares them.
func compare(t testing.TB, before, after string) *Diff {
	t.Helper()
	d, err := Preview(parse(t, before), parse(t, after))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDiffGolden pins the whole of one that has everything.
func TestDiffGolden(t *testing.T) {
	before := pool("a", backend("10.0.0.1"), backend("10.0.0.2"), backend("10.0.0.3")) +
		vipSized("stays", "203.0.113.1", "251", "") + vip("goes", "203.0.113.2", "a") +
		vipSized("moves", "203.0.113.3", "251", "") +
		"[bgp]\nasn = 64512\n[[bgp.peer]]\naddress = \"192.0.2.1\"\nasn = 64500\n"
	after := strings.NewReplacer(`"stays"`, `"stays"`, `"goes"`, `"comes"`, "203.0.113.2\"", "203.0.113.4\"", "asn = 64500", "asn = 64501").Replace(before) +
		"[[bgp.peer]]\naddress = \"192.0.2.2\"\nasn = 64500\n[fragments]\ntimeout = \"2s\"\nprobe = \"1s\"\n"
	after = strings.Replace(after, "[[vip]]\nname = \"moves\"\naddress = \"203.0.113.3\"\nprotocol = \"tcp\"\nports = [\"80\"]\npools = [\"a\"]\ntable_size = 251",
		pool("b", backend("10.0.0.1"), "{ address = \"10.0.0.2\", state = \"drain\" }", backend("10.0.0.4"))+
			"[[vip]]\nname = \"moves\"\naddress = \"203.0.113.3\"\nprotocol = \"tcp\"\nports = [\"80\", \"443\"]\npools = [\"b\"]\ntable_size = 509", 1)
	got, err := json.MarshalIndent(compare(t, before, after), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const path = "testdata/diff.json"
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got; -update takes it)\n%s", diff)
	}
}

func TestDiffOfNothing(t *testing.T) {
	text := pool("a", backend("10.0.0.1"), backend("10.0.0.2")) + vip("x", "203.0.113.1", "a")
	reordered := strings.Replace(text, `{ address = "10.0.0.1" }, { address = "10.0.0.2" }`, `{ address = "10.0.0.2" }, { address = "10.0.0.1", weight = 100 }`, 1)
	if reordered == text {
		t.Fatal("nothing is reordered")
	}
	if d := compare(t, text, reordered); !d.Empty() || d.Unchanged != 1 {
		t.Errorf("%+v", d)
	}
}

// TestSmallDifferences: each of these shows in the one place where it belongs.
func TestSmallDifferences(t *testing.T) {
	text := pool("a", backend("10.0.0.1"), backend("10.0.0.2")) + vip("x", "203.0.113.1", "a")
	for _, c := range []struct {
		name, old, new string
		settings, vip  string // key: before -> after
		restart        bool
	}{
		{"a VIP's setting", "ports = [\"80\"]", "ports = [\"80\"]\nmss = 1400", "", "mss: 0 -> 1400", false},
		{"a community", "ports = [\"80\"]", "ports = [\"80\"]\ncommunities = [\"64512:1\"]", "", "communities: [] -> [64512:1]", false},
		{"what nodes do", "[[pool]]", "[icmp]\nrate = 7\n[[pool]]", "icmp.rate: 1000 -> 7", "", false},
		{"a check", "[[pool]]", "[[check]]\nname = \"c\"\ntype = \"icmp\"\n[[pool]]", "check[c]:  -> present", "", false},
		{"an mtu", "mtu = 1600", "mtu = 1500", "", "", true},
		{"a timeout", "flows_per_core = 1024", "flows_per_core = 2048", "", "", true},
		{"the console's limit", "[[pool]]", "[console]\nsessions = 3\n[[pool]]", "console.sessions: 16 -> 3", "", false},
		{"the console's place", "[[pool]]", "[console]\nlisten = \"127.0.0.1:1\"\n[[pool]]", "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := head + text
			if !strings.Contains(whole, c.old) {
				t.Fatalf("%q is not in the file", c.old)
			}
			next, _, err := config.Parse("test.toml", []byte(strings.Replace(whole, c.old, c.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			d, err := Preview(parse(t, text), next)
			if err != nil {
				t.Fatal(err)
			}
			first := func(s []SettingChange) string {
				if len(s) == 0 {
					return ""
				}
				return s[0].Key + ": " + s[0].Before + " -> " + s[0].After
			}
			ofVIP := ""
			if len(d.VIPs) == 1 {
				ofVIP = first(d.VIPs[0].Settings)
			}
			if first(d.Settings) != c.settings || ofVIP != c.vip || (len(d.Restart) > 0) != c.restart || d.Empty() {
				t.Errorf("settings %v, VIPs %+v, restart %v", d.Settings, d.VIPs, d.Restart)
			}
		})
	}
}

// TestMoved holds the shares against counted flows: many hashes, each looked up in
// both tables.
func TestMoved(t *testing.T) {
	all := []string{backend("10.0.0.1"), backend("10.0.0.2"), backend("10.0.0.3"), backend("10.0.0.4"), "{ address = \"10.0.0.5\", weight = 30 }"}
	for _, c := range []struct {
		name          string
		before, after string
		moved, lost   float64 // exactly; -1: whatever is counted
	}{
		{"one leaves", pool("a", all...) + vipSized("x", "203.0.113.1", "1009", ""), pool("a", all[1:]...) + vipSized("x", "203.0.113.1", "1009", ""), -1, -1},
		{"one comes", pool("a", all[1:]...) + vipSized("x", "203.0.113.1", "1009", ""), pool("a", all...) + vipSized("x", "203.0.113.1", "1009", ""), -1, 0},
		{"another size", pool("a", all...) + vipSized("x", "203.0.113.1", "1009", ""), pool("a", all...) + vipSized("x", "203.0.113.1", "4099", ""), -1, 0},
		{"a smaller size", pool("a", all...) + vipSized("x", "203.0.113.1", "4099", ""), pool("a", all...) + vipSized("x", "203.0.113.1", "11", ""), -1, 0},
		{"another weight", pool("a", all...) + vipSized("x", "203.0.113.1", "1009", ""), strings.Replace(pool("a", all...)+vipSized("x", "203.0.113.1", "1009", ""), "30", "90", 1), -1, 0},
		{"all drain", pool("a", all[0]) + vip("x", "203.0.113.1", "a"), pool("a", "{ address = \"10.0.0.1\", state = \"drain\" }") + vip("x", "203.0.113.1", "a"), 1, 0},
		{"from none", pool("a", "{ address = \"10.0.0.1\", state = \"drain\" }") + vip("x", "203.0.113.1", "a"), pool("a", all[0]) + vip("x", "203.0.113.1", "a"), 0, 0},
		{"others altogether", pool("a", all[0]) + vip("x", "203.0.113.1", "a"), pool("a", all[1]) + vip("x", "203.0.113.1", "a"), 1, 1},
		{"another hash", pool("a", all[:2]...) + vipSized("x", "203.0.113.1", "1009", ""), pool("a", all[:2]...) + vipSized("x", "203.0.113.1", "1009", "hash = \"source\"\n"), 0.4999995, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, err := Build(Assume(parse(t, c.before), nil))
			if err != nil {
				t.Fatal(err)
			}
			now, err := Build(Assume(parse(t, c.after), old))
			if err != nil {
				t.Fatal(err)
			}
			d := Compare(Side{parse(t, c.before), old}, Side{parse(t, c.after), now}).VIPs[0]
			if c.moved >= 0 && math.Abs(d.Moved-c.moved) > 1e-6 || c.lost >= 0 && d.Lost != c.lost {
				t.Errorf("moved %v, lost %v; want %v, %v", d.Moved, d.Lost, c.moved, c.lost)
			}
			if c.moved >= 0 {
				return
			}
			a, b := old.VIPs[0].Table, now.VIPs[0].Table
			kept := map[netip.Addr]bool{}
			for _, m := range b.Members() {
				kept[m.Addr] = true
			}
			const flows = 400_000
			moved, lost, random := 0, 0, rand.New(rand.NewPCG(1, 2))
			for range flows {
				h := random.Uint64()
				from, to := a.Members()[a.Pick(h)].Addr, b.Members()[b.Pick(h)].Addr
				if from != to {
					moved++
				}
				if !kept[from] {
					lost++
				}
			}
			if m, l := float64(moved)/flows, float64(lost)/flows; math.Abs(m-d.Moved) > 0.004 || math.Abs(l-d.Lost) > 0.004 {
				t.Errorf("moved %.4f, lost %.4f; counted %.4f, %.4f", d.Moved, d.Lost, m, l)
			}
		})
	}
}

// TestSettings: the names are those of the file, and nothing is twice.
func TestSettings(t *testing.T) {
	c := parse(t, pool("a", backend("10.0.0.1"))+vip("x", "203.0.113.1", "a")+"[bgp]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[[bgp.peer]]\naddress = \"192.0.2.1\"\nasn = 64500\n")
	got := map[string]string{}
	for _, s := range Settings(c) {
		if old, twice := got[s.Key]; twice {
			t.Errorf("%s is %s, and %s", s.Key, old, s.Value)
		}
		got[s.Key] = s.Value
	}
	for key, want := range map[string]string{
		"node.name": "lb1", "dpdk.lcores": "[1]", "dpdk.control_cpus": "[0]", "port[wan].mtu": "1600", "port[wan].next_hop_mac": "02:00:00:00:00:01",
		"port[wan].addresses": "[192.0.2.11/24 2001:db8::11/64]", "vip[x].address": "203.0.113.1/32", "vip[x].protocol": "tcp", "vip[x].ports": "[80]",
		"vip[x].table_size": "65537", "vip[x].min_healthy": "1", "pool[a].backends[10.0.0.1].weight": "100", "pool[a].backends[10.0.0.1].state": "up",
		"bgp.asn": "64512", "bgp.router_id": "192.0.2.1", "bgp.peer[192.0.2.1].hold_time": "9s", "bgp.peer[192.0.2.1].ipv4": "true",
		"console.listen": "", "console.idle_timeout": "10m", "metrics.listen": "127.0.0.1:9150", "icmp.closed_port": "unreachable",
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %q (%v), want %q", key, v, ok, want)
		}
	}
}
