package flow

// Mode tells which parts of the key choose the backend.
type Mode uint8

const (
	// FiveTuple spreads connections: addresses, ports and protocol.
	FiveTuple Mode = iota
	// ThreeTuple keeps all traffic of one client to one VIP address
	// together, whatever its ports: addresses and protocol.
	ThreeTuple
	// Source keeps one client together over all VIPs that share a table:
	// the source address alone.
	Source
)

// Select returns the hash that picks the table slot of a new flow: a pure
// function of the key, the same on every node.
func (k *Key) Select(m Mode) uint64 {
	switch m {
	case FiveTuple:
		return k.Hash(&Selection)
	case ThreeTuple:
		t := *k
		t.Ports = 0
		return t.Hash(&Selection)
	default:
		t := Key{SrcHi: k.SrcHi, SrcLo: k.SrcLo, IPv6: k.IPv6}
		return t.Hash(&Selection)
	}
}
