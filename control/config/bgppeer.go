package config

import (
	"fmt"
	"math"
	"net/netip"
	"time"
)

// Peer is one router that VIPs are announced to.
type Peer struct {
	Address      netip.Addr
	ASN          uint32
	Port         uint16     // its TCP port or, of a passive peer, ours
	LocalAddress netip.Addr // ours of the session, of Address's family; zero: as the kernel chooses
	Passive      bool       // it opens the session; LocalAddress is set
	PasswordFile string     // holds the key of TCP MD5 (RFC 2385); "": none

	HoldTime     time.Duration // in whole seconds, as the next two
	Keepalive    time.Duration
	ConnectRetry time.Duration

	Multihop    uint8 // hops to a peer of another AS; 0: on a common link
	TTLSecurity uint8 // hops that its packets may have made (RFC 5082); 0: not looked at

	BFD           bool
	BFDInterval   time.Duration
	BFDMultiplier uint8

	IPv4, IPv6         bool       // families of the routes
	NextHop4, NextHop6 netip.Addr // zero: this node

	MED         *uint32 // nil: none
	LocalPref   *uint32 // nil: the usual one; only of our own AS
	Prepend     int     // our AS in the path, beyond the first; only of another AS
	Communities []Community
}

type peerDraft struct {
	Peer
	at, familiesAt, portAt pos
	familiesSet            bool
}

// The limits of gobgp, of protocols and of sense.
const (
	minConnectRetry = 2 * time.Second // gobgp does not try more often
	maxTimer        = 65535 * time.Second
	maxPrepend      = 32
	bgpPort         = 179
)

func readPeer(s *section, own uint32) peerDraft {
	p := peerDraft{at: s.place("address")}
	p.Address = must(s, "address", "the router's address", host)
	p.ASN = must(s, "asn", "the router's AS number", asn)
	p.Port = read(s, "port", bgpPort, number[uint16](1, 65535))
	p.portAt = s.place("port")
	p.LocalAddress = read(s, "local_address", netip.Addr{}, host)
	p.Passive = read(s, "passive", false, boolean)
	p.PasswordFile = secret(s, "password_file")
	p.HoldTime = read(s, "hold_time", 9*time.Second, wholeSeconds(3*time.Second))
	p.Keepalive = read(s, "keepalive", (p.HoldTime / 3).Truncate(time.Second), wholeSeconds(time.Second))
	p.ConnectRetry = read(s, "connect_retry", 5*time.Second, wholeSeconds(minConnectRetry))
	p.Multihop = read(s, "multihop", 0, number[uint8](0, 255))
	p.TTLSecurity = read(s, "ttl_security", 0, number[uint8](0, 254))
	p.BFD = read(s, "bfd", false, boolean)
	p.BFDInterval = read(s, "bfd_interval", 300*time.Millisecond, span(50*time.Millisecond, 10*time.Second))
	p.BFDMultiplier = read(s, "bfd_multiplier", 3, number[uint8](1, 255))
	p.readFamilies(s)
	p.NextHop4 = read(s, "next_hop4", netip.Addr{}, hostOf("IPv4"))
	p.NextHop6 = read(s, "next_hop6", netip.Addr{}, hostOf("IPv6"))
	p.MED = optionalNumber(s, "med", 0)
	p.LocalPref = optionalNumber(s, "local_pref", 1)
	p.Prepend = read(s, "prepend", 0, number[int](0, maxPrepend))
	communities, _ := list(s, "communities", community)
	p.Communities = plain(communities)
	p.judge(s, own)
	return p
}

func (p *peerDraft) readFamilies(s *section) {
	families, _ := list(s, "families", oneOf[uint8]([]string{"ipv4", "ipv6"}))
	p.familiesAt, p.familiesSet = s.place("families"), s.has("families")
	p.IPv4, p.IPv6 = !p.familiesSet, !p.familiesSet
	for _, f := range families {
		if f.v == 0 {
			p.IPv4 = true
		} else {
			p.IPv6 = true
		}
	}
	if p.familiesSet && s.t.index["families"].value.kind == kindArray && len(s.t.index["families"].value.items) == 0 {
		s.fault(s.place("families"), "families", "the list is empty: leave the key out for both families")
	}
}

// judge holds the keys of one peer against each other.
func (p *peerDraft) judge(s *section, own uint32) {
	fault := func(key, format string, args ...any) { s.fault(s.place(key), key, fmt.Sprintf(format, args...)) }
	inside := p.ASN != 0 && p.ASN == own
	if p.LocalAddress.IsValid() && p.Address.IsValid() && p.LocalAddress.Is4() != p.Address.Is4() {
		fault("local_address", "%s cannot reach %s: it is of the other family", p.LocalAddress, p.Address)
	}
	if p.Passive && !s.has("local_address") {
		fault("passive", "the router is to open the session: say to which address of ours, by local_address")
	}
	if p.Keepalive >= p.HoldTime {
		fault("keepalive", "%s is not below hold_time, %s: the session would die between two of them", short(p.Keepalive), short(p.HoldTime))
	}
	if p.Multihop > 0 && p.TTLSecurity > 0 {
		fault("multihop", "ttl_security says already how far away the router may be: leave one of them out")
	}
	if p.Multihop > 0 && inside {
		fault("multihop", "a router of our own AS may be any number of hops away: leave it out, or use ttl_security")
	}
	if p.LocalPref != nil && p.ASN != 0 && own != 0 && !inside {
		fault("local_pref", "it is told within an AS only, and the router is of another: use med, prepend or communities")
	}
	if p.Prepend > 0 && inside {
		fault("prepend", "a router drops routes with its own AS in the path: use local_pref or med")
	}
	for _, key := range []string{"bfd_interval", "bfd_multiplier"} {
		if s.has(key) && !p.BFD {
			s.r.warn(s.place(key), "%s: this does nothing without bfd = true", s.path(key))
		}
	}
}

// wholeSeconds accepts what BGP's timers can be, from lo (RFC 4271, section
// 4.2). A hold time of 0, which would keep the routes to a dead node for ever,
// is left out.
func wholeSeconds(lo time.Duration) parser[time.Duration] {
	return func(v *value) (time.Duration, error) {
		d, err := span(lo, maxTimer)(v)
		if err == nil && d%time.Second != 0 {
			return 0, fmt.Errorf("%q is not in whole seconds", v.text)
		}
		return d, err
	}
}

// hostOf is host for addresses of one family.
func hostOf(want string) parser[netip.Addr] {
	return func(v *value) (netip.Addr, error) {
		a, err := host(v)
		if err == nil && family(a) != want {
			return netip.Addr{}, fmt.Errorf("%s is %s: write an %s address", a, family(a), want)
		}
		return a, err
	}
}

// optionalNumber gives nil for a key that the file does not set.
func optionalNumber(s *section, key string, lo int64) *uint32 {
	n := read(s, key, 0, number[uint32](lo, math.MaxUint32))
	if !s.has(key) {
		return nil
	}
	return &n
}
