package traffic

import "encoding/binary"

// Every packet carries a tag behind its transport header, and every fragment one
// at the beginning of its data:
//
//	 0                   1                   2                   3
//	+-----------------------------------------------------------------+
//	|            Stamp: nanoseconds, the last 48 bits ...             |
//	+-------------------------------+---------------------------------+
//	|                               |  Sequence: packets of the flow  |
//	+-------------------------------+---------------------------------+
//	|           before ...          |  Flow: in fragments, which      |
//	+-------------------------------+---------------------------------+
//	|  need not have ports ...      |
//	+-------------------------------+
//
// Ten bytes are all that a TCP packet has to spare in a frame of 64.
const (
	tagSequence = 6
	tagLen      = 10
	tagFlow     = 10
	pieceTagLen = 14
	noFlow      = 1<<32 - 1 // in the place of a flow: a flood's

	stampBits = 48
	stampMask = 1<<stampBits - 1
)

// putTag writes a tag to the start of b and returns the sum of its 16-bit words.
func putTag(b []byte, stamp int64, sequence uint32) uint64 {
	_ = b[tagLen-1]
	binary.BigEndian.PutUint64(b, uint64(stamp)<<16|uint64(sequence>>16))
	binary.BigEndian.PutUint16(b[8:], uint16(sequence))
	s := uint64(stamp)
	return s>>32&0xffff + s>>16&0xffff + s&0xffff + uint64(sequence>>16) + uint64(sequence&0xffff)
}

// readTag reads the tag at the start of b.
func readTag(b []byte) (stamp uint64, sequence uint32) {
	_ = b[tagLen-1]
	v := binary.BigEndian.Uint64(b)
	return v >> 16, uint32(v)<<16 | uint32(binary.BigEndian.Uint16(b[8:]))
}

// Age returns the time from a packet's stamp to now, less than 78 hours.
func Age(stamp uint64, now int64) int64 { return int64((uint64(now) - stamp) & stampMask) }
