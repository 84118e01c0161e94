package fleet

import (
	"fmt"
	"testing"
	"time"
)

// Three nodes tell BIRD, and FRR, of VIPs of both families over one session each,
// with a password and BFD. All attributes are in the router's table, and its
// kernel spreads each VIP over all three, and over the two that stay when one is
// drained.
func TestOutageRouters(t *testing.T) {
	for name, router := range map[string]func(*fleet, peering) router{"BIRD": newBird, "FRR": newFRR} {
		t.Run(name, func(t *testing.T) {
			o := beginOutage(t, setting{nodes: most, router: router, bfd: true, password: true, peer: `
med         = 30
prepend     = 2
communities = ["64512:1", "no-export"]`})
			for _, v := range vips {
				for i := range most {
					hop := nth(node4, i)
					if v.addr.Is6() {
						hop = nth(node6, i)
					}
					want := attributes{
						Path: fmt.Sprintf("%d %[1]d %[1]d", nodeAS), NextHop: hop.String(), MED: "30",
						Communities: "64512:1 64512:100 65535:65281", Large: "4200000000:1:2",
					}
					// A busy machine may lose a session to BFD, which comes back.
					got := o.router.route(v.addr, i)
					for end := time.Now().Add(20 * time.Second); got != want && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
						got = o.router.route(v.addr, i)
					}
					if got != want {
						t.Errorf("%s by %s: %+v, want %+v", v.name, nodeName(i), got, want)
					}
				}
			}
			for _, n := range o.nodes {
				n.WaitFor("the session and BFD", func() bool {
					m := n.Metrics()
					return m[`guideway_bfd_up{peer="192.0.2.1"}`] == 1 && m[`guideway_bgp_peer_up{peer="192.0.2.1"}`] == 1
				})
			}
			o.say(1, "drain node")
			two := o.leads(o.others(1), vips...)
			o.say(1, "undrain node")
			three := o.whole()
			t.Logf("%s: over two nodes after %v, over three again after %v", name, two.Round(time.Millisecond), three.Round(time.Millisecond))
		})
	}
}
