package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"guideway/maglev/fib"
)

// A tunnelKey tells paths apart: a backend has one for each inner family, which
// all VIPs of that family share.
type tunnelKey struct {
	backend   netip.Addr
	innerIPv6 bool
}

// path returns the tunnels to a backend.
func (b *builder) path(backend netip.Addr, innerIPv6 bool) (fib.Path, error) {
	key := tunnelKey{backend, innerIPv6}
	if p, ok := b.paths[key]; ok {
		return p, nil
	}
	sources := b.in.Config.Node.Sources(backend)
	if len(sources) == 0 {
		return fib.Path{}, fmt.Errorf("backend %v: [node].source has no address of its family", backend)
	}
	p := b.addTunnels(sources, fib.TunnelSpec{Dst: backend, InnerIPv6: innerIPv6})
	b.paths[key] = p
	return p, nil
}

// addTunnels makes a tunnel for each way to a destination, which stands in the
// spec with what is the same for all.
func (b *builder) addTunnels(sources []netip.Addr, spec fib.TunnelSpec) fib.Path {
	ways := spread(sources, b.nextHops(spec.Dst))
	p := fib.Path{Tunnel: uint32(len(b.specs)), Ways: uint16(len(ways))}
	for _, w := range ways {
		port, fact := b.in.Config.Ports[w.hop.Port], b.in.Ports[w.hop.Port]
		spec.Src, spec.NextHopMAC = w.source, w.hop.MAC
		spec.Port, spec.MTU, spec.VLAN, spec.SrcMAC = uint16(w.hop.Port), fact.MTU, port.VLAN, fact.MAC
		b.specs = append(b.specs, spec)
	}
	return p
}

// nextHops returns those to a destination, and remembers it as one.
func (b *builder) nextHops(dst netip.Addr) []NextHop {
	hops, known := b.destinations[dst]
	if !known {
		hops = egress(b.in.Config.Ports, dst, b.in.NextHops)
		b.destinations[dst] = hops
	}
	return hops
}

// listDestinations puts into the plan what has been asked for.
func (b *builder) listDestinations() {
	b.plan.Destinations = slices.SortedFunc(maps.Keys(b.destinations), netip.Addr.Compare)
	for _, dst := range b.plan.Destinations {
		if len(b.destinations[dst]) == 0 {
			b.plan.Unreachable = append(b.plan.Unreachable, dst)
		}
	}
}
