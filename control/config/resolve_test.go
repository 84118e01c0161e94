package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const nest = head + `
[[pool]]
name     = "a"
include  = ["b", "c"]
backends = [{ address = "10.0.0.9" }, { address = "2001:db8::1" }]
[[pool]]
name     = "b"
include  = ["d"]
backends = [{ address = "10.0.0.10" }]
[[pool]]
name     = "c"
include  = ["d"]
backends = [{ address = "10.0.0.9" }]
[[pool]]
name     = "d"
backends = [{ address = "10.0.0.1", weight = 3, state = "off" }]
[[vip]]
name    = "all"
address = "203.0.113.10"
ports   = ["80"]
pools   = ["a"]
[[vip]]
name    = "two"
address = "203.0.113.11"
ports   = ["80"]
pools   = ["c", "b"]
`

// TestBackends resolves a diamond of pools: each address once, in order.
func TestBackends(t *testing.T) {
	cfg := parse(t, nest)
	for _, v := range cfg.VIPs {
		want := map[string]string{
			"all": "10.0.0.1/3/off 10.0.0.9/100/up 10.0.0.10/100/up 2001:db8::1/100/up",
			"two": "10.0.0.1/3/off 10.0.0.9/100/up 10.0.0.10/100/up",
		}[v.Name]
		if got := backendText(cfg.Backends(v)); got != want {
			t.Errorf("%s: %s, want %s", v.Name, got, want)
		}
		byHand := &Config{Pools: cfg.Pools, VIPs: cfg.VIPs}
		if got := backendText(byHand.Backends(v)); got != want {
			t.Errorf("%s, in a Config that was not parsed: %s, want %s", v.Name, got, want)
		}
	}
}

// TestPoolsKey: VIPs with the same pools share one list of backends.
func TestPoolsKey(t *testing.T) {
	if poolsKey([]string{"b", "a"}) != poolsKey([]string{"a", "b"}) || poolsKey([]string{"a"}) == poolsKey([]string{"a", "b"}) {
		t.Error("the key is not that of the set")
	}
}

func backendText(list []Backend) string {
	var out []string
	for _, b := range list {
		out = append(out, fmt.Sprintf("%s/%d/%s", b.Address, b.Weight, b.State))
	}
	return strings.Join(out, " ")
}

// TestOverlap says of pairs of VIPs whether they may stand together.
func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b  string // address, protocol and ports
		clash bool
	}{
		{"203.0.113.10 tcp 80", "203.0.113.10 tcp 443", false},
		{"203.0.113.10 tcp 80", "203.0.113.10 tcp 80", true},
		{"203.0.113.10 tcp 80", "203.0.113.10/32 tcp 80", true},
		{"203.0.113.10 tcp 80", "203.0.113.10 udp 80", false},
		{"203.0.113.10 tcp 80", "203.0.113.10 tcp any", false},
		{"203.0.113.10 tcp any", "203.0.113.10 tcp any", true},
		{"203.0.113.10 any any", "203.0.113.10 tcp any", false},
		{"203.0.113.10 any any", "203.0.113.10 any any", true},
		{"203.0.113.10 tcp 80-90", "203.0.113.10 tcp 85", false},
		{"203.0.113.10 tcp 80-90", "203.0.113.10 tcp 80-85", false},
		{"203.0.113.10 tcp 80-90", "203.0.113.10 tcp 85-90", false},
		{"203.0.113.10 tcp 80-90", "203.0.113.10 tcp 85-91", true},
		{"203.0.113.10 tcp 80-90", "203.0.113.10 tcp 79-80", true},
		{"203.0.113.10 tcp 80-90", "203.0.113.10 tcp 80-90", true},
		{"203.0.113.0/24 tcp 80", "203.0.113.0/25 tcp 80", false},
		{"203.0.113.0/24 tcp 80", "203.0.113.0/24 tcp 80", true},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			file := head + "[[pool]]\nname = \"p\"\nbackends = [{ address = \"10.0.0.1\" }]\n"
			for i, v := range pair {
				f := strings.Fields(v)
				file += fmt.Sprintf("[[vip]]\nname = \"v%d\"\naddress = %q\nprotocol = %q\nports = [%q]\npools = [\"p\"]\n", i, f[0], f[1], f[2])
			}
			_, _, err := Parse("x", []byte(file))
			if clash := err != nil && strings.Contains(err.Error(), "both claim"); clash != c.clash || (err != nil) != c.clash {
				t.Errorf("%s and %s: %v, want a clash %v", pair[0], pair[1], err, c.clash)
			}
		}
	}
}

// TestShards serves one address in two shards, and one of them here.
func TestShards(t *testing.T) {
	vip := func(name, shard string) string {
		return fmt.Sprintf("[[vip]]\nname = %q\nshard = %q\naddress = \"203.0.113.10\"\nports = [\"80\"]\npools = [\"p\"]\n", name, shard)
	}
	both := "[[pool]]\nname = \"p\"\nbackends = [{ address = \"10.0.0.1\" }]\n" + vip("old", "main") + vip("new", "canary")
	cfg := parse(t, strings.Replace(head, "[dpdk]", "shard = \"canary\"\n[dpdk]", 1)+both)
	names := []string{}
	for _, v := range cfg.VIPs {
		names = append(names, v.Name)
	}
	if !slices.Equal(names, []string{"new"}) || cfg.VIPsElsewhere != 1 {
		t.Errorf("serves %v and %d elsewhere", names, cfg.VIPsElsewhere)
	}
	if _, _, err := Parse("x", []byte(head+both)); err == nil || !strings.Contains(err.Error(), "both claim") {
		t.Errorf("a node that serves every shard: %v", err)
	}
}

func TestMinHealthy(t *testing.T) {
	for _, c := range []struct {
		m       MinHealthy
		n, want int
	}{{MinHealthy{2, false}, 10, 2}, {MinHealthy{50, true}, 10, 5}, {MinHealthy{50, true}, 3, 2}, {MinHealthy{0, true}, 3, 0}, {MinHealthy{100, true}, 7, 7}} {
		if got := c.m.Of(c.n); got != c.want {
			t.Errorf("%s of %d: %d, want %d", c.m, c.n, got, c.want)
		}
	}
}
