package metrics

import (
	"guideway/control/health"
	"guideway/lcore"
)

var (
	configGeneration  = gauge("config_generation", "Snapshot that was handed to the cores last.")
	configPublished   = gauge("config_published_timestamp_seconds", "When that was, in Unix time.")
	configLastSuccess = gauge("config_last_reload_success", "Whether the configuration file, when it was last read, was taken and is in effect on every core.")
	configReloads     = counter("config_reload_total", "Reloads by how they ended.", "result")
	configVIPs        = gauge("config_vips", "VIPs served.")
	vipTableBuild     = gauge("vip_table_build_seconds", "Time that planning took for the snapshot that was handed out last: all lookup tables that were new in it, and everything else.")
	nodeUp            = gauge("node_up", "Whether another node of the fleet answers; absent until that is known.", "node")
	announceHeld      = gauge("announcements_held", "Whether nothing is announced, whatever is wanted: a stalled core, ports without a link, a drained node.")
	bgpPeerUp         = gauge("bgp_peer_up", "Whether the BGP session with a router is established.", "peer")
	bgpPeerRoutes     = gauge("bgp_peer_routes", "Routes that a router was sent, and that were not withdrawn.", "peer")
	bgpPeerWanted     = gauge("bgp_peer_routes_wanted", "Routes that a router is to have, by the families that are configured for it.", "peer")
	bfdUp             = gauge("bfd_up", "Whether the BFD session with a router is up; absent if there is none.", "peer")
	backendUp         = gauge("backend_up", "Whether a backend passes a check; absent until that is known.", "backend", "check")
	checkDuration     = histogram("check_duration_seconds", "Time that answers to a check took which passed, of all backends together.", "check")
	nextHopsMissing   = gauge("destinations_unreachable", "Backends and nodes to which no next hop is known.")
)

var tracePackets = counter("trace_packets_total", "Packets of the packet tracer by what came of their marks: answered; limited by rate; forged; stale, by the clock of who sent them; unsent, for want of a way to the receiver.", "result")

// control shows what is in effect and how the last change went.
func (s sender) control(st Status) {
	s.send(configGeneration, float64(st.Plan.Snapshot.Generation))
	s.send(configPublished, float64(st.Since.UnixMilli())/1000)
	s.send(configLastSuccess, truth(st.LastSuccessful))
	for result, n := range st.Reloads {
		s.send(configReloads, float64(n), result)
	}
	s.send(configVIPs, float64(len(st.Plan.VIPs)))
	s.send(vipTableBuild, st.Planned.Seconds())
	for node, up := range st.Nodes {
		s.send(nodeUp, truth(up), node)
	}
	s.send(announceHeld, truth(st.Held))
	for _, p := range st.Peers {
		s.send(bgpPeerUp, truth(p.Up), p.Address)
		s.send(bgpPeerRoutes, float64(p.Routes), p.Address)
		s.send(bgpPeerWanted, float64(p.Wanted), p.Address)
		if p.BFD {
			s.send(bfdUp, truth(p.BFDUp), p.Address)
		}
	}
	for _, c := range st.Checks {
		s.send(backendUp, truth(c.Up), c.Backend, c.Check)
	}
	for check, h := range st.Answers {
		s.answers(check, &h)
	}
	s.send(nextHopsMissing, float64(len(st.Plan.Unreachable)))
}

// answers shows a histogram as Prometheus has them: each bucket holds those
// before it, too.
func (s sender) answers(check string, h *health.Histogram) {
	buckets, sum := make(map[float64]uint64, len(health.Bounds)), uint64(0)
	for i, bound := range health.Bounds {
		sum += h.Counts[i]
		buckets[bound.Seconds()] = sum
	}
	s.distribution(checkDuration, h.Count(), h.Sum.Seconds(), buckets, check)
}

// traces shows what came of marked packets: cores count those that were too
// many, the control plane the others.
func (s sender) traces(st Status, reports []*lcore.Report) {
	var limited uint64
	for _, r := range reports {
		if r != nil {
			limited += r.TracesLimited
		}
	}
	s.send(tracePackets, float64(limited), "limited")
	for result, n := range st.Traces {
		s.send(tracePackets, float64(n), result)
	}
}
