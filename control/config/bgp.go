package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// BGP is how VIPs are announced; ASN is 0 when the file has no [bgp].
type BGP struct {
	ASN      uint32
	RouterID netip.Addr // IPv4 in form only (RFC 6286)
	Peers    []Peer
}

// Peer is one router that VIPs are announced to.
type Peer struct {
	Address      netip.Addr
	ASN          uint32
	PasswordFile string // holds the key of TCP MD5 (RFC 2385); "": none
	HoldTime     time.Duration
	BFD          bool
	IPv4, IPv6   bool // families of the routes
}

type bgpDraft struct {
	BGP
	present bool
	at      pos
	peers   []located[Peer]
}

func readBGP(s *section) bgpDraft {
	b := bgpDraft{present: s.t != nil, at: s.at}
	if b.present || s.r.learning {
		b.ASN = must(s, "asn", "this node's AS number", asn)
		b.RouterID = read(s, "router_id", netip.Addr{}, routerID)
	}
	seen := map[netip.Addr]pos{}
	s.each("peer", func(p *section) {
		one := readPeer(p)
		unique(&s.r.report, seen, one.Address, p.place("address"), "bgp.peer: the address %s")
		b.peers = append(b.peers, located[Peer]{one, p.place("address")})
	})
	b.Peers = plain(b.peers)
	if b.present && len(b.peers) == 0 && !s.has("peer") {
		s.r.warn(s.at, "[bgp] has no [[bgp.peer]]: nothing is announced to anybody")
	}
	return b
}

func readPeer(s *section) Peer {
	p := Peer{
		Address:      must(s, "address", "the router's address", host),
		ASN:          must(s, "asn", "the router's AS number", asn),
		PasswordFile: read(s, "password_file", "", optional(secretFile)),
		HoldTime:     read(s, "hold_time", 9*time.Second, holdTime),
		BFD:          read(s, "bfd", false, boolean),
	}
	families, _ := list(s, "families", oneOf[uint8]([]string{"ipv4", "ipv6"}))
	p.IPv4, p.IPv6 = !s.has("families"), !s.has("families")
	for _, f := range families {
		if f.v == 0 {
			p.IPv4 = true
		} else {
			p.IPv6 = true
		}
	}
	if s.has("families") && s.t.index["families"].value.kind == kindArray && len(s.t.index["families"].value.items) == 0 {
		s.fault(s.place("families"), "families", "the list is empty: leave the key out for both families")
	}
	return p
}

// asn accepts an AS number that a speaker may have.
func asn(v *value) (uint32, error) {
	n, err := number[uint32](1, 1<<32-1)(v)
	reserved := map[uint32]string{23456: "RFC 6793", 65535: "RFC 7300", 1<<32 - 1: "RFC 7300"}
	if why := reserved[n]; err == nil && why != "" {
		return 0, fmt.Errorf("%d is reserved (%s)", n, why)
	}
	return n, err
}

func routerID(v *value) (netip.Addr, error) {
	s, err := text(v)
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() || a.IsUnspecified() {
		return netip.Addr{}, fmt.Errorf("%q is no router ID: write it as an IPv4 address, but not 0.0.0.0", s)
	}
	return a, nil
}

// holdTime accepts whole seconds from 3 (RFC 4271, section 4.2). 0, which
// would keep the routes to a dead node for ever, is left out.
func holdTime(v *value) (time.Duration, error) {
	d, err := span(3*time.Second, 65535*time.Second)(v)
	if err == nil && d%time.Second != 0 {
		return 0, fmt.Errorf("%q is not in whole seconds", v.text)
	}
	return d, err
}

// secretFile accepts the absolute path of a file that can be read now. The
// secret itself is read by who uses it.
func secretFile(v *value) (string, error) {
	path, err := text(v)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%q is relative: a daemon has no directory of its own, write the path from /", path)
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%q is not a file", path)
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			err = f.Close()
		}
	}
	if pe, ok := err.(*os.PathError); ok {
		return "", fmt.Errorf("%q cannot be read: %v", path, pe.Err)
	}
	return path, err
}
