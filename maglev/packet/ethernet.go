package packet

// Ethernet II, IEEE 802.3, and the 802.1Q tag:
//
//	 0         6        12    14
//	+---------+---------+-----+---------
//	| dst MAC | src MAC | type| payload
//	+---------+---------+-----+---------
//
//	 0         6        12    14   16    18
//	+---------+---------+-----+----+-----+---------
//	| dst MAC | src MAC | 8100| TCI| type| payload      TCI: PCP 3, DEI 1, VID 12
//	+---------+---------+-----+----+-----+---------
const (
	EthernetLen = 14
	VLANLen     = 4

	ethernetDst  = 0
	ethernetSrc  = 6
	ethernetType = 12
	vlanTCI      = 14
	vlanType     = 16
)

// EtherTypes.
const (
	EtherTypeIPv4 = 0x0800
	EtherTypeARP  = 0x0806
	EtherTypeVLAN = 0x8100
	EtherTypeIPv6 = 0x86dd
)

// vlanID masks the VLAN identifier in a TCI.
const vlanID = 0x0fff

// PutEthernet writes an Ethernet header, with an 802.1Q tag unless vlan is 0,
// to the start of b and returns its length, 14 or 18. Of vlan, the 12 bits of a
// VLAN identifier count; priority and DEI are 0.
func PutEthernet(b []byte, dst, src [6]byte, vlan, etherType uint16) int {
	copy(b[ethernetDst:], dst[:])
	copy(b[ethernetSrc:], src[:])
	if vlan == 0 {
		put16(b[ethernetType:], etherType)
		return EthernetLen
	}
	put16(b[ethernetType:], EtherTypeVLAN)
	put16(b[vlanTCI:], vlan&vlanID)
	put16(b[vlanType:], etherType)
	return EthernetLen + VLANLen
}

// untag finds the type and the start of the payload of a frame whose first
// type is etherType, a tag or not, and which arrived on a port of the given
// VLAN. The result is Unparsed if the frame is ours so far. A frame with VID 0
// carries a priority only and counts as untagged (802.1Q, 9.6).
func untag(b []byte, etherType, vlan uint16) (inner uint16, l3 int, result Result) {
	id := uint16(0)
	inner, l3 = etherType, EthernetLen
	if etherType == EtherTypeVLAN {
		if len(b) < EthernetLen+VLANLen {
			return 0, 0, TruncatedFrame
		}
		id = be16(b[vlanTCI:]) & vlanID
		inner, l3 = be16(b[vlanType:]), EthernetLen+VLANLen
	}
	if id != vlan {
		return 0, 0, ForeignVLAN
	}
	return inner, l3, Unparsed
}
