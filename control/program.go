package control

import (
	"guideway/control/config"
	"guideway/lcore"
)

// program is what the cores get to work by.
func program(s *Status) lcore.Program {
	c := s.Config
	icmp := lcore.ICMP{Rate: c.ICMP.Rate, Relay: c.ICMP.Relay, Refuse: c.ICMP.ClosedPort == config.ClosedPortUnreachable}
	if c.ICMP.Source == config.ICMPSourceNode {
		icmp.Source4, icmp.Source6 = c.Node.Source4, c.Node.Source6
	}
	return lcore.Program{Snapshot: s.Plan.Snapshot, Owners: s.Plan.Owners, ICMP: icmp, Tracing: s.tracing()}
}
