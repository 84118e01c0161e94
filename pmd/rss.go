package pmd

// RSS tells how a device spreads packets over its receive queues (receive side
// scaling): by the Toeplitz hash of some header fields under Key, whose last
// bits index Table. Who knows it can say where the packets of a flow arrive
// without waiting for one.
//
// It is what the driver said of the device when it had been started, and worth
// as much as the driver: docs/dpdk.md names drivers that claim what they do not
// do. A packet that arrives elsewhere is the device's word against the driver's.
type RSS struct {
	Key   []byte   // of the hash, 40 bytes at least
	Table []uint16 // queue by the last bits of the hash; its length is a power of two
	Kinds RSSKind  // what is hashed
}

// RSSKind is a set of kinds of packets that a device hashes.
type RSSKind uint8

// The first six are hashed over addresses and ports, IPv4 and IPv6 over
// addresses only. These two stand for the packets that have no kind of their
// own: TCP over IPv4, say, where TCP4 is not in the set.
const (
	RSSTCP4 RSSKind = 1 << iota
	RSSUDP4
	RSSSCTP4
	RSSTCP6
	RSSUDP6
	RSSSCTP6
	RSSIPv4
	RSSIPv6
)

// Hashes tells whether the device hashes whole packets of an IP protocol, and
// whether over the ports too. What is not hashed has the hash 0. Fragments may
// be treated as the device likes.
func (r *RSS) Hashes(proto uint8, ipv6 bool) (hashed, ports bool) {
	own, addresses := RSSKind(0), RSSIPv4
	switch proto {
	case 6:
		own = RSSTCP4
	case 17:
		own = RSSUDP4
	case 132:
		own = RSSSCTP4
	}
	if ipv6 {
		own, addresses = own*(RSSTCP6/RSSTCP4), RSSIPv6
	}
	ports = r.Kinds&own != 0
	return ports || r.Kinds&addresses != 0, ports
}

// Queue returns the receive queue of packets with a hash.
func (r *RSS) Queue(hash uint32) int { return int(r.Table[hash&uint32(len(r.Table)-1)]) }
