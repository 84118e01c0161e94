package fib

import (
	"errors"
	"fmt"
)

// A Path is the tunnels that lead to one place, a backend or a node: Ways of
// them from index Tunnel on, for inner packets of one family. They differ in
// source address, next hop or egress port, and are of equal worth: what is to
// have twice the share is in it twice.
type Path struct {
	Tunnel uint32 // index of the first
	Ways   uint16 // how many; 0: no next hop is known, and nothing can be sent
}

// Way picks the index of a tunnel, all with equal chance, by the hash of a
// flow: the packets of a flow go one way, and stay in order. It needs Ways > 0.
//
// Of the hash it takes the lower half, and of that the upper bits count; the
// flow label of [Tunnel.Write] is the lowest 20. So the label spreads, among
// the routers behind, the flows that go one way here.
func (p Path) Way(hash uint64) uint32 {
	return p.Tunnel + uint32(uint64(uint32(hash))*uint64(p.Ways)>>32)
}

// A node is one of the fleet: how its tunnels are found.
type node struct{ path4, path6 Path }

// Node returns the path to another node of the fleet, by its ordinal in the
// fleet's list, for inner packets of one family. It has no ways to this node
// itself, to one that is not in the list of the snapshot, or without next hop.
func (s *Snapshot) Node(ordinal int, ipv6 bool) Path {
	if uint(ordinal) >= uint(len(s.nodes)) {
		return Path{}
	}
	if ipv6 {
		return s.nodes[ordinal].path6
	}
	return s.nodes[ordinal].path4
}

// runs returns for each tunnel how many there are from it on in a row that lead
// to one place in one manner: which can be the ways of one path.
func runs(tunnels []TunnelSpec) []uint32 {
	alike := make([]uint32, len(tunnels))
	for i := len(tunnels) - 1; i >= 0; i-- {
		alike[i] = 1
		if i+1 == len(tunnels) {
			continue
		}
		a, b := &tunnels[i], &tunnels[i+1]
		if a.Dst.Unmap() == b.Dst.Unmap() && a.InnerIPv6 == b.InnerIPv6 && a.Marked == b.Marked {
			alike[i] += alike[i+1]
		}
	}
	return alike
}

// check tells what is wrong with a path among tunnels, whose runs are alike.
func (p Path) check(tunnels []TunnelSpec, alike []uint32) error {
	switch first, last := int64(p.Tunnel), int64(p.Tunnel)+int64(p.Ways)-1; {
	case p.Ways == 0:
	case last >= int64(len(tunnels)):
		return fmt.Errorf("goes through tunnel %d of %d", last, len(tunnels))
	case uint32(p.Ways) > alike[first]:
		return fmt.Errorf("goes through tunnels %d to %d, which differ in destination, inner family or mark", first, last)
	}
	return nil
}

func (s *Snapshot) addNodes(spec Spec, alike []uint32) error {
	var errs []error
	s.nodes = make([]node, len(spec.Nodes))
	for ordinal, n := range spec.Nodes {
		for _, inner := range []struct {
			ipv6  bool
			first uint32
			to    *Path
		}{{false, n.Tunnel4, &s.nodes[ordinal].path4}, {true, n.Tunnel6, &s.nodes[ordinal].path6}} {
			fault := func(format string, args ...any) {
				errs = append(errs, fmt.Errorf("node %d "+format, append([]any{ordinal}, args...)...))
			}
			*inner.to = Path{inner.first, n.Ways}
			if err := inner.to.check(spec.Tunnels, alike); err != nil {
				fault("%w", err)
			} else if n.Ways > 0 {
				t := &spec.Tunnels[inner.first]
				if t.InnerIPv6 != inner.ipv6 {
					fault("goes through tunnel %d, which is not for that inner family", inner.first)
				}
				if !t.Marked {
					fault("goes through tunnel %d, which is not marked", inner.first)
				}
			}
		}
		if n.Ways > 0 && len(errs) == 0 && spec.Tunnels[n.Tunnel4].Dst != spec.Tunnels[n.Tunnel6].Dst {
			errs = append(errs, fmt.Errorf("node %d is %v for inner IPv4 and %v for inner IPv6", ordinal, spec.Tunnels[n.Tunnel4].Dst, spec.Tunnels[n.Tunnel6].Dst))
		}
	}
	return errors.Join(errs...)
}
