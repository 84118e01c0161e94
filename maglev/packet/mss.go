package packet

import "math/bits"

const (
	tcpDataOffset = 12 // upper half of the byte, in words
	tcpChecksum   = 16

	tcpMSS    = 2 // RFC 9293, 3.2
	tcpMSSLen = 4
	tcpAO     = 29 // RFC 5925, 2.2
)

// ClampMSS lowers the maximum segment size that a SYN offers to mss, patches
// the TCP checksum, and reports whether there was anything to lower. It leaves
// alone other packets, fragments, SYNs with options that cannot be read, and
// those with an authentication option, which covers the others (RFC 5925, 5.1).
//
// A SYN that offers none stays without: its sender then takes 536 bytes over
// IPv4 and 1220 over IPv6 (RFC 9293, 3.7.1), and to make room for an option is
// not for a middlebox. Of several offers all are lowered, since which of them
// counts is the receiver's matter.
func ClampMSS(frame []byte, h *Headers, mss uint16) bool {
	if h.TCPFlags&TCPSyn == 0 {
		return false
	}
	tcp := frame[h.L4:h.End] // at least the fixed part, of which Parse has the flags
	header := int(tcp[tcpDataOffset]>>4) * 4
	if header < tcpLen || header > len(tcp) {
		return false
	}
	options := tcp[tcpLen:header]
	for at := 0; at < len(options); {
		n := optionLen(options[at:])
		if n == 0 || options[at] == tcpAO {
			return false
		}
		at += n
	}
	lowered := false
	for at := 0; at < len(options); at += optionLen(options[at:]) {
		if options[at] != tcpMSS || options[at+1] != tcpMSSLen {
			continue
		}
		offer := options[at+2:]
		was, is := be16(offer), mss
		if was <= mss {
			continue
		}
		put16(offer, mss)
		if at%2 != 0 { // across two words it counts with its bytes exchanged (RFC 1071, 2 (B))
			was, is = bits.ReverseBytes16(was), bits.ReverseBytes16(is)
		}
		put16(tcp[tcpChecksum:], updated(be16(tcp[tcpChecksum:]), was, is))
		lowered = true
	}
	return lowered
}
