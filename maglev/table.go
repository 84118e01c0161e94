package maglev

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
)

// Limits of a table.
const (
	// MaxMembers is the largest number of members.
	MaxMembers = 65535

	// MaxSize bounds the number of slots, at 32 MiB a table.
	MaxSize = 1 << 24
)

// A Member is one backend as the table sees it.
type Member struct {
	// Addr is the backend's address, and all that its place depends on. An
	// IPv4-mapped IPv6 address is the IPv4 address that it maps.
	Addr netip.Addr

	// Weight is its relative share of turns, 1..MaxWeight.
	Weight uint32
}

// A Table maps hashes to members. It is immutable, free of pointers but for
// its two slices, and safe for any number of readers.
type Table struct {
	slots   []uint16 // ordinals; never empty
	members []Member // by ordinal
	digest  uint64
}

// Build returns the table of the given members, whatever their order. The
// size is the number of slots: a prime up to MaxSize, and at least the number
// of members. The paper's sizes are 65537 and 655373; with 100 slots or more a
// member, shares err by 1 % at most. There are 1..MaxMembers members, each
// address once. The error names all that is wrong. Members is neither changed
// nor kept.
func Build(members []Member, size int) (*Table, error) {
	members, err := canonical(members, size)
	if err != nil {
		return nil, err
	}
	names := make([]name, len(members))
	perms := make([]permutation, len(members))
	weights := make([]uint32, len(members))
	for i, m := range members {
		names[i] = nameOf(m.Addr)
		perms[i] = permute(names[i], uint32(size))
		weights[i] = m.Weight
	}
	reduce(weights)

	slots := make([]uint16, size)
	fill(perms, turnsOf(weights, size), slots)
	return &Table{
		slots:   slots,
		members: members,
		digest:  digestOf(names, weights, slots),
	}, nil
}

// canonical returns the members sorted, with mapped addresses unmapped, or
// what keeps them from being a table of the given size.
func canonical(members []Member, size int) ([]Member, error) {
	var faults []error
	switch {
	case size > MaxSize:
		faults = append(faults, fmt.Errorf("maglev: size %d is above %d", size, MaxSize))
	case !IsPrime(size):
		faults = append(faults, fmt.Errorf("maglev: size %d is not prime", size))
	case len(members) > size:
		faults = append(faults, fmt.Errorf("maglev: %d members do not fit in %d slots", len(members), size))
	}
	if n := len(members); n < 1 || n > MaxMembers {
		faults = append(faults, fmt.Errorf("maglev: %d members, want 1..%d", n, MaxMembers))
	}
	sorted := slices.Clone(members)
	for i := range sorted {
		m := &sorted[i]
		if m.Addr = m.Addr.Unmap(); !m.Addr.IsValid() || m.Addr.Zone() != "" {
			faults = append(faults, fmt.Errorf("maglev: member %d: address %q is not an address without a zone", i, m.Addr))
		}
		if m.Weight < 1 || m.Weight > MaxWeight {
			faults = append(faults, fmt.Errorf("maglev: member %d (%s): weight %d, want 1..%d", i, m.Addr, m.Weight, MaxWeight))
		}
	}
	slices.SortFunc(sorted, func(a, b Member) int { return a.Addr.Compare(b.Addr) })
	for i := range sorted[:max(len(sorted), 1)-1] {
		if a := sorted[i].Addr; a.IsValid() && a == sorted[i+1].Addr {
			faults = append(faults, fmt.Errorf("maglev: more than one member has address %s", a))
		}
	}
	return sorted, errors.Join(faults...)
}

// Pick returns the ordinal in Members of the member that a hash falls to.
//
// Where the paper takes the hash modulo the size, Pick takes it as a fraction
// of 2^64 and multiplies by the size, which is as even, costs no division, and
// uses the hash's uppermost bits: the lower ones are free for other tables. The
// product's upper half is always below the size, so that Pick cannot fail.
func (t *Table) Pick(hash uint64) uint16 {
	slot, _ := bits.Mul64(hash, uint64(len(t.slots)))
	return t.slots[slot]
}

// Members returns the members by ordinal, which is in order of address as
// [netip.Addr.Compare] has it: IPv4 first, then by bytes. Read-only.
func (t *Table) Members() []Member { return t.members }

// Slots returns the ordinal of each slot's member. Read-only.
func (t *Table) Slots() []uint16 { return t.slots }

// Digest returns 64 bits that depend on the size, on each member's address
// and weight relative to the others, and on every slot. Two tables with the
// same digest choose alike. The same members and size give the same digest on
// every machine and in every release, unless the release notes say otherwise.
func (t *Table) Digest() uint64 { return t.digest }

// Shares returns how many slots each member has, by ordinal.
func (t *Table) Shares() []int {
	shares := make([]int, len(t.members))
	for _, m := range t.slots {
		shares[m]++
	}
	return shares
}
