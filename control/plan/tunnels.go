package plan

import (
	"fmt"
	"net/netip"

	"guideway/maglev/fib"
)

// A tunnelKey tells tunnels apart: one backend has one for each inner family.
type tunnelKey struct {
	backend   netip.Addr
	innerIPv6 bool
}

// tunnel returns the index of the tunnel to a backend.
func (b *builder) tunnel(backend netip.Addr, innerIPv6 bool) (uint32, error) {
	key := tunnelKey{backend, innerIPv6}
	if i, ok := b.tunnels[key]; ok {
		return i, nil
	}
	src := b.in.Config.Node.Source(backend)
	if !src.IsValid() {
		return 0, fmt.Errorf("backend %v: [node].source has no address of its family", backend)
	}
	port, err := b.egress(backend)
	if err != nil {
		return 0, err
	}
	c, fact := b.in.Config.Ports[port], b.in.Ports[port]
	i := uint32(len(b.specs))
	b.tunnels[key] = i
	b.specs = append(b.specs, fib.TunnelSpec{
		Src: src, Dst: backend, InnerIPv6: innerIPv6,
		Port: uint16(port), MTU: fact.MTU, VLAN: c.VLAN, SrcMAC: fact.MAC, NextHopMAC: c.NextHopMAC,
	})
	return i, nil
}

// egress chooses the port to a backend: the one whose subnet holds it, the
// longest first, else the first one with a next hop.
func (b *builder) egress(backend netip.Addr) (int, error) {
	best, length := -1, -1
	for i, p := range b.in.Config.Ports {
		if !p.HasNextHop {
			continue
		}
		if best < 0 {
			best = i
		}
		for _, prefix := range p.Addresses {
			if prefix.Masked().Contains(backend) && prefix.Bits() > length {
				best, length = i, prefix.Bits()
			}
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("backend %v: no port has a next_hop_mac", backend)
	}
	return best, nil
}
