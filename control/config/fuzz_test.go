package config

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guideway/fragments"
)

// FuzzParse feeds the whole way from bytes to a Config. Nothing may panic;
// faults lie within the file and in order; what is accepted comes out the
// same again and is what a Config promises.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{example, "testdata/*/*.toml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			f.Add(readTestFile(f, file))
		}
	}
	f.Add([]byte(nest))
	f.Add([]byte(running))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, _, err := Parse("fuzz", data)
		if err != nil {
			placed(t, data, err.(Faults))
			return
		}
		again, _, err := Parse("fuzz", data)
		if err != nil {
			t.Fatalf("accepted, then refused: %v", err)
		}
		if diff := cmp.Diff(cfg, again, plainC); diff != "" {
			t.Fatalf("two readings: %s", diff)
		}
		promises(t, cfg)
		if faults := RestartNeeded(cfg, again); len(faults) > 0 {
			t.Fatalf("a file does not go with itself: %v", faults)
		}
	})
}

func placed(t *testing.T, data []byte, faults Faults) {
	lines := 1
	for _, c := range data {
		if c == '\n' {
			lines++
		}
	}
	if len(faults) == 0 {
		t.Fatal("refused without a fault")
	}
	for i, f := range faults {
		if f.Line < 0 || f.Line > lines || f.Col < 0 || f.Col > len(data)+1 || f.Text == "" {
			t.Fatalf("%v: the file has %d lines", f, lines)
		}
		if i > 0 && (pos{faults[i-1].Line, faults[i-1].Col}).compare(pos{f.Line, f.Col}) > 0 {
			t.Fatalf("%v stands before %v", faults[i-1], f)
		}
	}
}

// promises checks what whoever takes a Config may rely on.
func promises(t *testing.T, c *Config) {
	if len(c.Ports) == 0 || len(c.DPDK.Lcores) == 0 || c.Node.Name == "" {
		t.Fatalf("no port, lcore or name: %+v", c)
	}
	for _, pool := range [][]netip.Addr{c.Node.SourcePool4, c.Node.SourcePool6} {
		if len(pool) > MaxSources || len(pool) > 0 && !c.Node.Source(pool[0]).IsValid() {
			t.Fatalf("%d addresses in a pool beside %s and %s", len(pool), c.Node.Source4, c.Node.Source6)
		}
		for i, a := range pool {
			if i > 0 && !pool[i-1].Less(a) || unicast(a) != nil {
				t.Fatalf("pool %v", pool)
			}
		}
	}
	if self, found := c.Fragments.Node(c.Node.Name); found != (len(c.Fragments.Nodes) > 0) {
		t.Fatalf("%q among %v: %v", c.Node.Name, c.Fragments.Nodes, found)
	} else if found {
		nodes := make([]fragments.Node, len(c.Fragments.Nodes))
		for i, n := range c.Fragments.Nodes {
			nodes[i].Addr = n.Address
			if n.Address.Is4() != self.Address.Is4() {
				t.Fatalf("nodes of two families: %v", c.Fragments.Nodes)
			}
		}
		if _, err := fragments.NewOwners(nodes, self.Address); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range c.DPDK.Lcores {
		if slices.Contains(c.DPDK.ControlCPUs, l) {
			t.Fatalf("CPU %d is shared", l)
		}
	}
	for _, v := range c.VIPs {
		backends := c.Backends(v)
		if len(backends) == 0 || len(backends) >= v.TableSize || !isPrime(int64(v.TableSize)) || v.Prefix != v.Prefix.Masked() {
			t.Fatalf("%+v with %d backends", v, len(backends))
		}
		for i, b := range backends {
			if i > 0 && !backends[i-1].Address.Less(b.Address) {
				t.Fatalf("%s stands before %s", backends[i-1].Address, b.Address)
			}
			if len(c.Node.Sources(b.Address)) == 0 || c.Node.Sources(b.Address)[0].Is4() != b.Address.Is4() {
				t.Fatalf("backend %s has sources %v", b.Address, c.Node.Sources(b.Address))
			}
			if b.Weight < 1 || b.Weight > maxWeight || !c.Node.Source(b.Address).IsValid() || b.Address.Is4In6() {
				t.Fatalf("backend %+v of a node with sources %s and %s", b, c.Node.Source4, c.Node.Source6)
			}
		}
	}
}
