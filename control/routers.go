package control

import (
	"context"
	"net/netip"

	"guideway/control/bgp"
	"guideway/control/config"
	"guideway/control/plan"
)

// Routers is a Speaker by BGP.
type Routers struct{ *bgp.Speaker }

// Announce is bgp.Speaker.Announce of a plan's routes.
func (r Routers) Announce(ctx context.Context, want []plan.Route) error {
	routes := make([]bgp.Route, 0, len(want))
	for _, w := range want {
		routes = append(routes, bgp.Route{Prefix: w.Prefix, Communities: communities(w.Communities)})
	}
	return r.Speaker.Announce(ctx, routes)
}

// Configure is bgp.Speaker.Configure by the configuration.
func (r Routers) Configure(ctx context.Context, c *config.Config) error {
	return r.Speaker.Configure(ctx, bgpSettings(c))
}

// Withdraw is bgp.Speaker.Withdraw.
func (r Routers) Withdraw(ctx context.Context, gone []netip.Prefix) error {
	return r.Speaker.Withdraw(ctx, gone)
}

func bgpSettings(c *config.Config) bgp.Settings {
	b := c.BGP
	s := bgp.Settings{
		ASN: b.ASN, RouterID: b.RouterID, Source4: c.Node.Source4, Source6: c.Node.Source6,
		GracefulShutdown: b.GracefulShutdown, GracefulRestart: b.GracefulRestart, Aggregate: b.Aggregate,
	}
	for _, p := range b.Peers {
		s.Peers = append(s.Peers, bgp.Peer{
			Address: p.Address, ASN: p.ASN, Port: p.Port, LocalAddress: p.LocalAddress, Passive: p.Passive, PasswordFile: p.PasswordFile,
			HoldTime: p.HoldTime, Keepalive: p.Keepalive, ConnectRetry: p.ConnectRetry,
			Multihop: p.Multihop, TTLSecurity: p.TTLSecurity,
			BFD:  bgp.BFD{Enabled: p.BFD, Interval: p.BFDInterval, Multiplier: p.BFDMultiplier},
			IPv4: p.IPv4, IPv6: p.IPv6, NextHop4: p.NextHop4, NextHop6: p.NextHop6,
			MED: p.MED, LocalPref: p.LocalPref, Prepend: p.Prepend, Communities: communities(p.Communities),
		})
	}
	return s
}

func communities(all []config.Community) []bgp.Community {
	out := make([]bgp.Community, 0, len(all))
	for _, c := range all {
		out = append(out, bgp.Community(c))
	}
	return out
}
