// Package flow names a connection: the 5-tuple as a flat, pointer-free key,
// and the hashes over it.
package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A Key is the 5-tuple of a packet on its way from a client to a VIP: source
// and destination address, protocol, and for protocols that have them the
// ports.
//
// Addresses are the big-endian numbers of their bytes: an IPv6 address in two
// halves, an IPv4 address in the Lo half with Hi zero. The key is flat so that
// comparing, hashing and storing it costs a few machine words, and so that
// tables of keys hold nothing for the garbage collector to scan.
type Key struct {
	SrcHi, SrcLo uint64
	DstHi, DstLo uint64
	Ports        uint32 // source port << 16 | destination port; 0 where the protocol has none
	Proto        uint8  // IANA protocol number, of the last header
	IPv6         bool
}

// SrcPort returns the source port.
func (k *Key) SrcPort() uint16 { return uint16(k.Ports >> 16) }

// DstPort returns the destination port.
func (k *Key) DstPort() uint16 { return uint16(k.Ports) }

// Src returns the source address.
func (k *Key) Src() netip.Addr { return address(k.SrcHi, k.SrcLo, k.IPv6) }

// Dst returns the destination address.
func (k *Key) Dst() netip.Addr { return address(k.DstHi, k.DstLo, k.IPv6) }

// SetSrc sets the source address, of the same family as the destination.
func (k *Key) SetSrc(a netip.Addr) { k.SrcHi, k.SrcLo, k.IPv6 = Words(a) }

// SetDst sets the destination address, of the same family as the source.
func (k *Key) SetDst(a netip.Addr) { k.DstHi, k.DstLo, k.IPv6 = Words(a) }

// NewKey makes the key of a packet from src to dst, for tests and for people's
// questions; the packet path fills keys from headers. Both addresses are of
// one family.
func NewKey(proto uint8, src, dst netip.AddrPort) Key {
	k := Key{Proto: proto, Ports: uint32(src.Port())<<16 | uint32(dst.Port())}
	k.SetSrc(src.Addr())
	k.SetDst(dst.Addr())
	return k
}

// Words returns a as the two words that a Key holds. An IPv4-mapped IPv6
// address counts as IPv4.
func Words(a netip.Addr) (hi, lo uint64, ipv6 bool) {
	a = a.Unmap()
	if a.Is4() {
		b := a.As4()
		return 0, uint64(binary.BigEndian.Uint32(b[:])), false
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), true
}

func address(hi, lo uint64, ipv6 bool) netip.Addr {
	if !ipv6 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return netip.AddrFrom16(b)
}

// String gives the key as people write it: "tcp 198.51.100.7:4711 > 203.0.113.10:80".
func (k Key) String() string {
	name, ok := map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}[k.Proto]
	if !ok {
		name = fmt.Sprintf("proto-%d", k.Proto)
	}
	return fmt.Sprintf("%s %s > %s", name,
		netip.AddrPortFrom(k.Src(), k.SrcPort()), netip.AddrPortFrom(k.Dst(), k.DstPort()))
}
