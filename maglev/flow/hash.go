package flow

import "math/bits"

// A Seed keys a hash. Two hashes of one key under different seeds have
// nothing to do with each other.
type Seed struct{ A, B, C uint64 }

// Selection is the seed of the hash that picks a table slot. It is fixed and
// part of the contract: every node of a fleet, of whatever version, must send
// a flow to the same slot. The words are the fractional parts of the square
// roots of 2, 3 and 5 (as in FIPS 180-4, 5.3.3), so nothing is up our sleeve.
var Selection = Seed{0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b}

// Hash returns the 64-bit hash of the whole key under s. All 64 bits are
// usable, alone or in parts.
//
// The connection table uses it with a secret seed, drawn at random by each
// process, so that nobody outside can aim flows at one bucket.
func (k *Key) Hash(s *Seed) uint64 {
	if k.IPv6 {
		return s.hash6(k.SrcHi, k.SrcLo, k.DstHi, k.DstLo, uint64(k.Ports)<<8|uint64(k.Proto))
	}
	return s.hash4(k.SrcLo<<32|k.DstLo, uint64(k.Ports)<<8|uint64(k.Proto))
}

// hash4 mixes two words: a multiplication to 128 bits whose halves feed a
// second one, as in wyhash. The second round is what keeps keys that share one
// word from sharing bits of the result.
func (s *Seed) hash4(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^s.A, b^s.B)
	hi, lo = bits.Mul64(hi^s.C, lo^s.A)
	return hi ^ lo
}

// hash6 mixes five words. The words of each address meet in a multiplication
// with seeds of their own, so swapping source and destination is another key.
func (s *Seed) hash6(srcHi, srcLo, dstHi, dstLo, rest uint64) uint64 {
	h1, l1 := bits.Mul64(srcHi^s.A, srcLo^s.B)
	h2, l2 := bits.Mul64(dstHi^s.B, dstLo^s.C)
	hi, lo := bits.Mul64(h1^l1^rest^s.C, h2^l2^bits.RotateLeft64(rest, 32)^s.A)
	hi, lo = bits.Mul64(hi^s.B, lo^s.C)
	return hi ^ lo
}
