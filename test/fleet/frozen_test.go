package fleet

import (
	"syscall"
	"testing"
	"time"
)

// A node's process is there and does nothing, as on a machine that hangs. BFD
// notices, or else the hold timer; when it comes to life the router takes it back.
func TestOutageFrozen(t *testing.T) {
	t.Run("BFD", func(t *testing.T) { frozen(t, "frozen", setting{router: newFRR, bfd: true}, bfdTime) })
	if full {
		t.Run("hold timer", func(t *testing.T) {
			frozen(t, "frozen, no BFD", setting{router: newBird, peer: `hold_time = "3s"`}, 3*time.Second)
		})
	}
}

func frozen(t *testing.T, what string, s setting, limit time.Duration) {
	o := beginOutage(t, s)
	c := o.gather()
	time.Sleep(calm)
	o.nodes[0].Signal(syscall.SIGSTOP)
	took := o.leads(o.others(0), vips...)
	time.Sleep(calm)
	c.leave()
	c.report(t, what)
	t.Logf("%s | out of the router's table after %v", what, took.Round(time.Millisecond))
	o.nodes[0].Signal(syscall.SIGCONT)
	if full {
		t.Logf("%s | back %v after it woke", what, o.whole().Round(time.Millisecond))
	}
	c.gaps(t, limit+slack, vips...)
}
