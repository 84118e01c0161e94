package fleet

import (
	"strings"
	"testing"
	"time"
)

// An operator drains a node at its console: its traffic goes to the other, and
// comes back when he has changed his mind. Nobody notices.
func TestOutageDrained(t *testing.T) {
	o := beginOutage(t, setting{router: newFRR})
	c := o.gather()
	time.Sleep(calm)
	o.say(0, "drain node")
	gone := o.leads(o.others(0), vips...)
	if text := o.say(0, "show bgp"); !strings.Contains(text, "the node is drained") {
		t.Errorf("show bgp: %s", text)
	}
	time.Sleep(calm)
	o.say(0, "undrain node")
	back := o.whole()
	time.Sleep(calm)
	c.leave()
	c.report(t, "drain node")
	t.Logf("drain node | out of the router's table after %v; back after %v", gone.Round(time.Millisecond), back.Round(time.Millisecond))
	c.unharmed(t, vips...)
}
