package maglev

import (
	"encoding/binary"
	"net/netip"
)

// The seeds of h1 and h2 are the first 128 fraction bits of pi. They are part
// of what a table is: changing one moves nearly every connection of a fleet.
const (
	seedOffset = 0x243f6a8885a308d3
	seedSkip   = 0x13198a2e03707344
)

// A name is what a member is hashed by: the 16 bytes of its address, IPv4 in
// its IPv6-mapped form (RFC 4291, section 2.5.5.2), read as two big-endian
// words.
type name struct{ hi, lo uint64 }

func nameOf(a netip.Addr) name {
	b := a.As16()
	return name{
		hi: binary.BigEndian.Uint64(b[:8]),
		lo: binary.BigEndian.Uint64(b[8:]),
	}
}

// hash is the keyed hash of a name. It is small enough to be written down
// anywhere, and a bijection of either word when the other is fixed: no two
// IPv4 addresses share a hash.
func (n name) hash(seed uint64) uint64 {
	return mix(mix(mix(seed)^n.hi) ^ n.lo)
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; Stafford's
// variant 13): a bijection in which every input bit sways every output bit.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
