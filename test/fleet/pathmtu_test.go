package fleet

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// narrow is the MTU of a link between the client's first hop and the router,
// of which neither end of a connection knows.
const narrow = 1400

// A server learns that its packets are too big from ICMP errors, which go to
// the VIP and come in at any node: they find the server that sent.
func TestPathMTU(t *testing.T) {
	f := start(t, shape{nodes: 2, access: narrow})
	for _, v := range vips {
		t.Run(v.name, func(t *testing.T) {
			var slowest time.Duration
			for n := range size(4, 20) {
				f.forgetMTUs()
				from := v.client(n % clients)
				r := f.fetch(v, from, "/big")
				if r.err != nil {
					t.Fatal(r.err)
				}
				f.learnt(t, r.server, from)
				slowest = max(slowest, r.took)
			}
			if slowest > 5*time.Second {
				t.Errorf("10 MB took %v", slowest)
			}
			t.Logf("the slowest of all took %v", slowest.Round(time.Millisecond))
		})
	}
	f.errorsArrived(t)
	f.stop()
}

// Backends that drain keep their flows, on the one node that remembers them. All
// errors come in at the other, whose table knows nothing of those backends, and
// find them all the same: nodes ask each other.
func TestPathMTUOfDrainedBackends(t *testing.T) {
	f := start(t, shape{nodes: 2, access: narrow})
	f.ip("router",
		"route replace 203.0.113.0/24 via "+node4.Addr().String(),
		"route replace 2001:db8:cafe::/64 via "+node6.Addr().String(),
		"route add default via "+nth(node4, 1).String()+" table 100",
		"route add default via "+nth(node6, 1).String()+" table 100")
	f.run("router", strings.Fields("ip -4 rule add ipproto icmp to 203.0.113.0/24 lookup 100")...)
	f.run("router", strings.Fields("ip -6 rule add ipproto ipv6-icmp to 2001:db8:cafe::/64 lookup 100")...)
	var wg sync.WaitGroup
	results := make([]fetch, size(8, 16))
	for i := range results {
		wg.Go(func() { results[i] = f.fetch(vips[i%2], vips[i%2].client(i), "/slow") })
	}
	time.Sleep(2 * time.Second)
	for i, n := range f.nodes {
		text := f.config(i)
		for j := range backends - 1 { // one at a time: no node lets most of a pool go at once
			for _, address := range []string{nth(server4, j).String(), nth(server6, j).String()} {
				text = strings.ReplaceAll(text, `{ address = "`+address+`" }`, `{ address = "`+address+`", state = "drain" }`)
			}
			n.Write(text)
			n.Signal(syscall.SIGHUP)
			n.WaitLog(`(?s)` + strings.Repeat(`msg=reloaded.*`, j+1))
		}
	}
	f.forgetMTUs() // so that there are errors again
	wg.Wait()

	drained := 0
	for i, r := range results {
		if r.err != nil {
			t.Errorf("transfer %d: %v", i, r.err)
		}
		if r.err == nil && r.server != backendName(backends-1) {
			drained++
		}
	}
	if drained == 0 {
		t.Error("no transfer was of a backend that drained")
	}
	f.errorsArrived(t)
	t.Logf("%d of %d transfers were of backends that drained", drained, len(results))
	f.stop()
}

// forgetMTUs takes from the backends what they know of paths.
func (f *fleet) forgetMTUs() {
	f.t.Helper()
	for i := range backends {
		f.run(backendName(i), "ip", "-4", "route", "flush", "cache")
		f.run(backendName(i), "ip", "-6", "route", "flush", "cache")
	}
}

// learnt holds a backend to knowing the narrow link on the way to a client.
func (f *fleet) learnt(t *testing.T, host string, client netip.Addr) {
	t.Helper()
	route := f.run(host, "ip", "route", "get", client.String())
	if !strings.Contains(route, fmt.Sprintf("mtu %d", narrow)) {
		t.Errorf("%s does not know the narrow link: %s", host, route)
	}
}

// errorsArrived holds the nodes to having understood all errors, and to having
// had some that were about the other's flows.
func (f *fleet) errorsArrived(t *testing.T) {
	t.Helper()
	verdicts := f.verdicts()
	for _, bad := range []string{"icmp_unreadable", "icmp_mismatch", "icmp_dropped", "unset"} {
		if n := verdicts[bad]; n > 0 {
			t.Errorf("%d errors ended as %s", n, bad)
		}
	}
	if verdicts["relayed"] == 0 {
		t.Errorf("no node asked the other: %v", verdicts)
	}
}
