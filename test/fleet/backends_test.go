package fleet

import (
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"
)

// One backend's service dies: what it had goes to the other, and no other flow
// moves. Then the other dies: each VIP that has only these two does what its
// when_down says, and the VIP of a third backend sees nothing of it all.
func TestOutageBackends(t *testing.T) {
	o := beginOutage(t, setting{router: newBird})
	two := []vip{vip4, vip6, vip4i6}
	both := func(healthy float64) bool { return healthy == 2 }
	o.knows("two healthy backends", both)
	c := o.gather()
	time.Sleep(calm)
	finish(o.web[0], syscall.SIGTERM)
	took := o.knows("b1", func(healthy float64) bool { return healthy == 1 })
	time.Sleep(500 * time.Millisecond)
	c.leave()
	c.report(t, "one backend dead")
	t.Logf("one backend dead | no node sends to it after %v", took.Round(time.Millisecond))
	c.unharmed(t, vip6i4)
	for _, v := range two {
		s := c.tables[v.name]
		for move := range maps.Keys(s.moves) {
			if !strings.HasPrefix(move, "b1 ") && !c.disturbed(t, 0) {
				t.Errorf("%s: flows went %q, and b1 is dead", v.name, move)
			}
		}
		if s.moves["b1 b2"] == 0 {
			t.Errorf("%s: no flow was at b1: %v", v.name, s.moves)
		}
	}

	c = o.gather()
	before := o.verdicts()["vip_unreachable"]
	finish(o.web[1], syscall.SIGTERM)
	took = o.leads(nil, vip4)
	time.Sleep(calm)
	o.leads(o.all, vip6, vip4i6, vip6i4)
	answered := o.verdicts()["vip_unreachable"] - before
	c.leave()
	c.report(t, "all backends dead")
	t.Logf("all backends dead | withdrawn after %v; %d packets to the VIP that is not were answered with ICMP", took.Round(time.Millisecond), answered)
	if took > checkFall+slack {
		t.Errorf("withdrawn after %v, want %v", took, checkFall)
	}
	if answered == 0 {
		t.Errorf("%s has no backend, and nobody is told: %v", vip6.name, o.verdicts())
	}
	// Only the web of these backends is dead: fail-open has the rest of it served.
	if lost := c.tables[vip4i6.name].datagrams.lost; lost > 0 && !c.disturbed(t, 0) {
		t.Errorf("%s fails open, and lost %d datagrams", vip4i6.name, lost)
	}
	c.unharmed(t, vip6i4)

	o.web[0], o.web[1] = o.startNginx(0), o.startNginx(1)
	back := o.whole()
	o.knows("two healthy backends", both)
	t.Logf("all backends dead | announced again %v after their return", back.Round(time.Millisecond))
	c = o.gather()
	time.Sleep(calm)
	c.leave()
	c.unharmed(t, vips...)
}

// knows waits until every node has so many healthy backends of the VIPs of two.
func (o *outage) knows(what string, enough func(healthy float64) bool) time.Duration {
	o.t.Helper()
	began := time.Now()
	for _, n := range o.nodes {
		n.WaitFor(what, func() bool {
			m := n.Metrics()
			for _, v := range []vip{vip4, vip6, vip4i6} {
				if !enough(m[`guideway_vip_healthy_backends{vip="`+v.name+`-tcp"}`]) {
					return false
				}
			}
			return true
		})
	}
	return time.Since(began)
}
