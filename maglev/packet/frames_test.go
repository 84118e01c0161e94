package packet

import (
	"bytes"
	"encoding/binary"
)

// The frames of the tests are put together from these parts, byte by byte as
// the RFCs draw them, and by nothing that the package itself writes with.

// cat joins parts.
func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// word is a big-endian 16-bit word.
func word(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

var macs = []byte{0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02} // destination, source

// eth is a frame whose type is followed by the given parts.
func eth(etherType int, parts ...[]byte) []byte {
	return cat(append([][]byte{macs, word(etherType)}, parts...)...)
}

// vlan is a frame with one 802.1Q tag.
func vlan(tci, etherType int, parts ...[]byte) []byte {
	return eth(0x8100, append([][]byte{word(tci), word(etherType)}, parts...)...)
}

var (
	src4 = []byte{198, 51, 100, 7}
	dst4 = []byte{203, 0, 113, 10}
	src6 = []byte{0x20, 0x01, 0x0d, 0xb8, 15: 0x07}
	dst6 = []byte{0x20, 0x01, 0x0d, 0xb8, 0xca, 0xfe, 15: 0x10}
)

// ip4 is an IPv4 packet; its TOS is 0xb9.
func ip4(proto int, fragment int, options []byte, payload ...[]byte) []byte {
	header := 20 + len(options)
	total := header + len(cat(payload...))
	h := cat([]byte{0x40 | byte(header/4), 0xb9}, word(total), word(0x1234), word(fragment),
		[]byte{64, byte(proto)}, word(0), src4, dst4, options)
	binary.BigEndian.PutUint16(h[10:], ^plainSum(h))
	return cat(append([][]byte{h}, payload...)...)
}

// ip6 is an IPv6 packet; its traffic class is 0xb9 and its flow label not zero.
func ip6(next int, payload ...[]byte) []byte {
	p := cat(payload...)
	return cat([]byte{0x6b, 0x9f, 0xed, 0xcb}, word(len(p)), []byte{byte(next), 64}, src6, dst6, p)
}

// ext is an IPv6 extension header of 8 + 8 units bytes, filled with Pad1.
func ext(next, units int) []byte {
	return append([]byte{byte(next), byte(units)}, make([]byte, 6+8*units)...)
}

// auth is an authentication header of 8 + 4 units bytes.
func auth(next, units int) []byte {
	return append([]byte{byte(next), byte(units)}, make([]byte, 6+4*units)...)
}

// frag is an IPv6 fragment header. Its reserved byte is set, for nobody to
// take it for a length; offset counts units of eight bytes.
func frag(next, offset, more int) []byte {
	return cat([]byte{byte(next), 0xff}, word(offset<<3|more), word(0xdead), word(0xbeef))
}

func tcp(flags int) []byte {
	return cat(word(40000), word(443), make([]byte, 8), []byte{0x50, byte(flags)}, make([]byte, 6))
}

func udp(payload int) []byte {
	return cat(word(40000), word(443), word(8+payload), word(0), make([]byte, payload))
}

func sctp() []byte { return cat(word(40000), word(443), make([]byte, 8)) }

func zeros(n int) []byte { return make([]byte, n) }

// plainSum is RFC 1071 as it is written there: 16-bit words, the carry brought
// round after each.
func plainSum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		if sum += w; sum > 0xffff {
			sum -= 0xffff
		}
	}
	return uint16(sum)
}

var resultNames = [Results]string{"Unparsed", "Whole", "Fragment", "TruncatedFrame", "GroupAddress", "ForeignVLAN", "NotIP",
	"BadVersion", "TruncatedHeader", "BadHeaderLength", "BadLength", "TooManyExtensions", "TruncatedTransport"}

func name(r Result) string { return resultNames[r] }
