package fleet

import (
	"fmt"
	"testing"
	"time"
)

// watchdogTime is after how long a node withdraws everything that has a core
// stalled: a look each 200 ms, and 500 ms without a sign of life.
const watchdogTime = 700 * time.Millisecond

// A poll loop stands still, and all else of the process is well. The watchdog
// withdraws, by sessions that do not need that loop. Where they go by its port a
// withdrawal comes no further than packets do, and BFD tells the router.
func TestOutageStalled(t *testing.T) {
	t.Run("sessions beside", func(t *testing.T) {
		stalled(t, "stalled poll loop", setting{router: newBird, beside: true}, watchdogTime)
	})
	if full {
		t.Run("sessions by its port", func(t *testing.T) {
			stalled(t, "stalled poll loop of the sessions' port", setting{router: newFRR, bfd: true}, bfdTime)
		})
	}
}

func stalled(t *testing.T, name string, s setting, limit time.Duration) {
	o := beginOutage(t, s)
	c := o.gather()
	time.Sleep(calm)
	wake := o.nodes[0].Stall(pollCPU)
	took := o.leads(o.others(0), vips...)
	want := fmt.Sprintf("the poll loops on CPUs [%d] give no sign of life", pollCPU)
	within(t, slack, "the console says why", func() bool { return o.withheld(0) == want })
	time.Sleep(500 * time.Millisecond)
	wake()
	back := o.whole()
	time.Sleep(calm)
	c.leave()
	c.report(t, name)
	t.Logf("%s | out of the router's table after %v; back %v after it went on", name, took.Round(time.Millisecond), back.Round(time.Millisecond))
	if took > limit+slack {
		t.Errorf("withdrawn after %v, want %v", took, limit)
	}
	c.gaps(t, limit+slack, vips...)
}
