package main

import (
	"encoding/binary"
	"errors"
)

// GRE as guidewayd sends it is the shortest that RFC 2784 section 2.1 allows:
//
//	 0                   1                   2                   3
//	+-+-----------------------+-----+-------------------------------+
//	|C|       Reserved0       | Ver |         Protocol Type         |
//	+-+-----------------------+-----+-------------------------------+
//
// No checksum, no key, no sequence number: the first 16 bits are zero.
const (
	greHeaderLen = 4

	greProtoIPv4 = 0x0800
	greProtoIPv6 = 0x86DD

	ipv4MinHeaderLen = 20
	ipv4TotalLenOff  = 2
	ipv6HeaderLen    = 40
	ipv6PayloadOff   = 4
)

// Why a packet was refused. A right load balancer never causes one of these.
var (
	errGREShort    = errors.New("shorter than a GRE header")
	errGREFlags    = errors.New("GRE flags or version not zero")
	errGREProtocol = errors.New("GRE protocol type neither IPv4 nor IPv6")
	errInnerHeader = errors.New("inner IP header cut short or of the wrong version")
	errInnerLength = errors.New("inner IP length is not the length of the packet")
)

// decapsulate returns the packet inside a GRE packet, which starts at its GRE
// header. The result shares gre's memory. The inner length must be exact: a byte
// more means that Ethernet padding went into the tunnel, a byte less that the
// packet was cut.
func decapsulate(gre []byte) ([]byte, error) {
	if len(gre) < greHeaderLen {
		return nil, errGREShort
	}
	if binary.BigEndian.Uint16(gre) != 0 {
		return nil, errGREFlags
	}
	inner := gre[greHeaderLen:]
	var length int
	switch binary.BigEndian.Uint16(gre[2:]) {
	case greProtoIPv4:
		if len(inner) < ipv4MinHeaderLen || inner[0]>>4 != 4 {
			return nil, errInnerHeader
		}
		header := int(inner[0]&15) * 4
		length = int(binary.BigEndian.Uint16(inner[ipv4TotalLenOff:]))
		if header < ipv4MinHeaderLen || length < header {
			return nil, errInnerHeader
		}
	case greProtoIPv6:
		if len(inner) < ipv6HeaderLen || inner[0]>>4 != 6 {
			return nil, errInnerHeader
		}
		length = ipv6HeaderLen + int(binary.BigEndian.Uint16(inner[ipv6PayloadOff:]))
	default:
		return nil, errGREProtocol
	}
	if length != len(inner) {
		return nil, errInnerLength
	}
	return inner, nil
}
