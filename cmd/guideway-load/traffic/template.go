package traffic

import (
	"encoding/binary"
	"math"

	"guideway/maglev/packet"
	"guideway/pmd"
)

// Wire formats.
const (
	tcpLen, udpLen = 20, 8
	tcpSequence    = 4
	tcpFlags       = 13
	tcpPush        = 0x08 // RFC 9293, 3.1

	ipv4Total, ipv4ID, ipv4Offset, ipv4Checksum = 2, 4, 6, 10
	ipv4DontFragment, ipv4MoreFragments         = 0x4000, 0x2000

	// IPv6 fragment header, RFC 8200, 4.5: next header 8, reserved 8, offset 13,
	// reserved 2, M 1, identification 32.
	ipv6FragmentLen = 8

	ttl = 64
)

const (
	// MaxFrame is the longest frame, or datagram before it is cut.
	MaxFrame = 1<<16 - 1
	// MinCut is the least size of fragments: the first of IPv6 has its headers and
	// a tag, and data in multiples of eight bytes.
	MinCut = packet.IPv6Len + ipv6FragmentLen + (udpLen+pieceTagLen+7)/8*8
	// leastFrame is Ethernet's least, without the checksum.
	leastFrame = 60
	// headLen has room for all headers and a tag, and is written at once.
	headLen = 96
)

// A template is what the packets to one service have in common.
type template struct {
	head    [headLen]byte // headers, then zeros
	l3, l4  int           // offsets; of a packet that is whole
	ipv6    bool
	proto   uint8
	clients *prefix
	base    uint32 // the last four bytes of a client's address, whose number is zero
	src     int    // their offset
	ipSum   uint64 // of an IPv4 header, but for length, identification, offset, and base
	sum     uint64 // of pseudo and transport header, but for lengths, base, client's port, sequence and flags
}

func newTemplate(s *Spec, service Service, clients *prefix) template {
	t := template{ipv6: service.Addr.Is6(), proto: service.Proto, clients: clients, base: uint32(clients.lo)}
	b := t.head[:]
	if t.ipv6 {
		t.l3 = packet.PutEthernet(b, s.DstMAC, s.SrcMAC, s.VLAN, packet.EtherTypeIPv6)
		t.l4 = t.l3 + packet.IPv6Len
		t.src = t.l3 + packet.IPv6Src + 12
		packet.PutIPv6(b[t.l3:], ttl, t.proto, address(clients.hi, clients.lo), service.Addr.As16())
		t.sum = packet.Sum(b[t.l3+packet.IPv6Src : t.l4])
	} else {
		t.l3 = packet.PutEthernet(b, s.DstMAC, s.SrcMAC, s.VLAN, packet.EtherTypeIPv4)
		t.l4 = t.l3 + packet.IPv4Len
		t.src = t.l3 + packet.IPv4Src
		_, dst := words(service.Addr)
		packet.PutIPv4(b[t.l3:], ttl, t.proto, t.base, uint32(dst))
		t.sum = packet.Sum(b[t.l3+packet.IPv4Src : t.l4])
	}
	// What is patched is taken out of the sums: adding the complement is to subtract.
	base := complement(halves(t.base))
	t.sum = uint64(packet.Fold(t.sum + base + uint64(t.proto) + uint64(service.Port)))
	binary.BigEndian.PutUint16(b[t.l4+2:], service.Port)
	if t.proto == packet.ProtoTCP {
		const headerLen, window = tcpLen / 4 << 12, 0xffff
		binary.BigEndian.PutUint16(b[t.l4+12:], headerLen)
		binary.BigEndian.PutUint16(b[t.l4+14:], window)
		t.sum += headerLen + window
	}
	if !t.ipv6 {
		t.ipSum = uint64(packet.IPv4Rest(t.head[t.l3:])) + base + complement(ipv4DontFragment)
	}
	return t
}

// complement returns what subtracts a sum from another.
func complement(sum uint64) uint64 { return uint64(^packet.Fold(sum)) }

// halves adds up the 16-bit words of v.
func halves(v uint32) uint64 { return uint64(v>>16) + uint64(v&0xffff) }

func address(hi, lo uint64) (a [16]byte) {
	binary.BigEndian.PutUint64(a[:], hi)
	binary.BigEndian.PutUint64(a[8:], lo)
	return a
}

// transportLen is the length of the transport header.
func (t *template) transportLen() int {
	if t.proto == packet.ProtoTCP {
		return tcpLen
	}
	return udpLen
}

// least is the length of the shortest frame.
func (t *template) least() int { return max(leastFrame, t.l4+t.transportLen()+tagLen) }

// A one is what makes a packet this one.
type one struct {
	host     uint32 // the client's number
	port     uint16
	flags    uint8 // of TCP
	sequence uint32
	stamp    int64
}

// put makes f the whole packet, size bytes long, size >= least.
func (t *template) put(f *pmd.Frame, size int, o *one) {
	b := f.Window(0, max(size, headLen))
	if b == nil { // a port whose buffers are shorter than what it was opened for
		return
	}
	*(*[headLen]byte)(b) = t.head
	if size > headLen {
		clear(b[headLen:])
	}
	src := t.base | o.host
	binary.BigEndian.PutUint32(b[t.src:], src)
	length := uint64(size - t.l3)
	if t.ipv6 {
		length -= packet.IPv6Len
		binary.BigEndian.PutUint16(b[t.l3+4:], uint16(length))
	} else {
		ip := b[t.l3:]
		binary.BigEndian.PutUint16(ip[ipv4Total:], uint16(length))
		binary.BigEndian.PutUint16(ip[ipv4Checksum:], ^packet.Fold(t.ipSum+halves(src)+length+ipv4DontFragment))
		length -= packet.IPv4Len
	}
	l4 := b[t.l4:]
	binary.BigEndian.PutUint16(l4, o.port)
	sum := t.sum + halves(src) + uint64(o.port) + length
	if t.proto == packet.ProtoTCP {
		binary.BigEndian.PutUint32(l4[tcpSequence:], o.sequence)
		l4[tcpFlags] = o.flags
		sum += halves(o.sequence) + uint64(o.flags) + putTag(l4[tcpLen:], o.stamp, o.sequence)
		binary.BigEndian.PutUint16(l4[16:], ^packet.Fold(sum))
	} else {
		binary.BigEndian.PutUint16(l4[4:], uint16(length))
		sum += length + putTag(l4[udpLen:], o.stamp, o.sequence)
		binary.BigEndian.PutUint16(l4[6:], udpChecksum(sum))
	}
	f.Recut(0, size)
}

// udpChecksum returns what stands for a sum: 0 means that there is none (RFC 768).
func udpChecksum(sum uint64) uint16 {
	if c := ^packet.Fold(sum); c != 0 {
		return c
	}
	return math.MaxUint16
}
