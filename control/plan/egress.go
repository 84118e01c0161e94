package plan

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"

	"guideway/control/config"
)

// A NextHop is a neighbour that passes packets on to some destination, or is it.
type NextHop struct {
	Port   int     // that it is reached by, as in Input.Ports
	MAC    [6]byte // its own
	Weight int     // its share among those given with it; less than 1 counts as 1
}

// egress chooses the next hops to a destination. Ports with a fixed next hop
// (next_hop_mac) send everything there; by the others, what leads to dst is
// learnt. In this order:
//
//  1. The port in whose subnet dst is, the longest subnet first, if its next
//     hop is fixed. (Of two subnets of one length, the fixed port's counts, and
//     of two fixed ports the first.)
//  2. What is learnt.
//  3. The fixed port with the longest subnet around dst, else the first.
//
// So ports with fixed next hops go on as they do alone when others that learn
// stand beside them, but for what is on the others' subnets or what the kernel
// has a route to. Without anything of that, there is no next hop.
//
// They come in order of port, then of address, each once. learnt is asked only
// where it may count.
func egress(ports []config.Port, dst netip.Addr, learnt func(netip.Addr) []NextHop) []NextHop {
	fixed, around := -1, -1 // a port, and the length of its subnet around dst
	onLink := -1            // the longest around dst of a port that learns
	for i := range ports {
		length := longest(ports[i].Addresses, dst)
		switch {
		case !ports[i].HasNextHop:
			onLink = max(onLink, length)
		case fixed < 0 || length > around:
			fixed, around = i, length
		}
	}
	if learnt != nil && (around < 0 || around < onLink) {
		if hops := tidy(ports, learnt(dst)); len(hops) > 0 {
			return hops
		}
	}
	if fixed < 0 {
		return nil
	}
	return []NextHop{{Port: fixed, MAC: ports[fixed].NextHopMAC, Weight: 1}}
}

// longest returns the length of the longest subnet that holds dst, or -1.
func longest(subnets []netip.Prefix, dst netip.Addr) int {
	length := -1
	for _, s := range subnets {
		if s.Contains(dst) {
			length = max(length, s.Bits())
		}
	}
	return length
}

// tidy brings learnt next hops into the form that egress promises. Where one is
// by a port with a fixed next hop, it is that. No frame can be sent to what has
// no address or that of a group: a neighbour that says so of itself is left out,
// rather than have it spoil the plan for all.
func tidy(ports []config.Port, learnt []NextHop) []NextHop {
	hops := make([]NextHop, 0, len(learnt))
	for _, h := range learnt {
		if p := &ports[h.Port]; p.HasNextHop {
			h.MAC = p.NextHopMAC
		}
		if h.MAC == [6]byte{} || h.MAC[0]&1 != 0 {
			continue
		}
		h.Weight = max(h.Weight, 1)
		hops = append(hops, h)
	}
	slices.SortFunc(hops, func(a, b NextHop) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), bytes.Compare(a.MAC[:], b.MAC[:]))
	})
	merged := hops[:0]
	for _, h := range hops {
		if last := len(merged) - 1; last >= 0 && merged[last].Port == h.Port && merged[last].MAC == h.MAC {
			merged[last].Weight += h.Weight
			continue
		}
		merged = append(merged, h)
	}
	return merged
}
