package control

import (
	"errors"
	"fmt"
	"net/netip"

	"guideway/control/plan"
)

// errTooMuch is what a change is refused with that takes too much away.
var errTooMuch = errors.New("too much would be removed at once")

type tooMuchError struct{ text string }

func (e tooMuchError) Error() string        { return e.text }
func (e tooMuchError) Is(target error) bool { return target == errTooMuch }

// tooMuch tells which VIPs would lose more than a share, in percent, of the
// backends that are meant to serve, with the flows that they have: a mistake more
// often than not. The command is what the console does it with all the same.
func tooMuch(before, after *plan.Plan, percent int, command string) error {
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
		there := map[netip.Addr]bool{} // drained ones too: they keep their flows
		for j := range n.Backends {
			there[n.Backends[j].Address] = n.Backends[j].Override != plan.Killed
		}
		had, lost := 0, 0
		for j := range v.Backends {
			if v.Backends[j].Wanted() {
				had++
				if !there[v.Backends[j].Address] {
					lost++
				}
			}
		}
		if lost*100 > had*percent {
			errs = append(errs, tooMuchError{fmt.Sprintf("VIP %q would lose %d of its %d backends at once, more than [reload].max_removed (%d%%): if that is meant, \"%s --force\" at the console",
				v.Name, lost, had, percent, command)})
		}
	}
	return errors.Join(errs...)
}
