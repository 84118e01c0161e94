package config

// ICMP says what errors this node sends, and what becomes of those that come.
type ICMP struct {
	Source     ICMPSource
	Rate       int  // errors that each lcore sends a second; and as many that it relays
	Relay      bool // errors for flows not known here are shown to the other nodes of Fragments.Nodes
	ClosedPort ClosedPort
}

// ICMPSource is the address that errors are sent from.
type ICMPSource uint8

const (
	ICMPSourceNode ICMPSource = iota // that of the node, as a router does (RFC 1812, 4.3.2.4)
	ICMPSourceVIP                    // the address that the packet was sent to
)

var icmpSourceNames = []string{"node", "vip"}

func (s ICMPSource) String() string { return icmpSourceNames[s] }

// ClosedPort is what a packet to a VIP's address gets when no VIP has its
// protocol and port.
type ClosedPort uint8

const (
	ClosedPortUnreachable ClosedPort = iota // ICMP: destination or port unreachable
	ClosedPortDrop
)

var closedPortNames = []string{"unreachable", "drop"}

func (c ClosedPort) String() string { return closedPortNames[c] }

func readICMP(s *section) ICMP {
	return ICMP{
		Source:     read(s, "source", ICMPSourceNode, oneOf[ICMPSource](icmpSourceNames)),
		Rate:       read(s, "rate", 1000, number[int](1, 1_000_000)),
		Relay:      read(s, "relay", true, boolean),
		ClosedPort: read(s, "closed_port", ClosedPortUnreachable, oneOf[ClosedPort](closedPortNames)),
	}
}
