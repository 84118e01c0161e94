package fib

import "fmt"

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

// check tells what is wrong with a path among tunnels, whose runs are alike: it
// is to be for one inner family, and marked or not.
func (p Path) check(tunnels []TunnelSpec, alike []uint32, innerIPv6, marked bool) error {
	if p.Ways == 0 {
		return nil
	}
	last := int64(p.Tunnel) + int64(p.Ways) - 1
	if last >= int64(len(tunnels)) {
		return fmt.Errorf("goes through tunnel %d of %d", last, len(tunnels))
	}
	switch t := &tunnels[p.Tunnel]; {
	case uint32(p.Ways) > alike[p.Tunnel]:
		return fmt.Errorf("goes through tunnels %d to %d, which differ in destination, inner family or mark", p.Tunnel, last)
	case t.InnerIPv6 != innerIPv6:
		return fmt.Errorf("goes through tunnel %d, which is for the other inner family", p.Tunnel)
	case t.Marked && !marked:
		return fmt.Errorf("goes through tunnel %d, which is marked as to a node", p.Tunnel)
	case marked && !t.Marked:
		return fmt.Errorf("goes through tunnel %d, which is not marked", p.Tunnel)
	}
	return nil
}
