package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// A sent is one frame that came out, taken apart.
type sent struct {
	port  string
	frame []byte
	used  bool // by the line that foresaw it
	ip    []byte

	// Of a tunnel:
	tunnel   bool
	marked   bool // from node to node
	src, dst netip.Addr
	label    uint32 // of IPv6
	inner    []byte
}

// What the nodes of all configurations have in common.
var nextHops = map[string][]byte{"wan": {2, 0, 0, 0, 0, 1}, "lan": {2, 0, 0, 0, 0, 2}, "jumbo": {2, 0, 0, 0, 0, 2}}

// etherAt returns where a frame's type behind its tag is, and the VLAN; 0: no
// tag, or one of a priority alone.
func etherAt(frame []byte) (at int, vlan uint16) {
	if len(frame) >= 18 && binary.BigEndian.Uint16(frame[12:]) == 0x8100 {
		return 16, binary.BigEndian.Uint16(frame[14:]) & 0xfff
	}
	return 12, 0
}

// packetOf returns the IP packet in a frame, without what is behind it, or nil.
func packetOf(frame []byte) []byte {
	if len(frame) < 14 {
		return nil
	}
	at, _ := etherAt(frame)
	b := frame[at+2:]
	switch etherType := binary.BigEndian.Uint16(frame[at:]); {
	case etherType == 0x0800 && len(b) >= 20:
		if n := int(binary.BigEndian.Uint16(b[2:])); n >= 20 && n <= len(b) {
			return b[:n]
		}
	case etherType == 0x86dd && len(b) >= 40:
		if n := 40 + int(binary.BigEndian.Uint16(b[4:])); n <= len(b) {
			return b[:n]
		}
	}
	return nil
}

// readSent takes a frame that came out by a port apart, and finds fault with
// whatever no frame that leaves may have.
func (e *expectation) readSent(port string, frame []byte) (*sent, error) {
	s := &sent{port: port, frame: frame}
	_, vlan := etherAt(frame)
	if vlan != e.tags[port] {
		return nil, fmt.Errorf("VLAN %d by port %s", vlan, port)
	}
	if s.ip = packetOf(frame); s.ip == nil {
		return s, nil // the kernel's: ARP and the like
	}
	if len(s.ip) > e.mtu {
		return nil, fmt.Errorf("a packet of %d bytes", len(s.ip))
	}
	b := s.ip
	var gre []byte
	switch {
	case b[0]>>4 == 4 && b[9] == 47 && sum(b[:20]) == 0xffff:
		s.src, s.dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		if b[0] != 0x45 || b[8] != 64 || binary.BigEndian.Uint16(b[6:]) != 0x4000 {
			return nil, fmt.Errorf("outer header %x, want five words, TTL 64 and Don't Fragment", b[:20])
		}
		gre = b[20:]
	case b[0]>>4 == 6 && b[6] == 47:
		s.src, s.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		if s.label = binary.BigEndian.Uint32(b) & 0xfffff; b[7] != 64 || s.label == 0 {
			return nil, fmt.Errorf("outer header %x, want hop limit 64 and a flow label", b[:40])
		}
		gre = b[40:]
	case b[0]>>4 == 4 && sum(b[:int(b[0]&15)*4]) != 0xffff:
		return nil, fmt.Errorf("wrong header checksum")
	default:
		return s, nil
	}
	s.tunnel, s.inner = true, gre[4:]
	flags, etherType := binary.BigEndian.Uint16(gre), binary.BigEndian.Uint16(gre[2:])
	s.marked = flags == 0x0100
	version := map[uint16]byte{0x0800: 4, 0x86dd: 6}[etherType]
	switch {
	case flags != 0 && !s.marked, len(s.inner) == 0, s.inner[0]>>4 != version:
		return nil, fmt.Errorf("GRE %x around %x", gre[:4], s.inner[:min(20, len(s.inner))])
	case s.padded():
		return nil, fmt.Errorf("padding of what came in behind the tunnel")
	case !bytes.Equal(frame[:6], nextHops[port]):
		return nil, fmt.Errorf("sent to %x, not to the next hop", frame[:6])
	case !slices.Contains(e.from(), s.src):
		return nil, fmt.Errorf("outer source %s", s.src)
	case tosOf(s.ip) != tosOf(s.inner):
		return nil, fmt.Errorf("outer TOS %#x, inner %#x", tosOf(s.ip), tosOf(s.inner))
	}
	return s, nil
}

// padded tells whether there is anything behind the packet.
func (s *sent) padded() bool {
	at, _ := etherAt(s.frame)
	return s.ip != nil && len(s.frame) != at+2+len(s.ip)
}

// from are the addresses that tunnels may come from.
func (e *expectation) from() []netip.Addr {
	return append(defaultSources, e.sources...)
}

func tosOf(packet []byte) byte {
	if packet[0]>>4 == 4 {
		return packet[1]
	}
	return packet[0]<<4 | packet[1]>>4
}

// sum is the one's complement sum of RFC 1071.
func sum(parts ...[]byte) uint16 {
	total := uint32(0)
	for i, b := range bytes.Join(parts, nil) {
		if i%2 == 0 {
			total += uint32(b) << 8
		} else {
			total += uint32(b)
		}
		total = total&0xffff + total>>16
	}
	return uint16(total)
}

// whole tells whether the checksum of what an IP packet carries is right, over
// the pseudo-header of its version where the protocol has one.
func whole(packet []byte) bool {
	proto, payload, addresses := int(packet[9]), packet[20:], packet[12:20]
	if packet[0]>>4 == 6 {
		proto, payload, addresses = int(packet[6]), packet[40:], packet[8:40]
	}
	if proto == 1 {
		return sum(payload) == 0xffff
	}
	return sum(addresses, word(len(payload)), word(proto), payload) == 0xffff
}

func word(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
