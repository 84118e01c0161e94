package plan

import (
	"net/netip"
	"runtime"

	"guideway/control/config"
)

// Assume makes an input for a configuration without a machine: as if every port
// were open with the MTU that the file asks for, a next hop were known to
// everything, and every backend and node well. What a plan has of it that is
// assumed (MAC addresses, next hops) says nothing; tables, shares and states
// are those of every node that runs the file and finds all backends well.
func Assume(c *config.Config, previous *Plan) Input {
	in := Input{Config: c, Generation: 1, Previous: previous, Workers: runtime.GOMAXPROCS(0)}
	for i, p := range c.Ports {
		in.Ports = append(in.Ports, Port{MAC: [6]byte{2, 0, 0, 0, 0, byte(i + 1)}, MTU: p.MTU})
	}
	if previous != nil {
		in.Generation = previous.Snapshot.Generation + 1
	}
	in.NextHops = func(netip.Addr) []NextHop { return []NextHop{{MAC: [6]byte{2, 0, 0, 0, 1, 0}, Weight: 1}} }
	return in
}

// Preview says what a node that runs before would do on a reload of after, where
// nothing but the two files is known.
func Preview(before, after *config.Config) (*Diff, error) {
	old, err := Build(Assume(before, nil))
	if err != nil {
		return nil, err
	}
	now, err := Build(Assume(after, old))
	if err != nil {
		return nil, err
	}
	return Compare(Side{before, old}, Side{after, now}), nil
}
