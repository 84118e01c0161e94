package config

import (
	"fmt"
	"testing"
)

// A backend has to pass the checks of all pools by which a VIP comes to it, and
// no others; asked of a Config that was made by hand, the answer is the same.
func TestChecksOf(t *testing.T) {
	c, _, err := Parse("test.toml", []byte(`
[node]
name = "lb1"
source = ["192.0.2.11"]
[dpdk]
lcores = [1]
[[port]]
name = "wan"
device = "net_null0"
next_hop_mac = "02:00:00:00:00:01"
[[check]]
name = "b"
type = "icmp"
[[check]]
name = "a"
type = "icmp"
[[pool]]
name = "outer"
check = "b"
include = ["inner", "bare"]
backends = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }]
[[pool]]
name = "inner"
check = "a"
backends = [{ address = "10.0.0.2" }, { address = "10.0.0.3" }]
[[pool]]
name = "bare"
backends = [{ address = "10.0.0.4" }]
[[vip]]
name = "all"
address = "203.0.113.1"
ports = ["80"]
pools = ["outer"]
[[vip]]
name = "some"
address = "203.0.113.2"
ports = ["80"]
pools = ["inner", "bare"]
`))
	if err != nil {
		t.Fatal(err)
	}
	byHand := *c
	byHand.checked = nil
	for i, want := range []string{
		"map[10.0.0.1:[b] 10.0.0.2:[a b] 10.0.0.3:[a]]",
		"map[10.0.0.2:[a] 10.0.0.3:[a]]",
	} {
		for _, c := range []*Config{c, &byHand} {
			if got := fmt.Sprint(c.ChecksOf(c.VIPs[i])); got != want {
				t.Errorf("%s: %s, want %s", c.VIPs[i].Name, got, want)
			}
		}
	}
}
