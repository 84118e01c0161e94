package control

import (
	"time"

	"guideway/control/bgp"
	"guideway/control/config"
	"guideway/control/health"
	"guideway/control/metrics"
	"guideway/control/plan"
)

// Status is the manager's state at one moment. It is never changed: a new
// state is a new Status.
type Status struct {
	Config   *config.Config
	Warnings config.Warnings // of Config
	Plan     *plan.Plan      // for Config: handed to every core, or about to be in this moment
	Planned  time.Duration   // what making Plan took
	Since    time.Time       // when Plan was published

	// Overrides are what operators want of backends beside the file. It is
	// replaced, never changed.
	Overrides map[plan.Target]plan.Override

	Reloads        Results // by how they ended
	LastSuccessful bool    // the last load, the first one included
	LastError      error   // nil if LastSuccessful
}

// Results count reloads by how they ended.
type Results struct {
	Success  uint64 // in effect on every core
	Rejected uint64 // the file has faults, or wants what only a restart can give: nothing changed
	Late     uint64 // published, but a core has not taken it over in time
}

// Metrics is the status as metrics show it.
func (m *Manager) Metrics() metrics.Status {
	s := m.Status()
	nodes := map[string]bool{}
	for _, n := range s.Config.Fragments.Nodes {
		if state := m.stateOf(s.Config, n); n.Name != s.Config.Node.Name && state != health.Unknown {
			nodes[n.Name] = state == health.Up
		}
	}
	announced, held := m.announcer.announced()
	routes := map[string]bool{}
	for _, r := range announced {
		for _, vip := range r.VIPs {
			routes[vip] = true
		}
	}
	var peers []metrics.Peer
	if r, ok := m.o.Speaker.(Routers); ok {
		for _, p := range r.Status().Peers {
			peers = append(peers, metrics.Peer{
				Address: p.Address.String(), Up: p.State == bgp.Established, Routes: p.Sent,
				BFD: p.BFD != bgp.BFDOff, BFDUp: p.BFD == bgp.BFDUp,
			})
		}
	}
	return metrics.Status{
		Nodes: nodes, Announced: routes, Held: held != "", Peers: peers, Checks: m.verdicts(s),
		Lcores: s.Config.DPDK.Lcores, Plan: s.Plan, Planned: s.Planned, Since: s.Since, LastSuccessful: s.LastSuccessful,
		Reloads: map[string]uint64{"success": s.Reloads.Success, "rejected": s.Reloads.Rejected, "late": s.Reloads.Late},
	}
}
