package packet

// A Result tells what Parse made of a frame.
type Result uint8

// The results. All but Whole and Fragment mean that the frame is not to be
// forwarded.
const (
	Unparsed           Result = iota // the zero value: nothing looked at the frame
	Whole                            // a whole IP packet: Headers is complete
	Fragment                         // an IP fragment: all of Headers but TCPFlags and Ports, which are zero
	TruncatedFrame                   // the frame ends inside its Ethernet header or 802.1Q tag
	GroupAddress                     // sent to a link-layer group (RFC 1122, 3.3.6)
	ForeignVLAN                      // tagged for another VLAN, or untagged on a tagged port
	NotIP                            // neither IPv4 nor IPv6; so are a second tag and IEEE 802.3 lengths
	BadVersion                       // the version field disagrees with the EtherType
	TruncatedHeader                  // the frame or the IP packet ends inside an IP or extension header
	BadHeaderLength                  // an IPv4 header length below five words
	BadLength                        // the IP length is below the header's or beyond the frame
	TooManyExtensions                // more IPv6 extension headers than we walk over
	TruncatedTransport               // the IP packet ends inside the fixed part of its TCP, UDP or SCTP header
	Results                          // how many there are
)

// Headers is what Parse finds in a frame. Offsets count from the frame's first
// byte.
//
// L4 is behind the IP header and all of its extensions, and Proto names what is
// there. In an IPv6 fragment that is the fragment header: what follows it is a
// part of a packet, which need not begin with any header.
type Headers struct {
	L3  uint16 // offset of the IP header
	L4  uint16 // offset of the header behind it
	End uint16 // offset behind the IP packet by its own length: padding begins here

	Proto         uint8 // protocol of the header at L4
	TOS           uint8 // IPv4 TOS or IPv6 traffic class: DSCP and ECN
	TCPFlags      uint8 // 0 unless Proto is TCP
	IPv6          bool
	Ports         bool // the header at L4 begins with ports, and its fixed part is there
	FirstFragment bool // of a Fragment: its offset is zero
}

// MaxFrame is how much of a frame Parse reads, in bytes: as far as 16-bit
// offsets reach. An IP packet that ends beyond it has a BadLength.
const MaxFrame = 1<<16 - 1

// Parse reads the headers of frame, which arrived on a port of the given VLAN
// (0: untagged), into h. What h holds is defined for Whole and Fragment only,
// and does not depend on what it held before, nor on padding.
//
// No length in the frame is believed beyond what len(frame) bears out. Header
// fields that only the packet's receiver acts on are left to it: addresses,
// checksums, IPv4 options, the TCP data offset, UDP's own length.
func Parse(frame []byte, vlan uint16, h *Headers) Result {
	frame = frame[:min(len(frame), MaxFrame)]
	if len(frame) < EthernetLen {
		return TruncatedFrame
	}
	if frame[ethernetDst]&1 != 0 {
		return GroupAddress
	}
	etherType, l3 := be16(frame[ethernetType:]), EthernetLen
	if etherType == EtherTypeVLAN || vlan != 0 {
		var result Result
		if etherType, l3, result = untag(frame, etherType, vlan); result != Unparsed {
			return result
		}
	}
	switch etherType {
	case EtherTypeIPv4:
		return parseIPv4(frame, l3, h)
	case EtherTypeIPv6:
		return parseIPv6(frame, l3, h)
	}
	return NotIP
}
