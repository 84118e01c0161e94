// Package packet reads and writes packet headers in place: Ethernet with
// 802.1Q, IPv4, IPv6 with its extension headers, TCP, UDP, SCTP and GRE.
//
// [Parse] is the door for received frames. It trusts nothing: every length is
// checked against the bytes that are really there, chains of headers are
// bounded, and whatever is wrong has a [Result] of its own. Wire formats are
// named offsets below the diagram of the RFC that defines them.
//
// Some frames are not passed on as they came: an echo request becomes its
// answer ([AnswerEcho]), a packet becomes the ICMP error about it
// ([PutICMPError]) or the first of its fragments ([FragmentIPv4]), and a SYN
// offers smaller segments ([ClampMSS]).
package packet

import "encoding/binary"

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

func put16(b []byte, v uint16) { binary.BigEndian.PutUint16(b, v) }

// IANA protocol numbers that the packet path knows.
const (
	ProtoHopByHop    = 0
	ProtoICMP        = 1
	ProtoIPIP        = 4
	ProtoTCP         = 6
	ProtoUDP         = 17
	ProtoIPv6        = 41
	ProtoRouting     = 43
	ProtoFragment    = 44
	ProtoGRE         = 47
	ProtoAH          = 51
	ProtoICMPv6      = 58
	ProtoDestination = 60
	ProtoSCTP        = 132
)
