package config

import (
	"fmt"
	"strings"
	"testing"
)

// large is the file of a busy site: a pool of its own for each VIP.
func large(vips, backendsPerPool int) []byte {
	var b strings.Builder
	b.WriteString(head)
	for i := range vips {
		fmt.Fprintf(&b, "[[pool]]\nname = \"pool%d\"\nbackends = [\n", i)
		for j := range backendsPerPool {
			n := i*backendsPerPool + j
			fmt.Fprintf(&b, "  { address = \"10.%d.%d.%d\", weight = 100 },\n", n>>16, n>>8&255, n&255)
		}
		fmt.Fprintf(&b, "]\n[[vip]]\nname = \"vip%d\"\naddress = \"203.%d.%d.%d\"\nports = [\"80\", \"443\"]\npools = [\"pool%d\"]\n",
			i, i>>16, i>>8&255, i&255, i)
	}
	return []byte(b.String())
}

func TestLarge(t *testing.T) {
	cfg := parse(t, string(large(1000, 10)))
	endpoints := 0
	for _, v := range cfg.VIPs {
		endpoints += len(cfg.Backends(v))
	}
	if len(cfg.VIPs) != 1000 || endpoints != 10_000 {
		t.Errorf("%d VIPs, %d endpoints", len(cfg.VIPs), endpoints)
	}
}

// TestLimits goes one beyond what the forwarding tables can number.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		data string
		want string
	}{
		{"VIPs", manyVIPs(65536, 1), `65536 VIPs: at most 65535 can be numbered`},
		{"endpoints", manyVIPs(1024, 1025), `the VIPs up to this one have 1049600 backends together: at most 1048575 can be numbered`},
		{"backends of a VIP", manyVIPs(1, 65536), `vip "v0" has 65536 backends: at most 65535 can be numbered`},
		{"nodes", manyNodes(656), `fragments.nodes: 656 nodes: at most 655 get even shares`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Parse("x", []byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.(Faults)) != 1 {
				t.Errorf("%.500v", err)
			}
		})
	}
	if _, _, err := Parse("x", []byte(manyVIPs(1023, 1025))); err != nil {
		t.Errorf("1048575 endpoints: %.500v", err)
	}
	if _, _, err := Parse("x", []byte(manyNodes(655))); err != nil {
		t.Errorf("655 nodes: %.500v", err)
	}
}

func manyNodes(n int) string {
	var b strings.Builder
	b.WriteString(head + "[fragments]\nnodes = [\n  { name = \"lb1\", address = \"192.0.2.11\" },\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  { name = \"other%d\", address = \"10.0.%d.%d\" },\n", i, i>>8, i&255)
	}
	b.WriteString("]\n")
	return b.String()
}

// manyVIPs share one pool, so that endpoints can be many and the file small.
func manyVIPs(vips, backends int) string {
	var b strings.Builder
	b.WriteString(head + "[[pool]]\nname = \"p\"\nbackends = [\n")
	for n := range backends {
		fmt.Fprintf(&b, "  { address = \"10.%d.%d.%d\" },\n", n>>16, n>>8&255, n&255)
	}
	b.WriteString("]\n")
	for i := range vips {
		fmt.Fprintf(&b, "[[vip]]\nname = \"v%d\"\naddress = \"203.%d.%d.%d\"\nprotocol = \"any\"\npools = [\"p\"]\ntable_size = 655373\n", i, i>>16, i>>8&255, i&255)
	}
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	data := large(1000, 10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse("bench", data); err != nil {
			b.Fatal(err)
		}
	}
}
