package fleet

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// A VIP and a node are there for ping and for traceroute in all its ways, three
// hops from the client: access, router, and themselves.
func TestPingAndTraceroute(t *testing.T) {
	f := start(t, shape{nodes: 2})
	targets := map[string]netip.Addr{"node-v4": node4.Addr(), "node-v6": node6.Addr()}
	for _, v := range vips {
		targets["vip-"+v.name] = v.addr
	}
	for name, addr := range targets {
		t.Run(name, func(t *testing.T) {
			f.ping(t, 10, addr)
			// The largest that fits the path, and that must not be cut.
			header := 20 + 8
			if addr.Is6() {
				header = 40 + 8
			}
			f.ping(t, 3, addr, "-M", "do", "-s", fmt.Sprint(1500-header))
			for way, args := range map[string][]string{"UDP": nil, "ICMP": {"-I"}, "TCP": {"-T", "-p", "80"}} {
				t.Run(way, func(t *testing.T) { f.traceroute(t, addr, args...) })
			}
		})
	}
	f.stop()
}

// ping fails the test unless all of n pings come back. It tries again, since a node
// that has no CPU for a second does not answer its router's ARP either.
func (f *fleet) ping(t *testing.T, n int, to netip.Addr, args ...string) {
	t.Helper()
	out := ""
	for range 3 {
		out = f.run("client", append(append([]string{"sh", "-c", `ping "$@" || true`, "ping", "-n", "-q", "-c", fmt.Sprint(n), "-i", "0.05", "-W", "2"}, args...), to.String())...)
		if strings.Contains(out, fmt.Sprintf("%d received, 0%% packet loss", n)) {
			return
		}
		t.Logf("once more: %s", out)
	}
	t.Error(out)
}

// hop is a line of traceroute: a number, an address, and times.
var hop = regexp.MustCompile(`(?m)^ *([0-9]+)  ([0-9a-f.:]+)  .*$`)

// traceroute holds the way to addr to being access, router, addr, with every
// probe of the last hop answered.
func (f *fleet) traceroute(t *testing.T, addr netip.Addr, args ...string) {
	t.Helper()
	argv := append([]string{"traceroute", "-n", "-q", "3", "-w", "2", "-m", "6"}, args...)
	out := f.run("client", append(argv, addr.String())...)
	way := []string{"198.51.100.1", "198.18.0.1", addr.String()}
	if addr.Is6() {
		way = []string{"2001:db8:c::1", "2001:db8:a::1", addr.String()}
	}
	hops := hop.FindAllStringSubmatch(out, -1)
	if len(hops) != len(way) {
		t.Fatalf("%d hops, want %d:\n%s", len(hops), len(way), out)
	}
	for i, h := range hops {
		if h[2] != way[i] || strings.Contains(h[0], "*") {
			t.Errorf("hop %d: want %s:\n%s", i+1, way[i], out)
		}
	}
}
