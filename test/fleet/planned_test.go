package fleet

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A node is stopped in order and started again. The router is asked to go
// elsewhere first, and goes, while everything is served still: nobody notices.
func TestOutagePlanned(t *testing.T) {
	o := beginOutage(t, setting{router: newBird})
	c := o.gather()
	time.Sleep(calm)
	began := time.Now()
	o.nodes[0].Signal(syscall.SIGTERM)
	moved := o.leads(o.others(0), vips...)
	for _, v := range vips {
		if a := o.router.route(v.addr, 0); !strings.Contains(a.Communities, "65535:0") {
			t.Errorf("%s while the node stops: %+v", v.name, a)
		}
	}
	for _, v := range vips {
		within(t, routerLimit, "withdrawn", func() bool { return o.router.route(v.addr, 0) == attributes{} })
	}
	if gone := time.Since(began); moved >= graceful || gone < graceful {
		t.Errorf("the router left it after %v, and it withdrew after %v: it had %v for that", moved, gone, graceful)
	}
	o.nodes[0].WaitLog(`every frame is back in its pool`)
	o.again(0)
	back := o.whole()
	time.Sleep(calm)
	c.leave()
	c.report(t, "planned stop")
	t.Logf("planned stop | the router went elsewhere after %v, and is back %v after the next start", moved.Round(time.Millisecond), back.Round(time.Millisecond))
	c.unharmed(t, vips...)
}
