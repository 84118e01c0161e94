package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestSources: the pool of a family stands in for its one source, and only of
// that family.
func TestSources(t *testing.T) {
	const source, pool = `["192.0.2.11", "2001:db8::11"]`, "\nsource_pool = [\"192.0.2.16/30\", \"192.0.2.11\"]"
	v4, v6 := addr("10.0.0.1"), addr("2001:db8:1::1")
	for _, c := range []struct {
		name, file string
		dst        netip.Addr
		want       string
	}{
		{"no pool", head, v4, "192.0.2.11"},
		{"no pool", head, v6, "2001:db8::11"},
		{"a pool", strings.Replace(head, source, source+pool, 1), v4, "192.0.2.11 192.0.2.16 192.0.2.17 192.0.2.18 192.0.2.19"},
		{"a pool of the other family", strings.Replace(head, source, source+pool, 1), v6, "2001:db8::11"},
		{"no source", strings.Replace(head, source, `["192.0.2.11"]`, 1), v6, ""},
	} {
		node := parse(t, c.file).Node
		var got []string
		for _, a := range node.Sources(c.dst) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: from %v to %s, want %s", c.name, got, c.dst, c.want)
		}
		if src := node.Source(c.dst); src.IsValid() && (src == node.Source4) != c.dst.Is4() {
			t.Errorf("%s: %s is the source to %s", c.name, src, c.dst)
		}
	}
}

// TestWholePool takes as many addresses as there may be, and something more.
func TestWholePool(t *testing.T) {
	const last = `"2001:db8::ffff:ffff:ffff:ffc0/122"`
	file := func(more string) string {
		return strings.Replace(head, "[dpdk]", "source_pool = ["+last+more+"]\n[dpdk]", 1)
	}
	pool := parse(t, file("")).Node.SourcePool6
	if len(pool) != MaxSources || pool[63] != addr("2001:db8::ffff:ffff:ffff:ffff") || !slices.IsSortedFunc(pool, netip.Addr.Compare) {
		t.Errorf("%d addresses: %v", len(pool), pool)
	}
	for more, want := range map[string]string{
		`, "2001:db8::1"`:          "up to here these are 65 IPv6 addresses: at most 64",
		`, "192.0.2.11"`:           "",
		`, "255.255.255.255"`:      "255.255.255.255 is the broadcast address",
		`, "255.255.255.254/31"`:   "255.255.255.255 is the broadcast address",
		`, "ffff:ffff::ffff/128"`:  "is a multicast address",
		`, "::ffff:192.0.2.1/128"`: "is IPv4 in IPv6",
	} {
		_, _, err := Parse("x", []byte(file(more)))
		if got := len(faultsOf(err)); want == "" && err != nil || want != "" && (got != 1 || !strings.Contains(err.Error(), want)) {
			t.Errorf("with %s: %v, want %q", more, err, want)
		}
	}
}

func faultsOf(err error) Faults {
	faults, _ := err.(Faults)
	return faults
}

// TestReserved finds the addresses of a subnet that are no host's.
func TestReserved(t *testing.T) {
	for _, c := range []struct{ subnet, pool, want string }{
		{"192.0.2.11/24", "192.0.2.0/26", "network 192.0.2.0"},
		{"192.0.2.11/24", "192.0.2.192/26", "broadcast 192.0.2.255"},
		{"192.0.2.11/24", "192.0.2.64/26", ""},
		{"10.7.8.9/9", "10.127.255.255/32", "broadcast 10.127.255.255"},
		{"192.0.2.9/30", "192.0.2.11/32", "broadcast 192.0.2.11"},
		{"192.0.2.9/31", "192.0.2.8/31", ""},
		{"192.0.2.9/32", "192.0.2.9/32", ""},
		{"2001:db8::1/64", "2001:db8::/122", ""},
	} {
		got, a := reserved(prefix(c.subnet), prefix(c.pool))
		if a.IsValid() {
			got += " " + a.String()
		}
		if got != c.want {
			t.Errorf("pool %s in %s: %q, want %q", c.pool, c.subnet, got, c.want)
		}
	}
}
