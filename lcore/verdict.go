package lcore

import "guideway/maglev/packet"

// A Verdict is how a frame ended. The set is closed, and every frame gets
// exactly one, so no outcome can lack a metric.
type Verdict uint8

const (
	Unset                 Verdict = iota // a drop without a reason: a bug, and counted as one
	Forwarded                            // encapsulated and taken by the egress device
	TruncatedFrame                       // shorter than an Ethernet header
	GroupAddress                         // sent to a link-layer group, and nothing for the kernel
	ForeignVLAN                          // of another VLAN than the port's
	NotIP                                // neither IPv4 nor IPv6, and nothing for the kernel
	BadVersion                           // IP version and EtherType disagree
	TruncatedHeader                      // ends inside an IP or extension header
	BadHeaderLength                      // IPv4 header length below five words
	BadLength                            // IP length below the header's or beyond the frame
	BadChecksum                          // IPv4 header checksum, as checked by the device
	TooManyExtensions                    // IPv6 extension chain beyond our bound
	TruncatedTransport                   // ends inside its TCP, UDP or SCTP header
	MultiSegment                         // longer than a buffer: beyond the port's MTU
	NotVIP                               // for an address that is no VIP of ours, where there is no kernel interface
	NoService                            // for a VIP, but not a protocol and port of it
	PortRefused                          // the same, answered with port unreachable
	HandedOver                           // another core of this node goes on with it
	HandoverFull                         // the core that alone can go on with it has no room
	ToKernel                             // for no VIP: taken by the port's kernel interface
	KernelLimited                        // for the kernel, but beyond kernel_rate
	KernelFull                           // for the kernel, whose interface did not take it
	FromKernel                           // sent by the kernel and taken by the device
	FragmentDropped                      // a fragment for a VIP or service that takes none
	Redirected                           // a fragment, sent to the node that owns its datagram
	Stranger                             // marked as redirected by who is no node of ours
	BadRedirect                          // redirected by a node, but not what nodes redirect
	FragmentBadExtent                    // a fragment without data, not of whole eights, or beyond byte 65535
	FragmentTooShort                     // a first fragment that ends inside its headers
	FragmentOverlay                      // a later fragment inside the transport header
	FragmentBadChain                     // a first fragment with a second fragment header, or too many others
	FragmentOverlap                      // of a datagram whose first fragment is there twice, and not alike
	FragmentTooManyPieces                // its datagram waits with as many as may wait
	FragmentTooManyHeld                  // no place to wait for its first fragment
	FragmentTooManyBytes                 // no room to wait for its first fragment
	FragmentPushedOut                    // gave its place to newer ones
	FragmentExpired                      // waited for its first fragment for too long
	FragmentDrained                      // still waited when the node stopped
	EchoAnswered                         // an echo request to a VIP, answered and taken by the device it came from
	ICMPDropped                          // ICMP or ICMPv6 for a VIP that is neither an error nor an echo request we deal with
	ICMPUnreadable                       // an ICMP error whose quoted packet does not tell a flow
	ICMPMismatch                         // an ICMP error about a packet of another address than it is sent to
	Relayed                              // a copy of an ICMP error, sent to another node
	RelayUnknown                         // an ICMP error from another node, about a flow that this one does not know either
	Tunnelled                            // GRE or IP-in-IP for a VIP: would go round in circles
	NoBackend                            // the service has no backend that takes the flow
	VIPUnreachable                       // the same, and its sender was told that the VIP is down
	NoNextHop                            // no next hop to the backend or node is known
	TooBig                               // does not fit the egress MTU once encapsulated, and nobody was told
	TooBigAnswered                       // the same, and its sender was told what would fit
	NoHeadroom                           // no room for a header in front of the packet
	NoFrame                              // made here for a packet that its buffer has no room for
	TxFull                               // the egress device did not take it in time
	Verdicts                             // how many there are
)

// gone stands for the verdict of a frame that has been taken care of: it has one
// already, or gets it elsewhere.
const gone = Verdicts

var verdictNames = [Verdicts]string{
	Unset:                 "unset",
	Forwarded:             "forwarded",
	TruncatedFrame:        "truncated_frame",
	GroupAddress:          "group_address",
	ForeignVLAN:           "foreign_vlan",
	NotIP:                 "not_ip",
	BadVersion:            "bad_version",
	TruncatedHeader:       "truncated_header",
	BadHeaderLength:       "bad_header_length",
	BadLength:             "bad_length",
	BadChecksum:           "bad_checksum",
	TooManyExtensions:     "too_many_extensions",
	TruncatedTransport:    "truncated_transport",
	MultiSegment:          "multi_segment",
	NotVIP:                "not_vip",
	NoService:             "no_service",
	PortRefused:           "port_refused",
	HandedOver:            "handed_over",
	HandoverFull:          "handover_full",
	ToKernel:              "to_kernel",
	KernelLimited:         "kernel_limited",
	KernelFull:            "kernel_full",
	FromKernel:            "from_kernel",
	FragmentDropped:       "fragment_dropped",
	Redirected:            "redirected",
	Stranger:              "stranger",
	BadRedirect:           "bad_redirect",
	FragmentBadExtent:     "fragment_bad_extent",
	FragmentTooShort:      "fragment_too_short",
	FragmentOverlay:       "fragment_overlay",
	FragmentBadChain:      "fragment_bad_chain",
	FragmentOverlap:       "fragment_overlap",
	FragmentTooManyPieces: "fragment_too_many_pieces",
	FragmentTooManyHeld:   "fragment_too_many_held",
	FragmentTooManyBytes:  "fragment_too_many_bytes",
	FragmentPushedOut:     "fragment_pushed_out",
	FragmentExpired:       "fragment_expired",
	FragmentDrained:       "fragment_drained",
	EchoAnswered:          "echo_answered",
	ICMPDropped:           "icmp_dropped",
	ICMPUnreadable:        "icmp_unreadable",
	ICMPMismatch:          "icmp_mismatch",
	Relayed:               "relayed",
	RelayUnknown:          "relay_unknown",
	Tunnelled:             "tunnelled",
	NoBackend:             "no_backend",
	VIPUnreachable:        "vip_unreachable",
	NoNextHop:             "no_next_hop",
	TooBig:                "too_big",
	TooBigAnswered:        "too_big_answered",
	NoHeadroom:            "no_headroom",
	NoFrame:               "no_frame",
	TxFull:                "tx_full",
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
