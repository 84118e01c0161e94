package fleet

import (
	"syscall"
	"testing"
	"time"
)

// A node that starts announces no VIP before each of its backends has a verdict:
// those that hang here have none for a while. Other VIPs do not wait for them.
func TestOutageStart(t *testing.T) {
	o := beginOutage(t, setting{router: newBird, bfd: true, fall: 20})
	o.nodes[0].Kill()
	o.leads(o.others(0), vips...)
	for _, hangs := range o.web[:2] {
		if err := hangs.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	o.again(0)
	waiting := []vip{vip4, vip6, vip4i6}
	within(t, routerLimit, "the VIP that need not wait", func() bool { return o.router.route(vip6i4.addr, 0) != attributes{} })
	t.Logf("start | a VIP whose backend answers is announced after %v", time.Since(began).Round(time.Millisecond))
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, v := range waiting {
			if a := o.router.route(v.addr, 0); a != (attributes{}) {
				t.Fatalf("%s is announced, and nobody knows of its backends: %+v", v.name, a)
			}
		}
	}
	for _, answers := range o.web[:2] {
		if err := answers.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("start | the others %v after theirs have come to life", o.whole().Round(time.Millisecond))
}
