package control

import (
	"errors"
	"net/netip"
	"strings"

	"guideway/control/config"
	"guideway/control/health"
)

// nodeTargets are the other nodes of the fleet: asked from and at their
// addresses of the list, by way of the kernel interfaces. Without those nobody
// answers, and nobody is asked.
func (m *Manager) nodeTargets(c *config.Config) (targets []health.Target) {
	if m.o.Kernel == nil {
		return nil
	}
	for _, n := range c.Fragments.Nodes {
		if n.Name != c.Node.Name {
			targets = append(targets, nodeTarget(c, n))
		}
	}
	return targets
}

func nodeTarget(c *config.Config, n config.FragmentNode) health.Target {
	t := health.Target{Addr: n.Address, Interval: c.Fragments.Probe, Timeout: c.Fragments.Probe}
	if own, _ := c.Fragments.Node(c.Node.Name); own.Address.Is4() == n.Address.Is4() {
		t.Source = own.Address
	}
	return t
}

// stateOf is what is known of another node.
func (m *Manager) stateOf(c *config.Config, n config.FragmentNode) health.State {
	if m.o.Health == nil || m.o.Kernel == nil {
		return health.Unknown
	}
	return m.o.Health.Of(nodeTarget(c, n)).State
}

// down tells the planner which nodes do not answer. One that was not heard of
// yet is not down: a node that has just started must not take everybody's
// datagrams for its own.
func (m *Manager) down(c *config.Config) func(netip.Addr) bool {
	down := map[netip.Addr]bool{}
	for _, n := range c.Fragments.Nodes {
		down[n.Address] = n.Name != c.Node.Name && m.stateOf(c, n) == health.Down
	}
	return func(a netip.Addr) bool { return down[a] }
}

// tellNodes says which nodes are down, when that changes.
func (m *Manager) tellNodes(c *config.Config) {
	var names []string
	for _, n := range c.Fragments.Nodes {
		if n.Name != c.Node.Name && m.stateOf(c, n) == health.Down {
			names = append(names, n.Name)
		}
	}
	var err error
	if len(names) > 0 {
		err = errors.New(strings.Join(names, ", "))
	}
	m.logOnce("nodes", err, "nodes do not answer: the rest takes their fragments")
}
