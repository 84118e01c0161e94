package control

import (
	"errors"
	"net/netip"
	"strings"

	"guideway/control/config"
	"guideway/control/health"
)

// watchNodes has the other nodes of the fleet probed.
func (m *Manager) watchNodes(c *config.Config) {
	if m.o.Nodes == nil {
		return
	}
	own, _ := c.Fragments.Node(c.Node.Name)
	var targets []health.Target
	for _, n := range c.Fragments.Nodes {
		if n.Name == own.Name {
			continue
		}
		t := health.Target{Addr: n.Address, Interval: c.Fragments.Probe}
		if own.Address.Is4() == n.Address.Is4() {
			t.Source = own.Address
		}
		targets = append(targets, t)
	}
	m.o.Nodes.Watch(targets)
}

// down tells the planner which nodes do not answer. One that was not heard of
// yet is not down: a node that has just started must not take everybody's
// datagrams for its own.
func (m *Manager) down() func(netip.Addr) bool {
	if m.o.Nodes == nil {
		return nil
	}
	return func(a netip.Addr) bool { return m.o.Nodes.State(a) == health.Down }
}

// tellNodes says which nodes are down, when that changes.
func (m *Manager) tellNodes(c *config.Config) {
	var names []string
	for _, n := range c.Fragments.Nodes {
		if n.Name != c.Node.Name && m.o.Nodes.State(n.Address) == health.Down {
			names = append(names, n.Name)
		}
	}
	var err error
	if len(names) > 0 {
		err = errors.New(strings.Join(names, ", "))
	}
	m.logOnce("nodes", err, "nodes do not answer: the rest takes their fragments")
}
