package control

import (
	"context"
	"fmt"
	"maps"
	"net/netip"

	"guideway/control/plan"
)

// Override has a backend drained, killed, or left to the file again, for one VIP
// or, with an empty name, for all. It holds until it is changed or the process
// ends. It returns when every core works by it. With force it may kill more of a
// VIP's backends at once than [reload].max_removed lets it otherwise.
func (m *Manager) Override(ctx context.Context, vip string, backend netip.Addr, what plan.Override, force bool) error {
	return m.do(ctx, func(ctx context.Context) error {
		s := m.Status()
		if !has(s.Plan, vip, backend) {
			if vip == "" {
				return fmt.Errorf("no VIP has a backend %v", backend)
			}
			return fmt.Errorf("VIP %q has no backend %v", vip, backend)
		}
		next := *s
		next.Overrides = maps.Clone(s.Overrides)
		if next.Overrides == nil {
			next.Overrides = map[plan.Target]plan.Override{}
		}
		target := plan.Target{VIP: vip, Backend: backend}
		if what == plan.NoOverride {
			delete(next.Overrides, target)
		} else {
			next.Overrides[target] = what
		}
		if err := m.plan(&next, s.Plan.Snapshot.Generation+1, s.Plan); err != nil {
			return err
		}
		if !force {
			if err := tooMuch(s.Plan, next.Plan, s.Config.Reload.MaxRemoved, "kill"); err != nil {
				return err
			}
		}
		return m.apply(ctx, &next)
	})
}

// has tells whether a VIP, or any if it is not named, has a backend.
func has(p *plan.Plan, vip string, backend netip.Addr) bool {
	for _, v := range p.VIPs {
		if vip != "" && v.Name != vip {
			continue
		}
		for _, b := range v.Backends {
			if b.Address == backend {
				return true
			}
		}
	}
	return false
}

// DrainNode withdraws everything, for good or until UndrainNode. What still
// comes is forwarded.
func (m *Manager) DrainNode(ctx context.Context) {
	m.announcer.hold(ctx, holdDrain, "an operator drains this node")
}

// UndrainNode takes DrainNode back.
func (m *Manager) UndrainNode(ctx context.Context) { m.announcer.release(ctx, holdDrain) }
