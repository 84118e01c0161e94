package packet

import "encoding/binary"

// A traced packet (section 4.2 of the paper) carries a mark in its last
// MarkLen bytes, whatever it is made of: whole or a fragment, TCP or UDP, plain
// or in a tunnel.
//
//	+--------------------------------- TracedLen4 or 6 --------+
//	| IP header | extensions, transport header, zeros |  mark  |
//	+-----------------------------------------------------|----+
//	                     MarkKnock: its first eight bytes -+
//
// The lengths are rare ones, so that hardly any other packet has to be looked
// into, and such that a first fragment of either family holds a whole number of
// eight bytes: 19 and 15.
const (
	TracedLen4 = 172 // of an IPv4 packet, its header included
	TracedLen6 = 168 // of an IPv6 packet
	MarkLen    = 64
)

// TracedFrame is the length of the longest frame with a traced packet: tagged,
// and in a tunnel over IPv6.
const TracedFrame = EthernetLen + VLANLen + IPv6Len + GRELen + TracedLen4

// tracedFrames are the lengths of frames with a traced packet: by itself, as it
// is held; in Ethernet, tagged or not; and there in a tunnel.
var tracedFrames = func() (lengths [TracedFrame + 1]bool) {
	for _, packet := range []int{TracedLen4, TracedLen6} {
		lengths[packet] = true
		for _, header := range []int{EthernetLen, EthernetLen + VLANLen} {
			for _, outer := range []int{0, IPv4Len + GRELen, IPv6Len + GRELen} {
				lengths[header+outer+packet] = true
			}
		}
	}
	return lengths
}()

// TracedLen tells whether a frame of n bytes may hold a traced packet.
func TracedLen(n int) bool { return n < len(tracedFrames) && tracedFrames[n] }

// Mark returns the mark of a frame of a TracedLen: its last bytes.
func Mark(frame []byte) []byte { return frame[len(frame)-MarkLen:] }

// MarkKnock returns what a mark begins with: a number that only those know who
// may have packets traced, or who have seen one pass.
func MarkKnock(mark []byte) uint64 { return binary.BigEndian.Uint64(mark) }
