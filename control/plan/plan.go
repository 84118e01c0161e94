// Package plan turns a configuration into what the cores forward by.
//
// [Build] is pure: the same input gives the same plan, on every node and at
// every time, whatever the order of the file. What it needs to know of the
// past (which number an endpoint had) it finds in the previous [Plan].
package plan

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"guideway/control/config"
	"guideway/fragments"
	"guideway/maglev"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
)

// Input is what a plan follows from.
type Input struct {
	Config     *config.Config
	Ports      []Port   // facts of the open ports, in the order of Config.Ports
	Generation uint64   // of the snapshot to build
	Previous   *Plan    // nil at the start
	Left       *Numbers // at the start, of the process whose connection tables were taken over; nil: none were
	Workers    int      // goroutines that build tables; the result does not depend on it

	// NextHops says which neighbours are known to lead to a backend or node:
	// by the kernel's routes, or where it has none by the ports' gateways. It
	// is asked once for each, and need not know of ports with a fixed next
	// hop. Nil: nothing is learnt.
	NextHops func(dst netip.Addr) []NextHop

	// Down says which of the other nodes, by address, do not answer; what they
	// own goes to the rest. Nil: all do.
	Down func(node netip.Addr) bool

	// Health says what is known of a VIP's backend by the check of that name.
	// Nil: all are up.
	Health func(vip config.VIP, backend netip.Addr, check string) Health

	// Patient says that VIPs which were never announced wait until every
	// backend has a verdict, and that backends are trusted until checks that are
	// new to them have one.
	Patient bool

	// Recovered says that a VIP which was down has had as many healthy backends
	// as it needs for a while. Nil: none has.
	Recovered func(vip string) bool

	// Overrides are what operators want of backends beside the file.
	Overrides map[Target]Override
}

// Port is what a tunnel needs to know of an open port.
type Port struct {
	MAC [6]byte
	MTU int // largest L3 packet in bytes
}

// A Plan is what a configuration comes to. It is never changed.
type Plan struct {
	Snapshot *fib.Snapshot
	VIPs     []VIP             // by name
	Owners   *fragments.Owners // of the datagrams that come in pieces; the snapshot's nodes are by its ordinals

	Destinations []netip.Addr // of tunnels: backends and other nodes, sorted, each once
	Unreachable  []netip.Addr // those without a next hop: what is for them is dropped

	ids    *numbers
	tables map[string]table // by what they are made of
	fleet  fleet            // what Owners follows from
}

// VIP is one served VIP, for people and metrics.
type VIP struct {
	Name     string
	Prefix   netip.Prefix
	Service  uint16        // its id in the snapshot
	Born     uint64        // generation of the plan that gave it the id
	Table    *maglev.Table // nil: nothing takes new flows
	Backends []Backend     // by address

	Condition   Condition
	Wanted      int // backends that file and operator want to serve
	Healthy     int // of those, the ones that do
	Needed      int // min_healthy, of Wanted
	Communities []config.Community
}

// Backend is one backend of a VIP.
type Backend struct {
	Address  netip.Addr
	Weight   uint32 // as the table has it
	State    fib.State
	Want     config.State // by the file; off ones are not in the list
	Override Override
	Health   Verdict
	Trusted  bool      // Health is from before: some of the checks are new, and have no verdict yet
	Checks   []string  // that it has to pass
	Endpoint fib.Value // its number in the snapshot
	Born     uint64    // generation of the plan that gave it the number
	Slots    int       // of the VIP's table
}

// Build makes the plan for an input. It fails, with all reasons, where the
// configuration cannot be forwarded by.
func Build(in Input) (*Plan, error) {
	b := builder{in: in, plan: &Plan{tables: map[string]table{}},
		paths: map[tunnelKey]fib.Path{}, destinations: map[netip.Addr][]NextHop{}}
	b.plan.ids = nextNumbers(in.Previous, in.Left, in.Generation)
	vips := slices.Clone(in.Config.VIPs)
	slices.SortFunc(vips, func(a, b config.VIP) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range vips {
		b.addVIP(v)
	}
	b.plan.ids.finish()
	b.errs = append(b.errs, b.addNodes(), b.buildTables())
	b.listDestinations()
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	var err error
	if b.plan.Snapshot, err = fib.Build(b.spec()); err != nil {
		return nil, err
	}
	return b.plan, nil
}

// builder holds a plan on its way.
type builder struct {
	in      Input
	plan    *Plan
	configs []config.VIP // of plan.VIPs
	errs    []error

	destinations map[netip.Addr][]NextHop
	specs        []fib.TunnelSpec
	paths        map[tunnelKey]fib.Path
	through      []fib.Path     // to each backend of each VIP, in order
	nodes        []fib.NodeSpec // by ordinal
}

// addVIP numbers a VIP and its backends and finds the tunnels to them.
func (b *builder) addVIP(v config.VIP) {
	fail := func(err error) { b.errs = append(b.errs, fmt.Errorf("VIP %q: %w", v.Name, err)) }
	service, born, err := b.plan.ids.service(v.Name)
	if err != nil {
		fail(err)
		return
	}
	backends, checks := b.in.Config.Backends(v), b.in.Config.ChecksOf(v)
	out := VIP{Name: v.Name, Prefix: v.Prefix, Service: service, Born: born, Communities: v.Communities, Backends: make([]Backend, 0, len(backends))}
	for _, c := range backends {
		if c.State == config.StateOff {
			continue
		}
		path, err := b.path(c.Address, v.Prefix.Addr().Is6())
		if err != nil {
			fail(err)
			continue
		}
		value, born, err := b.plan.ids.endpoint(c.Address)
		if err != nil {
			fail(err)
			continue
		}
		health, override := b.judge(v, c.Address, checks[c.Address]), b.override(v.Name, c.Address)
		out.Backends = append(out.Backends, Backend{
			Address: c.Address, Weight: max(c.Weight*uint32(health.Percent)/100, 1), Endpoint: value, Born: born,
			State: state(c.State, override, health), Want: c.State, Override: override, Health: health.Verdict, Trusted: health.Begins && health.Verdict == Up, Checks: checks[c.Address],
		})
		b.through = append(b.through, path)
	}
	b.assess(&out, v)
	b.plan.VIPs = append(b.plan.VIPs, out)
	b.configs = append(b.configs, v)
}

// spec puts the plan into the form that a snapshot is built from.
func (b *builder) spec() fib.Spec {
	s := fib.Spec{
		Generation: b.in.Generation,
		Services:   make([]fib.ServiceSpec, b.plan.ids.services.end),
		Endpoints:  make([]fib.EndpointSpec, b.plan.ids.endpoints.end),
		Tunnels:    b.specs,
		Nodes:      b.nodes,
	}
	through := b.through
	for i, v := range b.plan.VIPs {
		c := b.configs[i]
		service := fib.ServiceSpec{
			Prefix:      c.Prefix,
			Born:        v.Born,
			Protocol:    uint8(c.Protocol),
			AnyProtocol: c.Protocol == config.ProtocolAny,
			Mode:        modes[c.Hash],
			Echo:        echoes[c.ICMPEcho],
			Fragments:   c.Fragments,
			Refragment:  c.TooBig == config.TooBigFragment,
			MSS:         c.MSS,
			Unreachable: v.Condition == Unreachable,
			Table:       v.Table,
		}
		for _, p := range c.Ports {
			service.Ports = append(service.Ports, fib.PortRange{Low: p.First, High: p.Last})
		}
		for _, e := range v.Backends {
			s.Endpoints[e.Endpoint.ID()] = fib.EndpointSpec{
				Value: e.Endpoint, Service: v.Service, State: e.State, Tunnel: through[0].Tunnel, Ways: through[0].Ways,
			}
			through = through[1:]
			if e.State == fib.Serving { // by address, as the table's members
				service.Values = append(service.Values, e.Endpoint)
			}
		}
		s.Services[v.Service] = service
	}
	return s
}

var modes = map[config.Hash]flow.Mode{
	config.HashFiveTuple:  flow.FiveTuple,
	config.HashThreeTuple: flow.ThreeTuple,
	config.HashSource:     flow.Source,
}

var echoes = map[config.Echo]fib.Echo{
	config.EchoAnswer:  fib.EchoAnswer,
	config.EchoForward: fib.EchoForward,
	config.EchoDrop:    fib.EchoDrop,
}
