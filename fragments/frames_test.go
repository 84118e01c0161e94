package fragments

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// The frames of the tests are put together from these parts, byte by byte as
// the RFCs draw them, and by nothing that the package itself writes with.

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func word(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func long(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

var (
	macs = []byte{0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02} // destination, source
	src4 = []byte{198, 51, 100, 7}
	dst4 = []byte{203, 0, 113, 10}
	src6 = []byte{0x20, 0x01, 0x0d, 0xb8, 15: 0x07}
	dst6 = []byte{0x20, 0x01, 0x0d, 0xb8, 0xca, 0xfe, 15: 0x10}
)

func eth(etherType int, parts ...[]byte) []byte {
	return cat(append([][]byte{macs, word(etherType)}, parts...)...)
}

// ip4 is an IPv4 packet. word counts offsets in eights; 0x2000 is More.
func ip4(proto, id, fragment int, options []byte, payload ...[]byte) []byte {
	header := 20 + len(options)
	return cat([]byte{0x40 | byte(header/4), 0xb9}, word(header+len(cat(payload...))), word(id), word(fragment),
		[]byte{64, byte(proto)}, word(0), src4, dst4, options, cat(payload...))
}

func ip6(next int, payload ...[]byte) []byte {
	p := cat(payload...)
	return cat([]byte{0x6b, 0x9f, 0xed, 0xcb}, word(len(p)), []byte{byte(next), 64}, src6, dst6, p)
}

// ext is an IPv6 extension header of 8 + 8 units bytes.
func ext(next, units int) []byte {
	return append([]byte{byte(next), byte(units)}, make([]byte, 6+8*units)...)
}

// auth is an authentication header of 8 + 4 units bytes.
func auth(next, units int) []byte {
	return append([]byte{byte(next), byte(units)}, make([]byte, 6+4*units)...)
}

// frag is an IPv6 fragment header; offset counts eights.
func frag(next, offset, more int, id uint32) []byte {
	return cat([]byte{byte(next), 0xff}, word(offset<<3|more), long(id))
}

func tcp(flags int) []byte {
	return cat(word(40000), word(443), make([]byte, 8), []byte{0x50, byte(flags)}, make([]byte, 6))
}

func udp(payload int) []byte {
	return cat(word(40000), word(443), word(8+payload), word(0), make([]byte, payload))
}

func sctp() []byte { return cat(word(40000), word(443), make([]byte, 8)) }

func zeros(n int) []byte { return make([]byte, n) }

// key4 and key6 are the keys of datagrams between the addresses above.
func key4(proto uint8, id uint16) flow.Key {
	return flow.Key{SrcLo: 0xc6336407, DstLo: 0xcb00710a, Proto: proto, Ports: uint32(id)}
}

func key6(id uint32) flow.Key {
	return flow.Key{SrcHi: 0x20010db8_00000000, SrcLo: 7, DstHi: 0x20010db8_cafe0000, DstLo: 0x10, IPv6: true, Ports: id}
}

// split cuts an IP packet, which packet.Parse finds whole behind an Ethernet
// header, into fragments at random places, of so many bytes of data. at is where its fragmentable part
// begins; for IPv6, next is the header that is there, and the byte that names
// it is at naming.
func split(r *rand.Rand, ip []byte, at, naming int, id uint32, smallest, largest int) (frames [][]byte) {
	data := ip[at:]
	for offset := 0; offset < len(data); {
		n := min(max(smallest, 8*(1+r.IntN(1+len(data)/16))), largest)
		more := 1
		if offset+n >= len(data) {
			n, more = len(data)-offset, 0
		}
		head := bytes.Clone(ip[:at])
		if head[0]>>4 == 4 {
			binary.BigEndian.PutUint16(head[2:], uint16(at+n))
			binary.BigEndian.PutUint16(head[4:], uint16(id))
			binary.BigEndian.PutUint16(head[6:], uint16(more<<13|offset/8))
			frames = append(frames, eth(packet.EtherTypeIPv4, head, data[offset:offset+n]))
		} else {
			next := int(head[naming])
			head[naming] = packet.ProtoFragment
			binary.BigEndian.PutUint16(head[4:], uint16(at-packet.IPv6Len+8+n))
			frames = append(frames, eth(packet.EtherTypeIPv6, head, frag(next, offset/8, more, id), data[offset:offset+n]))
		}
		offset += n
	}
	return frames
}
