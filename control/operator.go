package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"time"

	"guideway/control/bgp"
	"guideway/control/capture"
	"guideway/control/config"
	"guideway/control/console"
	"guideway/control/health"
	"guideway/control/kernel"
	"guideway/control/metrics"
	"guideway/control/plan"
	"guideway/control/trace"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/pmd"
)

// An Operator is a Manager as the console knows it: every question that an
// operator has, and every word that he says.
type Operator struct {
	*Manager
	Build   string     // version of the program
	DPDK    string     // version of DPDK
	Devices []pmd.Port // the ports and their kernel interfaces
	Started time.Time

	Capturer *capture.Capturer

	// Takeover says what became of the connection tables of the process before.
	Takeover func() metrics.Takeover
}

// The console holds the Operator to this.
var _ console.Node = Operator{}

// Version tells what runs.
func (o Operator) Version() console.Version {
	return console.Version{
		Version: o.Build, Go: runtime.Version(), DPDK: o.DPDK, Node: o.Manager.Status().Config.Node.Name, PID: os.Getpid(), Started: o.Started,
	}
}

// Status is what is in effect.
func (o Operator) Status() console.Status {
	s := o.Manager.Status()
	m := o.Manager.Metrics()
	draining, unhealthy := o.announcer.why()
	tables := o.Takeover()
	return console.Status{
		Path: o.o.Path, Config: s.Config, Warnings: s.Warnings, Plan: s.Plan, Planned: s.Planned, Since: s.Since,
		Reloads: m.Reloads, LastError: s.LastError, Overrides: s.Overrides, Draining: draining, Unhealthy: unhealthy,
		Kept: tables.Kept, TakenOver: tables.Entries["taken"],
	}
}

// Reports asks the cores, and leaves the longest poll gap to metrics.
func (o Operator) Reports(ctx context.Context) ([]*lcore.Report, error) {
	return o.o.Group.Reports(ctx)
}

// Ports lists the ports and their kernel interfaces.
func (o Operator) Ports() []console.Port {
	var ports []console.Port
	for _, p := range o.Devices {
		c := console.Port{Info: p.Info(), Link: p.Link()}
		var err error
		if c.Stats, err = p.Stats(); err != nil {
			c.Error = err.Error()
		}
		c.XStats, _ = p.XStats() // a driver without them has nothing to show
		ports = append(ports, c)
	}
	return ports
}

// Checks lists what each check says of each backend.
func (o Operator) Checks() []console.Check {
	all := []console.Check{}
	if o.o.Health == nil {
		return all
	}
	c := o.Manager.Status().Config
	checks := checksByName(c)
	seen := map[health.Target]bool{}
	for _, v := range c.VIPs {
		for backend, names := range c.ChecksOf(v) {
			for _, name := range names {
				t := target(c, v, backend, checks[name])
				if seen[t] {
					continue
				}
				seen[t] = true
				st := o.o.Health.Of(t)
				via := "direct"
				if t.VIP.IsValid() {
					via = t.VIP.String()
				}
				all = append(all, console.Check{
					Address: backend, Name: name, Type: t.Check.Type.String(), Via: via, State: st.State.String(), Since: st.Since, Reason: st.Reason.String(),
					Latency: console.Seconds(st.Latency), LastError: st.Error, ErrorAt: st.ErrorAt, Probes: st.Probes, Failed: st.Failed,
				})
			}
		}
	}
	slices.SortFunc(all, func(a, b console.Check) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Via, b.Via))
	})
	return all
}

// Nodes lists the fleet.
func (o Operator) Nodes() []console.FleetNode {
	s := o.Manager.Status()
	shares := map[netip.Addr]float64{}
	total := 0.0
	for i, n := range s.Plan.Owners.Shares() {
		total += float64(n)
		if nodes := s.Plan.Owners.Nodes(); i < len(nodes) {
			shares[nodes[i]] = float64(n)
		}
	}
	var nodes []console.FleetNode
	for _, n := range s.Config.Fragments.Nodes {
		f := console.FleetNode{Name: n.Name, Address: n.Address, Self: n.Name == s.Config.Node.Name, State: health.Up.String(), Share: shares[n.Address] / max(total, 1)}
		if !f.Self && o.o.Health != nil && o.o.Kernel != nil {
			st := o.o.Health.Of(nodeTarget(s.Config, n))
			f.State, f.Since, f.Latency, f.Error = st.State.String(), st.Since, console.Seconds(st.Latency), st.Error
		}
		nodes = append(nodes, f)
	}
	return nodes
}

// Kernel shows the kernel's interfaces, and the ways to every destination.
func (o Operator) Kernel() console.Kernel {
	k := console.Kernel{Interfaces: []console.Interface{}, NextHops: []console.NextHop{}}
	s := o.Manager.Status()
	if o.o.Kernel == nil {
		return k
	}
	v := o.o.Kernel.View()
	for _, p := range s.Config.Ports {
		l, ok := v.Link(p.Kernel)
		if p.Kernel == "" || !ok {
			continue
		}
		k.Interfaces = append(k.Interfaces, console.Interface{
			Name: l.Name, Port: p.Name, MAC: fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", l.MAC[0], l.MAC[1], l.MAC[2], l.MAC[3], l.MAC[4], l.MAC[5]),
			MTU: l.MTU, Up: l.Up, Carrier: l.Carrier, Addresses: l.Addresses,
		})
	}
	for _, dst := range s.Plan.Destinations {
		k.NextHops = append(k.NextHops, hopsTo(s.Config, v, dst)...)
	}
	return k
}

// hopsTo is what nextHops goes by, for people.
func hopsTo(c *config.Config, v *kernel.View, dst netip.Addr) (hops []console.NextHop) {
	add := func(route string, found []kernel.NextHop) {
		for _, h := range found {
			hops = append(hops, console.NextHop{
				Destination: dst, Route: route, Interface: h.Interface, Via: h.Addr, State: h.State.String(), Weight: h.Weight,
				MAC: fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", h.MAC[0], h.MAC[1], h.MAC[2], h.MAC[3], h.MAC[4], h.MAC[5]),
			})
		}
	}
	if route, found := v.Lookup(dst); len(found) > 0 {
		add(route.Prefix.String(), found)
		return hops
	}
	for _, g := range gateways(c, dst) {
		add("gateway", v.NextHops(g))
	}
	if len(hops) == 0 {
		hops = append(hops, console.NextHop{Destination: dst})
	}
	return hops
}

// BGP shows sessions and routes.
func (o Operator) BGP() console.BGP {
	b := console.BGP{Peers: []console.Peer{}, Routes: []console.Route{}}
	r, ok := o.o.Speaker.(Routers)
	if !ok {
		return b
	}
	st := r.Speaker.Status()
	b.ASN, b.RouterID = st.ASN, st.RouterID
	for _, p := range st.Peers {
		peer := console.Peer{
			Address: p.Address, ASN: p.ASN, State: p.State.String(), Since: p.Since, Families: []string{}, Sent: p.Sent, Received: int(p.Refused), LastError: p.Error,
		}
		if p.IPv4 {
			peer.Families = append(peer.Families, "ipv4")
		}
		if p.IPv6 {
			peer.Families = append(peer.Families, "ipv6")
		}
		if p.BFD != bgp.BFDOff {
			peer.BFD = p.BFD.String()
		}
		b.Peers = append(b.Peers, peer)
	}
	vips := map[netip.Prefix][]string{}
	sent := map[netip.Prefix]bool{}
	for _, r := range st.Announced {
		sent[r.Prefix] = true
	}
	for _, r := range o.Manager.Status().Plan.Routes() {
		if prefix, ok := standsFor(sent, r.Prefix); ok {
			vips[prefix] = append(vips[prefix], r.VIPs...)
		}
	}
	for _, r := range st.Announced {
		route := console.Route{Prefix: r.Prefix, VIPs: slices.Clone(vips[r.Prefix]), Communities: []string{}}
		if route.VIPs == nil {
			route.VIPs = []string{}
		}
		for _, c := range r.Communities {
			route.Communities = append(route.Communities, c.String())
		}
		b.Routes = append(b.Routes, route)
	}
	return b
}

// Explain asks the cores what they remember of the flow, and goes its way
// through the plan.
func (o Operator) Explain(ctx context.Context, question plan.Question) (*console.Explanation, error) {
	s := o.Manager.Status()
	e := &console.Explanation{}
	entries, err := o.o.Group.Entries(ctx, &question.Key)
	var silent *lcore.SilentError
	if errors.As(err, &silent) {
		e.Note = fmt.Sprintf("what the connection tables of CPUs %v remember is not known: the poll loops do not answer", silent.CPUs)
	} else if err != nil {
		return nil, err
	}
	for _, found := range entries {
		question.Hash, question.Hashed = found.Hash, true
		if !found.Known {
			continue
		}
		cpu := found.CPU
		question.Entry, e.Core = found.Value, &cpu
		e.Entry = &console.Entry{Backend: backendOf(s.Plan, found), State: entryStates[found.State], Idle: console.Seconds(found.Idle)}
	}
	if way := question.WayKey(); way != question.Key {
		pieces, _ := o.o.Group.Entries(ctx, &way) // who does not answer is in the note
		if question.Hashed = len(pieces) > 0; question.Hashed {
			question.Hash = pieces[0].Hash // the seed is that of all cores
		}
	}
	e.Explanation = *s.Plan.Explain(s.Config, question)
	return e, nil
}

var entryStates = map[conntrack.State]string{conntrack.Unconfirmed: "unconfirmed", conntrack.Established: "established", conntrack.Closing: "closing"}

// backendOf names the backend that an entry leads to, if it is there still.
func backendOf(p *plan.Plan, e lcore.Entry) netip.Addr {
	for _, v := range p.VIPs {
		for _, b := range v.Backends {
			if b.Endpoint == e.Value {
				return b.Address
			}
		}
	}
	return netip.Addr{}
}

// Reload loads the file and returns when it is in effect.
func (o Operator) Reload(ctx context.Context, force bool) (*console.Change, error) {
	return o.change(func() error { return o.ReloadNow(ctx, force) })
}

// Plan says what Reload would do.
func (o Operator) Plan(context.Context) (*plan.Diff, error) {
	s := o.Manager.Status()
	c, _, err := config.Load(o.o.Path)
	if err != nil {
		return nil, err
	}
	return plan.Preview(s.Config, c)
}

// Override is Manager.Override.
func (o Operator) Override(ctx context.Context, of plan.Target, to plan.Override, force bool) (*console.Change, error) {
	return o.change(func() error { return o.Manager.Override(ctx, of.VIP, of.Backend, to, force) })
}

// change does something and tells what it changed.
func (o Operator) change(do func() error) (*console.Change, error) {
	began, before := time.Now(), o.Manager.Status()
	err := do()
	if errors.Is(err, errTooMuch) {
		return nil, fmt.Errorf("%w: %w", err, console.ErrForce)
	}
	if err != nil {
		return nil, err
	}
	after := o.Manager.Status()
	c := &console.Change{
		Generation: after.Plan.Snapshot.Generation, Took: console.Seconds(time.Since(began)), Warnings: []string{},
		Diff: plan.Compare(plan.Side{Config: before.Config, Plan: before.Plan}, plan.Side{Config: after.Config, Plan: after.Plan}),
	}
	for _, w := range after.Warnings {
		c.Warnings = append(c.Warnings, w.String())
	}
	return c, nil
}

// DrainNode is Manager.DrainNode, and with undo Manager.UndrainNode.
func (o Operator) DrainNode(ctx context.Context, undo bool) error {
	if undo {
		o.Manager.UndrainNode(ctx)
	} else {
		o.Manager.DrainNode(ctx)
	}
	return nil
}

// Capture is Capturer.Run.
func (o Operator) Capture(ctx context.Context, c console.Capture) (*console.Captured, error) {
	r, err := o.Capturer.Run(ctx, capture.Request{
		Filter: c.Filter, Sent: c.After, Count: c.Count, Time: time.Duration(c.Seconds) * time.Second, File: c.File,
	})
	if err != nil {
		return nil, err
	}
	return &console.Captured{File: c.File, Frames: r.Packets, Bytes: r.Bytes, Missed: r.Missed, Ended: r.Ended}, nil
}

// Trace is Manager.Trace.
func (o Operator) Trace(ctx context.Context, r trace.Request) (*trace.Result, error) {
	return o.Manager.Trace(ctx, r)
}
