package fleet

import (
	"testing"
	"time"
)

// The cable of a node's only port is pulled, at its end or at the router's. The
// node sees it at once and says so, though there is nobody whom it could tell;
// BFD tells the router. Plugged in again, all is as before.
func TestOutageUnplugged(t *testing.T) {
	o := beginOutage(t, setting{router: newBird, bfd: true})
	host, dev := "router", nodeName(0)
	if full {
		host, dev = nodeName(0), "wan"
	}
	for i := range o.all {
		// What the router's bridge has no port for it would send to every node, whose
		// veth, unlike a NIC, takes what is for others.
		o.ip("router", "link set "+nodeName(i)+" type bridge_slave flood off")
	}
	c := o.gather()
	time.Sleep(calm)
	o.ip(host, "link set "+dev+" down")
	began := time.Now()
	took := o.leads(o.others(0), vips...)
	within(t, slack, "the console says why", func() bool { return o.withheld(0) == "no port has a link" })
	t.Logf("unplugged | the node says so after %v at most", time.Since(began).Round(time.Millisecond))
	within(t, slack, "the metric says so", func() bool { return o.nodes[0].Metrics()["guideway_announcements_held"] == 1 })
	o.ip(host, "link set "+dev+" up")
	back := o.whole()
	time.Sleep(calm)
	c.leave()
	c.report(t, "unplugged")
	t.Logf("unplugged | out of the router's table after %v; back %v after it was plugged in", took.Round(time.Millisecond), back.Round(time.Millisecond))
	if why := o.withheld(0); why != "" {
		t.Errorf("plugged in again, and the console says %q", why)
	}
	c.gaps(t, bfdTime+slack, vips...)
}
