package packet

// GRE, RFC 2784, 2, with nothing optional; over IPv6, RFC 7676:
//
//	+-+---------------------+-------+-------------------------------+
//	|C|      Reserved0      |  Ver  |         Protocol Type         |
//	+-+---------------------+-------+-------------------------------+
//
// RFC 1701, "Packet header", has more in the place of Reserved0:
//
//	 0 1 2 3 4 5   7 8       12 13 15
//	+-+-+-+-+-+-----+---------+-----+-------------------------------+
//	|C|R|K|S|s|Recur|  Flags  | Ver |         Protocol Type         |
//	+-+-+-+-+-+-----+---------+-----+-------------------------------+
//
// Recur is the recursion control. A node that sends a packet to another writes
// 1; what has it is not sent on. A receiver that only knows RFC 2784 ignores
// this bit (2.3: it discards for bits 1-5, and this is bit 7).
const (
	GRELen = 4

	// GREProtocol is the offset of the protocol type, an EtherType.
	GREProtocol = 2

	// GRERecursion is the recursion control among the first 16 bits, and
	// GREMarked those bits of a header that MarkGRE marked.
	GRERecursion = 0x0700
	GREMarked    = 0x0100
)

// PutGRE writes a header for an inner packet of the given EtherType to the
// start of b.
func PutGRE(b []byte, inner uint16) {
	put16(b, 0)
	put16(b[GREProtocol:], inner)
}

// MarkGRE turns the header that PutGRE wrote to the start of b into that of a
// packet from one node of the fleet to another.
func MarkGRE(b []byte) { put16(b, GREMarked) }
