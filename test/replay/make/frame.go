package main

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// The stations: the router that all packets come from, and the node.
var (
	routerMAC = []byte{2, 0, 0, 0, 0, 0x99}
	nodeMAC   = []byte{2, 0, 0, 0, 0, 0x11}
	everyone  = bytes.Repeat([]byte{0xff}, 6)
)

// Protocols, as IANA numbers them.
const (
	hopByHop, icmp4, ipip, tcp6, udp17, ipv6 = 0, 1, 4, 6, 17, 41
	routing, fragment, gre47, esp, ah        = 43, 44, 47, 50, 51
	icmp6, noNext, destination, ospf, sctp   = 58, 59, 60, 89, 132
)

// Bits of the IPv4 fragment word.
const (
	df   = 0x4000
	more = 0x2000
)

// An ip is an IP packet but for its payload; its version is that of src.
type ip struct {
	src, dst string
	tos      byte
	ttl      byte   // 0: 61
	id       uint16 // IPv4
	word     uint16 // IPv4: flags, and the offset in units of eight bytes
	options  []byte // IPv4, of whole words
	chain    []ext  // IPv6
}

// An ext is an IPv6 extension header, of whole eights but for AH; its first two
// bytes are filled in.
type ext struct {
	kind byte
	body []byte
}

func (h ip) is6() bool { return netip.MustParseAddr(h.src).Is6() }

// packet is the IP packet with a payload.
func (h ip) packet(proto byte, payload ...[]byte) []byte {
	data := cat(payload...)
	src, dst := netip.MustParseAddr(h.src).AsSlice(), netip.MustParseAddr(h.dst).AsSlice()
	if h.ttl == 0 {
		h.ttl = 61
	}
	if !h.is6() {
		n := 20 + len(h.options)
		b := cat([]byte{0x40 | byte(n/4), h.tos}, word(n+len(data)), word(int(h.id)), word(int(h.word)), []byte{h.ttl, proto, 0, 0}, src, dst, h.options)
		binary.BigEndian.PutUint16(b[10:], ^sum(b))
		return append(b, data...)
	}
	next := proto
	for i := len(h.chain) - 1; i >= 0; i-- {
		b := bytes.Clone(h.chain[i].body)
		b[0] = next
		switch h.chain[i].kind {
		case ah:
			b[1] = byte(len(b)/4 - 2) // RFC 4302, 2.2
		case fragment: // it has no length
		default:
			b[1] = byte(len(b)/8 - 1)
		}
		next = h.chain[i].kind
		data = append(b, data...)
	}
	return cat([]byte{0x60 | h.tos>>4, h.tos<<4 | 0x0a, 0xbc, 0xde}, word(len(data)), []byte{next, h.ttl}, src, dst, data)
}

// transport fills in a transport header's checksum, which is at offset at.
func (h ip) transport(proto byte, at int, segment []byte) []byte {
	pseudo := cat(netip.MustParseAddr(h.src).AsSlice(), netip.MustParseAddr(h.dst).AsSlice(), word(len(segment)), word(int(proto)))
	c := ^sum(pseudo, segment)
	if c == 0 && proto == udp17 {
		c = 0xffff // RFC 768
	}
	binary.BigEndian.PutUint16(segment[at:], c)
	return segment
}

// TCP flags.
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

func (h ip) tcpSegment(sport, dport int, flags byte, options []byte, payload int) []byte {
	return h.transport(tcp6, 16, cat(word(sport), word(dport), long(0x01020304), long(0x0a0b0c0d),
		[]byte{byte(20+len(options)) / 4 << 4, flags}, word(1024), word(0), word(0), options, text(payload)))
}

func (h ip) udpDatagram(sport, dport, payload int) []byte {
	return h.transport(udp17, 6, cat(word(sport), word(dport), word(8+payload), word(0), text(payload)))
}

// tcp and udp are whole frames.
func (h ip) tcp(sport, dport int, flags byte, payload int) []byte {
	return eth(h.packet(tcp6, h.tcpSegment(sport, dport, flags, nil, payload)))
}

func (h ip) udp(sport, dport, payload int) []byte {
	return eth(h.packet(udp17, h.udpDatagram(sport, dport, payload)))
}

// icmp is a whole frame with an ICMP message, or ICMPv6 by the addresses.
func (h ip) icmp(kind, code byte, rest uint32, body ...[]byte) []byte {
	message := cat([]byte{kind, code, 0, 0}, long(rest), cat(body...))
	if h.is6() {
		return eth(h.packet(icmp6, h.transport(icmp6, 2, message)))
	}
	binary.BigEndian.PutUint16(message[2:], ^sum(message))
	return eth(h.packet(icmp4, message))
}

// eth puts an IP packet into a frame for the node.
func eth(packet []byte) []byte {
	etherType := 0x0800
	if packet[0]>>4 == 6 {
		etherType = 0x86dd
	}
	return cat(nodeMAC, routerMAC, word(etherType), packet)
}

// tagged puts an 802.1Q tag, or another of its kind, into a frame.
func tagged(kind, tci int, frame []byte) []byte {
	return cat(frame[:12], word(kind), word(tci), frame[12:])
}

// padded fills a frame up to the Ethernet minimum with bytes that must not come
// out again.
func padded(frame []byte) []byte {
	for len(frame) < 60 {
		frame = append(frame, 0xee)
	}
	return frame
}

// patched is a frame with bytes replaced from an offset on.
func patched(frame []byte, at int, with ...byte) []byte {
	return cat(frame[:at], with, frame[at+len(with):])
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func word(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

func long(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// text is payload of which no part looks like another.
func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13)
	}
	return b
}

// sum is the one's complement sum of RFC 1071.
func sum(parts ...[]byte) uint16 {
	total := uint32(0)
	for i, b := range cat(parts...) {
		if i%2 == 0 {
			total += uint32(b) << 8
		} else {
			total += uint32(b)
		}
		total = total&0xffff + total>>16
	}
	return uint16(total)
}
