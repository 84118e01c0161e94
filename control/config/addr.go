package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// host accepts the address of one machine: unicast, global, without a zone.
func host(v *value) (netip.Addr, error) {
	s, err := text(v)
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		if p, perr := netip.ParsePrefix(s); perr == nil {
			return netip.Addr{}, fmt.Errorf("%q is a prefix: write the address alone, %q", s, p.Addr())
		}
		if _, perr := netip.ParseAddrPort(s); perr == nil {
			return netip.Addr{}, fmt.Errorf("%q has a port: write the address alone (ports are those of the VIP)", s)
		}
		return netip.Addr{}, fmt.Errorf("%q is not an IP address (names are not looked up)", s)
	}
	return a, unicast(a)
}

// unicast says why a packet cannot be sent to a, if it cannot.
func unicast(a netip.Addr) error {
	what := ""
	switch {
	case a.Zone() != "":
		return fmt.Errorf("%s has a zone: link-local addresses cannot be used here", a)
	case a.Is4In6():
		return fmt.Errorf("%s is IPv4 in IPv6: write %s", a, a.Unmap())
	case a.IsUnspecified():
		what = "the unspecified address"
	case a.IsLoopback():
		what = "a loopback address"
	case a.IsMulticast():
		what = "a multicast address"
	case a.IsLinkLocalUnicast():
		what = "a link-local address"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		what = "the broadcast address"
	default:
		return nil
	}
	return fmt.Errorf("%s is %s: write the address of a machine", a, what)
}

// interfaceAddress accepts an address with the length of its subnet.
func interfaceAddress(v *value) (netip.Prefix, error) {
	s, err := text(v)
	if err != nil {
		return netip.Prefix{}, err
	}
	if a, aerr := netip.ParseAddr(s); aerr == nil {
		usual := 24
		if a.Is6() {
			usual = 64
		}
		return netip.Prefix{}, fmt.Errorf("%q has no prefix length: write \"%s/%d\", with the length of the subnet", s, a, usual)
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address with a prefix length, as in \"192.0.2.11/24\"", s)
	}
	if err := unicast(p.Addr()); err != nil {
		return netip.Prefix{}, err
	}
	if p == p.Masked() && p.Bits() < p.Addr().BitLen()-1 {
		return netip.Prefix{}, fmt.Errorf("%s is the subnet itself: write this machine's address in it", s)
	}
	return p, nil
}

// target accepts the address or prefix of a VIP.
func target(v *value) (netip.Prefix, error) {
	s, err := text(v)
	if err != nil {
		return netip.Prefix{}, err
	}
	if !strings.Contains(s, "/") {
		a, err := host(v)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a prefix, as in \"203.0.113.0/24\"", s)
	case p.Bits() == 0:
		return netip.Prefix{}, fmt.Errorf("%s would take every packet there is, our own too: write a longer prefix", s)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has bits set behind its length: write \"%s\", or %q for the one address", s, p.Masked(), p.Addr())
	}
	return p, unicast(p.Addr())
}

// mac accepts the Ethernet address of one station.
func mac(v *value) (a [6]byte, err error) {
	s, err := text(v)
	if err != nil {
		return a, err
	}
	octets := strings.Split(s, ":")
	bad := len(octets) != len(a)
	for i := 0; i < len(octets) && !bad; i++ {
		n, err := strconv.ParseUint(octets[i], 16, 8)
		bad = err != nil || len(octets[i]) != 2
		a[i] = byte(n)
	}
	switch {
	case bad:
		return [6]byte{}, fmt.Errorf("%q is not a MAC address: write six pairs of hex digits with colons, as in \"02:00:5e:10:00:01\"", s)
	case a == [6]byte{}:
		return a, fmt.Errorf("%s is no station's address", s)
	case a[0]&1 == 1:
		return a, fmt.Errorf("%s is a group address: write the router's own", s)
	}
	return a, nil
}

// family names the family of an address as people do.
func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
