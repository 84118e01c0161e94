package fib

import (
	"math/bits"

	"guideway/maglev/flow"
)

// exactEntry is a service's single address, protocol and port. Two fit a
// cache line.
type exactEntry struct {
	hi, lo  uint64
	tag     uint32 // port << 16 | protocol << 8 | family << 1 | 1; 0: empty
	service uint16
	_       [10]byte
}

// exactTable is a hash table with linear probing, at most a quarter full, so
// that one probe of one cache line finds nearly every key, and rejects nearly
// every stranger.
type exactTable struct {
	entries []exactEntry // a power of two, or none
	shift   uint8        // 64 - log2(len(entries))
}

func newExactTable(keys int) exactTable {
	if keys == 0 {
		return exactTable{}
	}
	n := bits.Len(uint(keys*4 - 1))
	return exactTable{entries: make([]exactEntry, 1<<n), shift: uint8(64 - n)}
}

func exactTag(port uint16, proto uint8, ipv6 bool) uint32 {
	tag := uint32(port)<<16 | uint32(proto)<<8 | 1
	if ipv6 {
		tag |= 2
	}
	return tag
}

// slot hashes a destination. The multipliers are odd and without pattern; the
// keys come from the operator's config, so nobody can aim at them.
func (t *exactTable) slot(hi, lo uint64, tag uint32) uint64 {
	h, l := bits.Mul64(hi^lo*0x9e3779b97f4a7c15^uint64(tag)*0xff51afd7ed558ccd, 0xd6e8feb86659fd93)
	return (h ^ l) >> (t.shift & 63)
}

func (t *exactTable) find(k *flow.Key) (service uint16, ok bool) {
	mask := uint64(len(t.entries)) - 1
	if mask == ^uint64(0) {
		return 0, false
	}
	tag := exactTag(k.DstPort(), k.Proto, k.IPv6)
	for i := t.slot(k.DstHi, k.DstLo, tag); ; i++ {
		e := &t.entries[i&mask]
		if e.tag == tag && e.lo == k.DstLo && e.hi == k.DstHi {
			return e.service, true
		}
		if e.tag == 0 {
			return 0, false
		}
	}
}

// insert adds a key that is not there yet.
func (t *exactTable) insert(hi, lo uint64, tag uint32, service uint16) {
	mask := uint64(len(t.entries)) - 1
	i := t.slot(hi, lo, tag)
	for t.entries[i&mask].tag != 0 {
		i++
	}
	t.entries[i&mask] = exactEntry{hi: hi, lo: lo, tag: tag, service: service}
}
