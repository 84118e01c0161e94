package packet

// A Result tells what Parse made of a frame.
type Result uint8

// The results. All but Whole and Fragment mean that the frame is not to be
// forwarded.
const (
	Unparsed           Result = iota // the zero value: nothing looked at the frame
	Whole                            // a whole IP packet: Headers is complete
	Fragment                         // an IP fragment: all of Headers but TCPFlags and Ports, which are zero
	TruncatedFrame                   // shorter than an Ethernet header
	GroupAddress                     // sent to a link-layer group (RFC 1122, 3.3.6)
	ForeignVLAN                      // tagged for another VLAN, or untagged on a tagged port
	NotIP                            // neither IPv4 nor IPv6
	BadVersion                       // the version field disagrees with the EtherType
	TruncatedHeader                  // the frame ends inside an IP or extension header
	BadHeaderLength                  // an IPv4 header length below five words
	BadLength                        // the IP length is below the header's or beyond the frame
	TooManyExtensions                // an IPv6 extension chain beyond our bound
	TruncatedTransport               // the IP packet ends inside its TCP, UDP or SCTP header
	Results                          // how many there are
)

// Headers is what Parse finds in a frame. Offsets count from the frame's first
// byte.
type Headers struct {
	L3  uint16 // offset of the IP header
	L4  uint16 // offset of the header behind IP and its extensions
	End uint16 // offset behind the IP packet by its own length: padding begins here

	Proto         uint8 // protocol of the header at L4
	TOS           uint8 // IPv4 TOS or IPv6 traffic class: DSCP and ECN
	TCPFlags      uint8 // 0 unless Proto is TCP
	IPv6          bool
	Ports         bool // the header at L4 begins with ports, and is there whole
	FirstFragment bool // of a Fragment: its offset is zero
}

// MaxFrame is the longest frame that Parse reads, in bytes.
const MaxFrame = 1<<16 - 1

// Parse reads the headers of frame, which arrived on a port of the given VLAN
// (0: untagged), into h. What h holds is defined for Whole and Fragment only.
// No length in the frame is believed beyond what len(frame) bears out.
func Parse(frame []byte, vlan uint16, h *Headers) Result {
	if len(frame) < EthernetLen || len(frame) > MaxFrame {
		return TruncatedFrame
	}
	if frame[ethernetDst]&1 != 0 {
		return GroupAddress
	}
	etherType, l3 := be16(frame[ethernetType:]), EthernetLen
	if etherType == EtherTypeVLAN || vlan != 0 {
		var ours bool
		if etherType, l3, ours = untag(frame, vlan); !ours {
			return ForeignVLAN
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
