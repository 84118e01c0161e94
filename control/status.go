package control

import (
	"net/netip"
	"time"

	"guideway/control/bgp"
	"guideway/control/config"
	"guideway/control/health"
	"guideway/control/metrics"
	"guideway/control/plan"
	"guideway/control/trace"
)

// Status is the manager's state at one moment. It is never changed: a new
// state is a new Status.
type Status struct {
	Config   *config.Config
	Warnings config.Warnings // of Config
	Plan     *plan.Plan      // for Config: handed to every core, or about to be in this moment
	Planned  time.Duration   // what making Plan took
	Since    time.Time       // when Plan was published

	// TraceKey is what [trace].key_file held when Config was loaded; nil: tracing
	// is off.
	TraceKey *trace.Key

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
	want, held := m.announcer.announced()
	var speaker bgp.Status
	if r, ok := m.o.Speaker.(Routers); ok {
		speaker = r.Status()
	}
	var peers []metrics.Peer
	for _, p := range speaker.Peers {
		peers = append(peers, metrics.Peer{
			Address: p.Address.String(), Up: p.State == bgp.Established, Wanted: p.Wanted, Routes: p.Sent,
			BFD: p.BFD != bgp.BFDOff, BFDUp: p.BFD == bgp.BFDUp,
		})
	}
	return metrics.Status{
		Traces: m.traces(), Nodes: nodes, Announced: announcedTo(want, speaker), Held: held != "", Peers: peers, Checks: m.verdicts(s), Answers: m.answers(s),
		Lcores: s.Config.DPDK.Lcores,
		Limits: metrics.Limits{
			Flows: s.Config.Conntrack.FlowsPerCore, Datagrams: s.Config.Fragments.Datagrams, Held: s.Config.Fragments.Held, HeldBytes: s.Config.Fragments.Bytes,
		},
		Plan: s.Plan, Planned: s.Planned, Since: s.Since, LastSuccessful: s.LastSuccessful,
		Reloads: map[string]uint64{"success": s.Reloads.Success, "rejected": s.Reloads.Rejected, "late": s.Reloads.Late},
	}
}

// announcedTo tells to how many routers each VIP that is to be announced was:
// its route, or the aggregate that stands for it.
func announcedTo(want []plan.Route, speaker bgp.Status) map[string]int {
	sent := make(map[netip.Prefix]bool, len(speaker.Announced))
	for _, r := range speaker.Announced {
		sent[r.Prefix] = true
	}
	to4, to6 := 0, 0
	for _, p := range speaker.Peers {
		if p.IPv4 {
			to4++
		}
		if p.IPv6 {
			to6++
		}
	}
	vips := map[string]int{}
	for _, r := range want {
		routers := 0
		if _, ok := standsFor(sent, r.Prefix); ok {
			if routers = to6; r.Prefix.Addr().Is4() {
				routers = to4
			}
		}
		for _, vip := range r.VIPs {
			vips[vip] = routers
		}
	}
	return vips
}

// standsFor finds the route that is sent for one that is wanted: itself, or an
// aggregate.
func standsFor(sent map[netip.Prefix]bool, want netip.Prefix) (route netip.Prefix, ok bool) {
	for bits := want.Bits(); bits >= 0; bits-- {
		if p, _ := want.Addr().Prefix(bits); sent[p] { // no longer than the address
			return p, true
		}
	}
	return netip.Prefix{}, false
}
