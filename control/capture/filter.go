package capture

import (
	"encoding/binary"

	"golang.org/x/net/bpf"

	"guideway/maglev/packet"
)

// A filter matches a frame if it matches the frame itself, or the IP packet
// behind its VLAN tag, or the one in its GRE tunnel. So one filter speaks of a
// client's packet before and after encapsulation, and of the tunnel too.
type filter struct {
	frame *machine
	ip    *machine // nil: the filter speaks of frames only, as "arp" does
}

// newFilter makes what the cores ask of each frame; nil: they need not ask.
func newFilter(compile func(string, bool) ([]bpf.RawInstruction, error), text string) (func([]byte) bool, error) {
	if text == "" {
		return nil, nil
	}
	program, err := compile(text, false)
	if err != nil {
		return nil, err
	}
	f := new(filter)
	if f.frame, err = newMachine(program); err != nil {
		return nil, err
	}
	if program, err := compile(text, true); err == nil {
		if f.ip, err = newMachine(program); err != nil {
			return nil, err
		}
	}
	return f.match, nil
}

// match is called by the cores.
func (f *filter) match(frame []byte) bool {
	if f.frame.run(frame) {
		return true
	}
	if f.ip == nil || len(frame) < packet.EthernetLen {
		return false
	}
	etherType, ip := binary.BigEndian.Uint16(frame[packet.EthernetLen-2:]), frame[packet.EthernetLen:]
	if etherType == packet.EtherTypeVLAN && len(ip) >= packet.VLANLen {
		etherType, ip = binary.BigEndian.Uint16(ip[packet.VLANLen-2:]), ip[packet.VLANLen:]
		if isIP(etherType) && f.ip.run(ip) {
			return true
		}
	}
	inner := inGRE(etherType, ip)
	return inner != nil && f.ip.run(inner)
}

func isIP(etherType uint16) bool {
	return etherType == packet.EtherTypeIPv4 || etherType == packet.EtherTypeIPv6
}

// inGRE returns the IP packet in a tunnel such as nodes and backends get them
// by: GRE without options, in a packet that is whole; or nil.
func inGRE(etherType uint16, ip []byte) []byte {
	var gre []byte
	switch {
	case etherType == packet.EtherTypeIPv4 && len(ip) >= packet.IPv4Len:
		words := int(ip[0]&15) * 4
		if later := binary.BigEndian.Uint16(ip[6:]) & 0x1fff; ip[9] != packet.ProtoGRE || later != 0 || words < packet.IPv4Len || words > len(ip) {
			return nil
		}
		gre = ip[words:]
	case etherType == packet.EtherTypeIPv6 && len(ip) >= packet.IPv6Len:
		if ip[6] != packet.ProtoGRE {
			return nil
		}
		gre = ip[packet.IPv6Len:]
	}
	if len(gre) < packet.GRELen || binary.BigEndian.Uint16(gre)&^packet.GRERecursion != 0 || !isIP(binary.BigEndian.Uint16(gre[packet.GREProtocol:])) {
		return nil
	}
	return gre[packet.GRELen:]
}
