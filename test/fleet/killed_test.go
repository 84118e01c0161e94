package fleet

import (
	"testing"
	"time"
)

// A node's process dies, and its kernel interface with it: it cannot even say
// goodbye. BFD tells the router.
func TestOutageKilled(t *testing.T) {
	o := beginOutage(t, setting{router: newBird, bfd: true})
	c := o.gather()
	time.Sleep(calm)
	o.nodes[0].Kill()
	took := o.leads(o.others(0), vips...)
	o.again(0)
	back := o.whole()
	time.Sleep(calm)
	c.leave()
	c.report(t, "kill -9")
	t.Logf("kill -9 | out of the router's table after %v, back %v after its next start", took.Round(time.Millisecond), back.Round(time.Millisecond))
	if took > bfdTime+slack {
		t.Errorf("after %v, want %v", took, bfdTime)
	}
	c.gaps(t, bfdTime+slack, vips...)
}
