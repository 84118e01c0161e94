package config

import (
	"fmt"
	"net/netip"
	"time"
)

// BGP is how VIPs are announced; ASN is 0 when the file has no [bgp].
type BGP struct {
	ASN              uint32
	RouterID         netip.Addr     // IPv4 in form only (RFC 6286)
	GracefulShutdown time.Duration  // routes are marked so long before they are withdrawn at a stop (RFC 8326); 0: not
	GracefulRestart  bool           // routers keep routes when a session breaks (RFC 4724)
	Aggregate        []netip.Prefix // each is announced for the VIPs within
	Peers            []Peer
}

type bgpDraft struct {
	BGP
	present   bool
	at        pos
	aggregate []located[netip.Prefix]
	peers     []peerDraft
}

func readBGP(s *section) bgpDraft {
	b := bgpDraft{present: s.t != nil, at: s.at}
	if b.present || s.r.learning {
		b.ASN = must(s, "asn", "this node's AS number", asn)
		b.RouterID = read(s, "router_id", netip.Addr{}, routerID)
		b.GracefulShutdown = read(s, "graceful_shutdown", 5*time.Second, span(0, 10*time.Minute))
		b.GracefulRestart = read(s, "graceful_restart", false, boolean)
		b.aggregate, _ = list(s, "aggregate", covering)
		b.Aggregate = plain(b.aggregate)
	}
	twice := map[netip.Prefix]pos{}
	for _, a := range b.aggregate {
		unique(&s.r.report, twice, a.v, a.at, "bgp.aggregate: %s")
	}
	seen := map[netip.Addr]pos{}
	s.each("peer", func(p *section) {
		one := readPeer(p, b.ASN)
		unique(&s.r.report, seen, one.Address, one.at, "bgp.peer: the address %s")
		b.peers = append(b.peers, one)
	})
	if b.present && len(b.peers) == 0 && !s.has("peer") {
		s.r.warn(s.at, "[bgp] has no [[bgp.peer]]: nothing is announced to anybody")
	}
	return b
}

// covering accepts a prefix that may hold several VIPs.
func covering(v *value) (netip.Prefix, error) {
	p, err := target(v)
	if err == nil && p.IsSingleIP() {
		return netip.Prefix{}, fmt.Errorf("%s is one address: write a prefix that VIPs lie in", p.Addr())
	}
	return p, err
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
