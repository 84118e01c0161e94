package maglev

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// What the package is checked against: the paper's pseudocode and the rounds
// of weights.go, written as plainly as can be.

// referenceFill is the paper's Populate, with turns by credit.
func referenceFill(offsets, skips, weights []uint32, size int) []uint16 {
	heaviest := int(slices.Max(weights))
	next := make([]int, len(offsets))
	credit := make([]int, len(offsets))
	entry := slices.Repeat([]int{-1}, size)
	for n, round := 0, 0; ; round++ {
		for i := range offsets {
			if credit[i] += 2 * int(weights[i]); credit[i] < heaviest && round > 0 {
				continue
			}
			credit[i] -= 2 * heaviest
			position := func() int {
				return int((uint64(offsets[i]) + uint64(next[i])*uint64(skips[i])) % uint64(size))
			}
			for entry[position()] >= 0 {
				next[i]++
			}
			entry[position()] = i
			next[i]++
			if n++; n == size {
				slots := make([]uint16, size)
				for s, e := range entry {
					slots[s] = uint16(e)
				}
				return slots
			}
		}
	}
}

// referenceTable is the whole way from members, in order of address, to slots.
func referenceTable(members []Member, size int) []uint16 {
	offsets := make([]uint32, len(members))
	skips := make([]uint32, len(members))
	weights := make([]uint32, len(members))
	for i, m := range members {
		n := nameOf(m.Addr)
		offsets[i] = uint32(n.hash(seedOffset) % uint64(size))
		skips[i] = uint32(n.hash(seedSkip)%uint64(size-1) + 1)
		weights[i] = m.Weight
	}
	return referenceFill(offsets, skips, weights, size)
}

// fillBy runs fill as Build does.
func fillBy(offsets, skips, weights []uint32, size int) []uint16 {
	perms := make([]permutation, len(offsets))
	for i := range perms {
		perms[i] = newPermutation(offsets[i], skips[i], uint32(size))
	}
	slots := make([]uint16, size)
	fill(perms, turnsOf(weights, size), slots)
	return slots
}

// ipv4Members returns n members 10.x.y.z from 10.0.0.1 on, of weight 1.
func ipv4Members(n int) []Member {
	members := make([]Member, n)
	for i := range members {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 10<<24+1+uint32(i))
		members[i] = Member{Addr: netip.AddrFrom4(b), Weight: 1}
	}
	return members
}

// ipv6Members returns n members from 2001:db8::1 on, of weight 1.
func ipv6Members(n int) []Member {
	members := make([]Member, n)
	for i := range members {
		b := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint64(b[8:], 1+uint64(i))
		members[i] = Member{Addr: netip.AddrFrom16(b), Weight: 1}
	}
	return members
}

// weigh sets weights in place, round and round.
func weigh(members []Member, weights ...uint32) []Member {
	for i := range members {
		members[i].Weight = weights[i%len(weights)]
	}
	return members
}
