package fib

import (
	"math/bits"
	"slices"

	"guideway/maglev/flow"
)

// prefixEntry is one VIP prefix with its rules, rules[first:first+count] of
// the table, the most specific first. The rules of single addresses with
// single ports are in the exact table and not repeated here.
type prefixEntry struct {
	hi, lo       uint64
	first, count uint32
	length       uint8
	used, ipv6   bool
	echo         Echo
	fragments    bool   // one of its services forwards fragments
	closed       bool   // one of its services takes all, and leaves nothing to shorter prefixes
	service      uint16 // one of its services: takes what has no port
}

// prefixTable finds the rules of the longest prefix over an address: a hash
// table with linear probing over all prefixes, probed once for each length in
// use, the longest first. Every VIP is in it, so that it also tells whether an
// address is a VIP at all.
type prefixTable struct {
	entries  []prefixEntry // a power of two, or none
	shift    uint8
	lengths4 []uint8 // in use, descending
	lengths6 []uint8
	rules    []rule
}

// maskWords clears the bits of an address behind a prefix of some length.
func maskWords(hi, lo uint64, length uint8, ipv6 bool) (uint64, uint64) {
	if !ipv6 {
		return 0, lo &^ (1<<(32-length) - 1)
	}
	if length <= 64 {
		return hi &^ (1<<(64-length) - 1), 0
	}
	return hi, lo &^ (1<<(128-length) - 1)
}

func (t *prefixTable) slot(hi, lo uint64, length uint8) uint64 {
	h, l := bits.Mul64(hi^lo*0x9e3779b97f4a7c15^uint64(length)*0xff51afd7ed558ccd, 0xd6e8feb86659fd93)
	return (h ^ l) >> (t.shift & 63)
}

func (t *prefixTable) lengths(ipv6 bool) []uint8 {
	if ipv6 {
		return t.lengths6
	}
	return t.lengths4
}

// get returns the entry of a prefix, or nil.
func (t *prefixTable) get(hi, lo uint64, length uint8, ipv6 bool) *prefixEntry {
	mask := uint64(len(t.entries)) - 1
	for i := t.slot(hi, lo, length); ; i++ {
		e := &t.entries[i&mask]
		if !e.used {
			return nil
		}
		if e.lo == lo && e.hi == hi && e.length == length && e.ipv6 == ipv6 {
			return e
		}
	}
}

func (t *prefixTable) find(k *flow.Key) int {
	result := NotVIP
	for _, length := range t.lengths(k.IPv6) {
		hi, lo := maskWords(k.DstHi, k.DstLo, length, k.IPv6)
		e := t.get(hi, lo, length, k.IPv6)
		if e == nil {
			continue
		}
		result = NoService
		rules := t.rules[e.first : e.first+e.count]
		for i := range rules {
			if rules[i].matches(k) {
				return int(rules[i].service)
			}
		}
	}
	return result
}

// longest returns the longest prefix over k's destination, or nil.
func (t *prefixTable) longest(k *flow.Key) *prefixEntry {
	for _, length := range t.lengths(k.IPv6) {
		hi, lo := maskWords(k.DstHi, k.DstLo, length, k.IPv6)
		if e := t.get(hi, lo, length, k.IPv6); e != nil {
			return e
		}
	}
	return nil
}

// fragments is [Snapshot.Fragments].
func (t *prefixTable) fragments(k *flow.Key) bool {
	for _, length := range t.lengths(k.IPv6) {
		hi, lo := maskWords(k.DstHi, k.DstLo, length, k.IPv6)
		e := t.get(hi, lo, length, k.IPv6)
		if e == nil {
			continue
		}
		if e.fragments || e.closed {
			return e.fragments
		}
	}
	return false
}

// newPrefixTable builds the table of some VIPs, each of whose rules are in the
// order of matching.
func newPrefixTable(vips []vip) prefixTable {
	if len(vips) == 0 {
		return prefixTable{}
	}
	n := bits.Len(uint(len(vips)*4 - 1))
	t := prefixTable{entries: make([]prefixEntry, 1<<n), shift: uint8(64 - n)}
	mask := uint64(len(t.entries)) - 1
	for _, v := range vips {
		hi, lo, ipv6 := flow.Words(v.prefix.Addr())
		length := uint8(v.prefix.Bits())
		i := t.slot(hi, lo, length)
		for t.entries[i&mask].used {
			i++
		}
		t.entries[i&mask] = prefixEntry{hi: hi, lo: lo, length: length, used: true, ipv6: ipv6,
			first: uint32(len(t.rules)), count: uint32(len(v.rules)),
			echo: v.echo, fragments: v.fragments, closed: slices.ContainsFunc(v.rules, rule.all), service: v.service}
		t.rules = append(t.rules, v.rules...)
		lengths := &t.lengths4
		if ipv6 {
			lengths = &t.lengths6
		}
		if !slices.Contains(*lengths, length) {
			*lengths = append(*lengths, length)
		}
	}
	for _, lengths := range [][]uint8{t.lengths4, t.lengths6} {
		slices.Sort(lengths)
		slices.Reverse(lengths)
	}
	return t
}
