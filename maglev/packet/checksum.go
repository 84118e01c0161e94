package packet

import "encoding/binary"

// Sum adds up b as big-endian 16-bit words, an odd last byte padded with zero
// (RFC 1071). It returns a sum below 2^18, not yet folded: the sums of parts of
// a packet add up to the packet's, if all parts but the last have even lengths.
func Sum(b []byte) uint64 {
	// Longer words than 16 bits are as good: 2^16 is 1 in one's complement
	// (RFC 1071, 2 (B)). 64 bits hold the carries of 2^31 rounds.
	var sum uint64
	for len(b) >= 8 {
		v := binary.BigEndian.Uint64(b)
		sum += v>>32 + v&0xffffffff
		b = b[8:]
	}
	if len(b) >= 4 {
		sum += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		sum += uint64(be16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint64(b[0]) << 8
	}
	return fold32(sum)
}

// fold32 brings a sum of 32-bit words to a sum of 16-bit words.
func fold32(sum uint64) uint64 { return sum>>48 + sum>>32&0xffff + sum>>16&0xffff + sum&0xffff }

// Fold brings a sum of 16-bit words to 16 bits by end-around carry. A checksum
// field holds the complement of it. sum is below 2^32.
func Fold(sum uint64) uint16 {
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// updated returns what a checksum field holds when a word that it covers has
// become another: HC' = ~(~HC + ~m + m') (RFC 1624, 3).
func updated(checksum, was, is uint16) uint16 {
	return ^Fold(uint64(^checksum) + uint64(^was) + uint64(is))
}
