package lcore

import "guideway/maglev/packet"

// A Verdict is how a frame ended. The set is closed, and every frame gets
// exactly one, so no outcome can lack a metric.
type Verdict uint8

const (
	Unset              Verdict = iota // a drop without a reason: a bug, and counted as one
	Forwarded                         // encapsulated and taken by the egress device
	TruncatedFrame                    // shorter than an Ethernet header
	GroupAddress                      // sent to a link-layer group
	ForeignVLAN                       // of another VLAN than the port's
	NotIP                             // neither IPv4 nor IPv6
	BadVersion                        // IP version and EtherType disagree
	TruncatedHeader                   // ends inside an IP or extension header
	BadHeaderLength                   // IPv4 header length below five words
	BadLength                         // IP length below the header's or beyond the frame
	BadChecksum                       // IPv4 header checksum, as checked by the device
	TooManyExtensions                 // IPv6 extension chain beyond our bound
	TruncatedTransport                // ends inside its TCP, UDP or SCTP header
	MultiSegment                      // longer than a buffer: beyond the port's MTU
	NotVIP                            // for an address that is no VIP of ours
	NoService                         // for a VIP, but not a protocol and port of it
	FragmentDropped                   // a fragment for a VIP
	EchoAnswered                      // an echo request to a VIP, answered and taken by the device it came from
	ICMPDropped                       // ICMP or ICMPv6 for a VIP that is neither an error nor an echo request we deal with
	ICMPUnreadable                    // an ICMP error whose quoted packet does not tell a flow
	ICMPMismatch                      // an ICMP error about a packet of another address than it is sent to
	Tunnelled                         // GRE or IP-in-IP for a VIP: would go round in circles
	NoBackend                         // the service has no backend that takes the flow
	TooBig                            // does not fit the egress MTU once encapsulated
	NoHeadroom                        // no room for the tunnel header in front of the packet
	TxFull                            // the egress device did not take it in time
	Verdicts                          // how many there are
)

var verdictNames = [Verdicts]string{
	Unset:              "unset",
	Forwarded:          "forwarded",
	TruncatedFrame:     "truncated_frame",
	GroupAddress:       "group_address",
	ForeignVLAN:        "foreign_vlan",
	NotIP:              "not_ip",
	BadVersion:         "bad_version",
	TruncatedHeader:    "truncated_header",
	BadHeaderLength:    "bad_header_length",
	BadLength:          "bad_length",
	BadChecksum:        "bad_checksum",
	TooManyExtensions:  "too_many_extensions",
	TruncatedTransport: "truncated_transport",
	MultiSegment:       "multi_segment",
	NotVIP:             "not_vip",
	NoService:          "no_service",
	FragmentDropped:    "fragment_dropped",
	EchoAnswered:       "echo_answered",
	ICMPDropped:        "icmp_dropped",
	ICMPUnreadable:     "icmp_unreadable",
	ICMPMismatch:       "icmp_mismatch",
	Tunnelled:          "tunnelled",
	NoBackend:          "no_backend",
	TooBig:             "too_big",
	NoHeadroom:         "no_headroom",
	TxFull:             "tx_full",
}

// String returns the verdict's name, as metrics and console show it.
func (v Verdict) String() string {
	if v >= Verdicts {
		return "unknown"
	}
	return verdictNames[v]
}

// parseVerdicts gives the verdict for each result of packet.Parse that ends a
// frame's way.
var parseVerdicts = [packet.Results]Verdict{
	packet.TruncatedFrame:     TruncatedFrame,
	packet.GroupAddress:       GroupAddress,
	packet.ForeignVLAN:        ForeignVLAN,
	packet.NotIP:              NotIP,
	packet.BadVersion:         BadVersion,
	packet.TruncatedHeader:    TruncatedHeader,
	packet.BadHeaderLength:    BadHeaderLength,
	packet.BadLength:          BadLength,
	packet.TooManyExtensions:  TooManyExtensions,
	packet.TruncatedTransport: TruncatedTransport,
}
