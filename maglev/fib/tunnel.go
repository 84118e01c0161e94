package fib

import (
	"errors"
	"fmt"
	"net/netip"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
)

// Geometry of a prepared header. It ends, whatever its family, at the end of
// a block of fixed size, so that writing it is a copy of constant length to
// the bytes in front of the inner packet: what the shorter headers leave
// unused lands in the frame's headroom.
const (
	// TunnelBlock is the size of the block: Ethernet 14, 802.1Q 4, IPv6 40
	// and GRE 4 make 62.
	TunnelBlock = 64

	// GREOverhead4 and GREOverhead6 are what the tunnel adds to an IP
	// packet, in bytes.
	GREOverhead4 = packet.IPv4Len + packet.GRELen
	GREOverhead6 = packet.IPv6Len + packet.GRELen

	outer4 = TunnelBlock - GREOverhead4 // offset of the outer IP header
	outer6 = TunnelBlock - GREOverhead6

	// ttl of the outer header: fresh, not the inner packet's (RFC 2003, 3.1).
	ttl = 64

	maxVLAN = 4094      // IEEE 802.1Q, 9.6: 4095 is reserved
	maxMTU  = 1<<16 - 1 // what the length field of an outer IPv4 header holds
)

// A Tunnel is a prepared way to one backend or node for inner packets of one
// family: from one source address by one next hop.
type Tunnel struct {
	MaxInner uint16            // largest inner packet in bytes that fits the egress port's MTU
	Port     uint16            // index of the egress port
	Len      uint8             // bytes of the block that belong to the frame, from its end
	ipv6     bool              // the outer family
	rest     uint32            // checksum of the outer IPv4 header without the patched fields
	block    [TunnelBlock]byte // ends with the header; what an outer IPv4 header is patched with is zero
}

// Write puts the header for an inner packet of n bytes, n <= MaxInner, into b,
// which ends where the inner packet begins. tos is the inner
// packet's: DSCP and ECN go outward (RFC 2983, RFC 6040, 4.1 in normal mode).
// hash is the flow's; of an outer IPv6 header its lowest 20 bits are the flow
// label, so that routers spread the flows of one tunnel (RFC 6438, 3).
// Every byte of the frame's part of the block is written.
func (t *Tunnel) Write(b *[TunnelBlock]byte, n uint16, tos uint8, hash uint64) {
	*b = t.block
	if t.ipv6 {
		packet.SetIPv6(b[outer6:outer6+packet.IPv6Len], tos, n+packet.GRELen)
		packet.SetFlowLabel(b[outer6:outer6+packet.IPv6Len], uint32(hash))
		return
	}
	packet.SetIPv4(b[outer4:outer4+packet.IPv4Len], tos, n+GREOverhead4, t.rest)
}

// TunnelSpec says what a tunnel is made of.
type TunnelSpec struct {
	Src, Dst   netip.Addr // outer addresses, of one family
	InnerIPv6  bool       // family of the inner packets: the VIP's
	Marked     bool       // to another node of the fleet, which is to send nothing on; see packet.MarkGRE
	Port       uint16     // index of the egress port
	MTU        int        // of that port
	VLAN       uint16     // of that port; 0: untagged
	SrcMAC     [6]byte    // that port's
	NextHopMAC [6]byte
}

func newTunnel(s TunnelSpec) (Tunnel, error) {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	src, dst := s.Src.Unmap(), s.Dst.Unmap()
	if !unicast(src) || !unicast(dst) || src.Is4() != dst.Is4() {
		fault("from %v to %v: need two unicast addresses of one family", s.Src, s.Dst)
	} else if src == dst {
		fault("to %v: that is our own address", s.Dst)
	}
	if s.VLAN > maxVLAN {
		fault("to %v: there is no VLAN %d", s.Dst, s.VLAN)
	}
	if s.SrcMAC[0]&1 != 0 || s.NextHopMAC[0]&1 != 0 {
		fault("to %v: from MAC address % x to % x: one is of a group", s.Dst, s.SrcMAC, s.NextHopMAC)
	}
	overhead, etherType := GREOverhead4, uint16(packet.EtherTypeIPv4)
	if src.Is6() {
		overhead, etherType = GREOverhead6, packet.EtherTypeIPv6
	}
	if s.MTU <= overhead || s.MTU > maxMTU {
		fault("to %v: an MTU of %d, want %d to %d", s.Dst, s.MTU, overhead+1, maxMTU)
	}
	if len(errs) > 0 {
		return Tunnel{}, errors.Join(errs...)
	}
	t := Tunnel{Port: s.Port, ipv6: src.Is6(), MaxInner: uint16(s.MTU - overhead)}

	ethernet := packet.EthernetLen
	if s.VLAN != 0 {
		ethernet += packet.VLANLen
	}
	t.Len = uint8(ethernet + overhead)
	var eth [packet.EthernetLen + packet.VLANLen]byte
	packet.PutEthernet(eth[:], s.NextHopMAC, s.SrcMAC, s.VLAN, etherType)
	copy(t.block[TunnelBlock-int(t.Len):], eth[:ethernet])
	if t.ipv6 {
		packet.PutIPv6(t.block[outer6:], ttl, packet.ProtoGRE, src.As16(), dst.As16())
	} else {
		_, from, _ := flow.Words(src)
		_, to, _ := flow.Words(dst)
		packet.PutIPv4(t.block[outer4:], ttl, packet.ProtoGRE, uint32(from), uint32(to))
		t.rest = packet.IPv4Rest(t.block[outer4:])
		packet.ClearIPv4(t.block[outer4:])
	}
	inner := uint16(packet.EtherTypeIPv4)
	if s.InnerIPv6 {
		inner = packet.EtherTypeIPv6
	}
	gre := t.block[TunnelBlock-packet.GRELen:]
	packet.PutGRE(gre, inner)
	if s.Marked {
		packet.MarkGRE(gre)
	}
	return t, nil
}

// unicast tells whether an outer header can have a for an address. One with a
// zone means something to one machine only.
func unicast(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a.Zone() == ""
}
