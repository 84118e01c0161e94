package control

import (
	"errors"
	"fmt"
	"net/netip"

	"guideway/control/plan"
)

// tooMuch tells which VIPs would lose more than a share, in percent, of the
// backends that are meant to serve: a mistake more often than not.
func tooMuch(before, after *plan.Plan, percent int) error {
	var errs []error
	next := map[string]*plan.VIP{}
	for i := range after.VIPs {
		next[after.VIPs[i].Name] = &after.VIPs[i]
	}
	for i := range before.VIPs {
		v := &before.VIPs[i]
		n, stays := next[v.Name]
		if !stays {
			continue // a VIP that goes is meant to
		}
		serving := map[netip.Addr]bool{}
		for j := range n.Backends {
			serving[n.Backends[j].Address] = n.Backends[j].Wanted()
		}
		had, lost := 0, 0
		for j := range v.Backends {
			if v.Backends[j].Wanted() {
				had++
				if !serving[v.Backends[j].Address] {
					lost++
				}
			}
		}
		if lost*100 > had*percent {
			errs = append(errs, fmt.Errorf("VIP %q would lose %d of its %d backends at once, more than [reload].max_removed (%d%%): if that is meant, \"reload --force\" at the console",
				v.Name, lost, had, percent))
		}
	}
	return errors.Join(errs...)
}
