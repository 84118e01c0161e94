package packet

// TCP, RFC 9293, 3.1; UDP, RFC 768; SCTP, RFC 9260, 3.1. All three begin with
// the ports:
//
//	+-------------------------------+-------------------------------+
//	|          Source Port          |       Destination Port        |
//	+-------------------------------+-------------------------------+
const (
	tcpLen  = 20
	udpLen  = 8
	sctpLen = 12

	tcpFlags = 13
)

// TCP flags, RFC 9293, 3.1.
const (
	TCPFin = 0x01
	TCPSyn = 0x02
	TCPRst = 0x04
	TCPAck = 0x10
)

// transport looks at the header that h.Proto names at the start of p, which
// ends where the IP packet ends.
func transport(p []byte, h *Headers) Result {
	switch h.Proto {
	case ProtoTCP:
		if len(p) < tcpLen {
			return TruncatedTransport
		}
		h.TCPFlags, h.Ports = p[tcpFlags], true
	case ProtoUDP:
		if len(p) < udpLen {
			return TruncatedTransport
		}
		h.Ports = true
	case ProtoSCTP:
		if len(p) < sctpLen {
			return TruncatedTransport
		}
		h.Ports = true
	}
	return Whole
}
