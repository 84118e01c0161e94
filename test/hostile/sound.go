package hostile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// A Kind says what a node has sent.
type Kind uint8

// The kinds of frames that a node sends.
const (
	Forwarded Kind = iota // in a tunnel to a backend
	Passed                // in a marked tunnel to another node
	Answer                // ICMP of its own, or of the kernel's
	Other                 // what only the kernel sends
)

// Sound judges a frame that the node of the targets has sent, and says what it
// is. Lengths and checksums of what the node made must be right to the byte; a
// tunnel must have whole packets inside, fit the MTU, and lead from the node to
// one of its backends or, marked, to one of the other nodes. What was in a
// packet before, transport checksums and all, is as it came, and not judged.
func (t *Targets) Sound(frame []byte) (Kind, error) {
	if len(frame) < 14 {
		return Other, errors.New("shorter than its Ethernet header")
	}
	l3 := 14
	if binary.BigEndian.Uint16(frame[12:]) == typeVLAN && len(frame) >= 18 && binary.BigEndian.Uint16(frame[14:])&0xfff == t.VLAN {
		l3 = 18 // in an untagged port, an answer to what had a priority
	} else if t.VLAN != 0 {
		return Other, errors.New("not of the port's VLAN")
	}
	etherType, ip := int(binary.BigEndian.Uint16(frame[l3-2:])), frame[l3:]
	if etherType != typeIPv4 && etherType != typeIPv6 {
		return Other, nil
	}
	src, dst, proto, rest, err := header(ip)
	switch {
	case err != nil:
		return Other, err
	case (etherType == typeIPv4) != dst.Is4():
		return Other, errors.New("EtherType and version disagree")
	case len(ip) > t.MTU && !echoReply(proto, rest): // which is as long as its request
		return Other, fmt.Errorf("%d bytes do not fit the MTU of %d", len(ip), t.MTU)
	case dst.Is4() && checksum(ip[:len(ip)-len(rest)]) != 0xffff:
		return Other, errors.New("a wrong IPv4 checksum")
	case proto == gre:
		if [6]byte(frame[6:]) != t.MAC || frame[0]&1 != 0 {
			return Forwarded, fmt.Errorf("a tunnel between the stations %x", frame[:12])
		}
		return t.tunnel(src, dst, rest)
	case proto == icmp4 && dst.Is4() || proto == icmp6 && !dst.Is4():
		return Answer, answer(ip, rest)
	}
	return Other, nil
}

func echoReply(proto byte, m []byte) bool {
	return len(m) > 0 && (proto == icmp4 && m[0] == 0 || proto == icmp6 && m[0] == 129)
}

// header reads the IP header of a whole packet, which has nothing behind it.
func header(ip []byte) (src, dst netip.Addr, proto byte, rest []byte, err error) {
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4:
		n := int(ip[0]&15) * 4
		if n < 20 || n > len(ip) || int(binary.BigEndian.Uint16(ip[2:])) != len(ip) {
			return src, dst, 0, nil, fmt.Errorf("IPv4 lengths of %d and %d in %d bytes", n, binary.BigEndian.Uint16(ip[2:]), len(ip))
		}
		return netip.AddrFrom4([4]byte(ip[12:])), netip.AddrFrom4([4]byte(ip[16:])), ip[9], ip[n:], nil
	case len(ip) >= 40 && ip[0]>>4 == 6:
		if int(binary.BigEndian.Uint16(ip[4:])) != len(ip)-40 {
			return src, dst, 0, nil, fmt.Errorf("IPv6 length of %d before %d bytes", binary.BigEndian.Uint16(ip[4:]), len(ip)-40)
		}
		return netip.AddrFrom16([16]byte(ip[8:])), netip.AddrFrom16([16]byte(ip[24:])), ip[6], ip[40:], nil
	}
	return src, dst, 0, nil, fmt.Errorf("no IP header in %d bytes", len(ip))
}

// tunnel judges what is in a GRE packet.
func (t *Targets) tunnel(src, dst netip.Addr, rest []byte) (Kind, error) {
	if len(rest) < 4 {
		return Forwarded, errors.New("a cut GRE header")
	}
	kind, ends := Forwarded, t.Backends
	switch binary.BigEndian.Uint16(rest) {
	case 0:
	case marked:
		kind, ends = Passed, t.Nodes
	default:
		return kind, fmt.Errorf("GRE flags %x", rest[:2])
	}
	if !slices.Contains(t.Self, src) || !slices.Contains(ends, dst) {
		return kind, fmt.Errorf("a tunnel from %v to %v", src, dst)
	}
	_, to, _, _, err := header(rest[4:])
	if err != nil {
		return kind, fmt.Errorf("in the tunnel: %w", err)
	}
	if int(binary.BigEndian.Uint16(rest[2:])) != [...]int{typeIPv4, typeIPv6}[family(to)] {
		return kind, errors.New("GRE's protocol and the version inside disagree")
	}
	if !slices.ContainsFunc(t.Services, func(v Service) bool { return v.VIP == to }) && !slices.ContainsFunc(t.Within, func(p netip.Prefix) bool { return p.Contains(to) }) {
		return kind, fmt.Errorf("for %v in a tunnel, which is no VIP", to)
	}
	return kind, nil
}

// answer judges an ICMP message that is no fragment. The checksum of an echo
// reply is as good as its request's was.
func answer(ip, m []byte) error {
	if len(m) < 8 {
		return errors.New("a cut ICMP message")
	}
	sum := checksum(m)
	if ip[0]>>4 == 6 {
		sum = checksum(ip[8:40], []byte{byte(len(m) >> 8), byte(len(m)), 0, icmp6}, m)
		if m[0] >= 128 {
			return nil
		}
	} else if m[0] == 0 {
		return nil
	}
	if sum != 0xffff {
		return fmt.Errorf("a wrong checksum in %x", m[:8])
	}
	return nil
}
