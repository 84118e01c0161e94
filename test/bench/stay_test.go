package bench

import (
	"testing"
	"time"

	"guideway/test/daemon"
)

// TestStay has a poll loop keep its processor, from the file to the thread: Go's
// scheduler, which asks others to give way up to a hundred times a second, does not ask
// it. The collector's requests it heeds.
func TestStay(t *testing.T) {
	d := startDaemon(t, "", config("net_null0,size=64", contender{}, false))
	rested := func() int {
		return int(d.Metrics()[`guideway_core_switches_total{core="0",kind="rested"}`])
	}
	if daemon.Sum(d.Metrics(), "guideway_core_pinned") != 1 {
		t.Fatal("the loop is not pinned: whatever it is asked says nothing")
	}
	const seconds = 3
	before := rested()
	time.Sleep(seconds * time.Second)
	if n := rested() - before; n > 10*seconds {
		t.Errorf("the loop gave way %d times in %d s", n, seconds)
	}
	d.stop(t)
}
