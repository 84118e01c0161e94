package fleet

import (
	"syscall"
	"testing"
	"time"
)

// The router's BGP daemon is killed and started again, and takes the routes of its
// former life out of the kernel. The nodes call it, or are called.
func TestOutageRouterRestarted(t *testing.T) {
	t.Run("the nodes call it", func(t *testing.T) { restarted(t, "router's BGP restarted", false) })
	if full {
		t.Run("it calls the nodes", func(t *testing.T) { restarted(t, "router's BGP restarted, passive", true) })
	}
}

// sessionTime is in what a session comes back to a router that is well.
const sessionTime = 3 * time.Second

func restarted(t *testing.T, what string, passive bool) {
	o := beginOutage(t, setting{router: newBird, passive: passive})
	c := o.gather()
	time.Sleep(calm)
	o.router.end(syscall.SIGKILL)
	began := time.Now()
	o.router.start()
	for _, v := range vips {
		for i := range o.nodes {
			within(t, routerLimit, "the route is heard again", func() bool { return o.router.route(v.addr, i) != attributes{} })
		}
	}
	heard := time.Since(began)
	o.whole()
	time.Sleep(calm)
	c.leave()
	c.report(t, what)
	t.Logf("%s | every route is heard again after %v", what, heard.Round(time.Millisecond))
	c.gaps(t, sessionTime+slack, vips...)
}
