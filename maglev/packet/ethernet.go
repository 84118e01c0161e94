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
// to the start of b and returns its length. b holds at least 18 bytes.
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

// untag finds the type and the start of the payload of a frame that is tagged,
// or that arrived on a port with a VLAN. ok is false for a foreign VLAN. A
// frame with VID 0 carries a priority only and counts as untagged (802.1Q,
// 9.6).
func untag(b []byte, vlan uint16) (etherType uint16, l3 int, ok bool) {
	etherType, l3 = be16(b[ethernetType:]), EthernetLen
	var id uint16
	if etherType == EtherTypeVLAN {
		if len(b) < EthernetLen+VLANLen {
			return 0, 0, false
		}
		id = be16(b[vlanTCI:]) & vlanID
		etherType, l3 = be16(b[vlanType:]), EthernetLen+VLANLen
	}
	return etherType, l3, id == vlan
}
