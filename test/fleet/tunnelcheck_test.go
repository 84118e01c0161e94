package fleet

import (
	"testing"
	"time"
)

// A backend has lost a VIP from its loopback, and is well otherwise. Its own
// address answers, as a direct check finds; one through the tunnel finds that the
// VIP does not, and takes it out of that VIP alone until the address is back.
func TestOutageTunnelCheck(t *testing.T) {
	o := beginOutage(t, setting{nodes: 1, router: newFRR, tunnel: true})
	b1 := server4.Addr().String()
	if got := o.checks(b1); got[vip4.addr.String()] != "up" || got["direct"] != "up" {
		t.Fatalf("all is well, and checks of %s say %v", b1, got)
	}
	c := o.gather()
	time.Sleep(calm)
	o.ip(backendName(0), "addr del "+vip4.addr.String()+"/32 dev lo")
	began := time.Now()
	within(t, 2*checkFall+slack, "the check through the tunnel fails", func() bool { return o.checks(b1)[vip4.addr.String()] == "down" })
	took := time.Since(began)
	time.Sleep(500 * time.Millisecond)
	for via, want := range map[string]string{"direct": "up", vip4.addr.String(): "down"} {
		if got := o.checks(b1)[via]; got != want {
			t.Errorf("the VIP is off the loopback of %s: the check by %s says %q, want %q", b1, via, got, want)
		}
	}
	c.leave()
	c.report(t, "VIP off a loopback")
	t.Logf("VIP off a loopback | the check says so after %v", took.Round(time.Millisecond))
	c.gaps(t, 2*checkFall+slack, vip4)
	c.unharmed(t, vip6, vip4i6, vip6i4)

	c = o.gather()
	time.Sleep(calm)
	c.leave()
	c.unharmed(t, vips...)
	o.ip(backendName(0), "addr add "+vip4.addr.String()+"/32 dev lo")
	within(t, 2*checkFall+slack, "the check passes again", func() bool { return o.checks(b1)[vip4.addr.String()] == "up" })
}

// checks are what a backend's checks say, by "direct" or the VIP that they go to.
func (o *outage) checks(backend string) map[string]string {
	o.t.Helper()
	var all struct {
		Checks []struct{ Address, Via, State string }
	}
	o.show(0, "checks", &all)
	said := map[string]string{}
	for _, c := range all.Checks {
		if c.Address == backend {
			said[c.Via] = c.State
		}
	}
	return said
}
