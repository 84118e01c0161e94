package fib

import (
	"errors"
	"fmt"
)

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

func (s *Snapshot) addNodes(spec Spec, alike []uint32) error {
	var errs []error
	s.nodes = make([]node, len(spec.Nodes))
	for ordinal, n := range spec.Nodes {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("node %d "+format, append([]any{ordinal}, args...)...))
		}
		at := node{Path{n.Tunnel4, n.Ways}, Path{n.Tunnel6, n.Ways}}
		s.nodes[ordinal] = at
		err4, err6 := at.path4.check(spec.Tunnels, alike, false, true), at.path6.check(spec.Tunnels, alike, true, true)
		for _, err := range []error{err4, err6} {
			if err != nil {
				fault("%w", err)
			}
		}
		if err4 != nil || err6 != nil || n.Ways == 0 {
			continue
		}
		if four, six := spec.Tunnels[n.Tunnel4].Dst.Unmap(), spec.Tunnels[n.Tunnel6].Dst.Unmap(); four != six {
			fault("is %v for inner IPv4, but %v for inner IPv6", four, six)
		}
	}
	return errors.Join(errs...)
}
