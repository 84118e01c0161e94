package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Settings are what a Speaker is to be. The zero Settings are no BGP at all.
type Settings struct {
	ASN      uint32     // this node's; 0: no BGP
	RouterID netip.Addr // IPv4 in form only (RFC 6286)

	// Source4 and Source6 are the next hops of routes that go out over a
	// session of the other family; zero: this node has none.
	Source4, Source6 netip.Addr

	// GracefulShutdown is how long Shutdown announces all routes with the
	// community GRACEFUL_SHUTDOWN (RFC 8326) before it withdraws them; 0: not.
	GracefulShutdown time.Duration

	// GracefulRestart asks routers to keep our routes for RestartTime when a
	// session is lost without a word, as when this process is killed (RFC 4724).
	GracefulRestart bool

	// Aggregate are prefixes that stand for the VIPs within them: each is
	// announced, and they are not, while at least one is wanted.
	Aggregate []netip.Prefix

	Peers []Peer // each address once
}

// RestartTime is how long a router keeps our routes under GracefulRestart.
const RestartTime = 120 * time.Second

// Peer is one router and the session with it. Durations but those of BFD are
// in whole seconds.
type Peer struct {
	Address      netip.Addr
	ASN          uint32
	Port         uint16     // its TCP port or, if Passive, ours; 0: 179
	LocalAddress netip.Addr // ours of the session; zero: as the kernel chooses
	Passive      bool       // it opens the session: we listen on LocalAddress and Port
	PasswordFile string     // holds the key of TCP MD5 (RFC 2385); "": none

	HoldTime     time.Duration // from 3 s. A change is for the next session
	Keepalive    time.Duration // 0: a third of HoldTime
	ConnectRetry time.Duration // from 2 s; 0: 5 s

	Multihop    uint8 // hops to a router of another AS that is not on a common link; 0: it is on one
	TTLSecurity uint8 // hops that packets from it may have made (GTSM, RFC 5082); 1: none on the way; 0: not looked at

	BFD BFD

	IPv4, IPv6         bool       // families of the routes
	NextHop4, NextHop6 netip.Addr // zero: our address of the session, or Source4, Source6

	// What routes to this peer get; MED and LocalPref in the place of the
	// route's own.
	MED         *uint32
	LocalPref   *uint32 // from 1; only within an AS
	Prepend     int     // times our AS number stands in the path beyond the first
	Communities []Community
}

// BFD is how the path to a peer is watched (RFC 5880, in the single-hop form of
// RFC 5881). The router is lost after Multiplier of the router's own, times the
// greater of Interval and the pace at which it sends.
type BFD struct {
	Enabled    bool
	Interval   time.Duration // of sending, and the shortest of receiving; 0: 300 ms
	Multiplier uint8         // tells the router how many packets of ours may be lost; 0: 3
}

const (
	usualPort         = 179
	usualConnectRetry = 5 * time.Second
	usualInterval     = 300 * time.Millisecond
	usualMultiplier   = 3
	maxPassword       = 80 // TCP_MD5SIG_MAXKEYLEN of Linux
)

// peer is a Peer with nothing left open, and its password.
type peer struct {
	Peer
	password string
	inside   bool // of our own AS
}

// settle checks the settings as far as it takes to work by them (who typed
// them has been told more by package config), fills in defaults and reads the
// passwords. The error joins all that is wrong.
func (s Settings) settle() ([]peer, error) {
	var all []peer
	var faults []error
	if s.ASN != 0 && !s.RouterID.Is4() {
		faults = append(faults, fmt.Errorf("router ID %s is not in the form of an IPv4 address", s.RouterID))
	}
	seen := map[netip.Addr]bool{}
	for _, p := range s.Peers {
		one, err := s.settlePeer(p)
		if err == nil && seen[p.Address] {
			err = errors.New("is there twice")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("peer %s: %w", p.Address, err))
		}
		seen[p.Address] = true
		all = append(all, one)
	}
	for _, p := range all {
		if p.Passive && p.Port != listenPort(all) {
			faults = append(faults, fmt.Errorf("peer %s: listens on port %d, another passive peer on port %d: there can be one only", p.Address, p.Port, listenPort(all)))
		}
	}
	return all, errors.Join(faults...)
}

func (s Settings) settlePeer(p Peer) (one peer, err error) {
	orElse(&p.Port, usualPort)
	orElse(&p.Keepalive, p.HoldTime/3)
	orElse(&p.ConnectRetry, usualConnectRetry)
	orElse(&p.BFD.Interval, usualInterval)
	orElse(&p.BFD.Multiplier, usualMultiplier)
	p.NextHop4 = s.nextHop(p, p.NextHop4, s.Source4)
	p.NextHop6 = s.nextHop(p, p.NextHop6, s.Source6)
	one.Peer, one.inside = p, p.ASN == s.ASN
	switch {
	case !p.Address.IsValid() || p.ASN == 0:
		return one, errors.New("has no address or AS number")
	case p.HoldTime < 3*time.Second:
		return one, fmt.Errorf("a hold time of %v is too short: at least 3s", p.HoldTime)
	case p.Passive && !p.LocalAddress.IsValid():
		return one, errors.New("is passive, but there is no local address to listen on")
	case p.LocalAddress.IsValid() && p.LocalAddress.Is4() != p.Address.Is4():
		return one, fmt.Errorf("its local address %s is of the other family", p.LocalAddress)
	case p.Multihop > 0 && p.TTLSecurity > 0:
		return one, errors.New("multihop and TTL security exclude each other")
	case p.IPv4 && p.Address.Is6() && !p.NextHop4.IsValid():
		return one, errors.New("there is no IPv4 next hop for IPv4 routes over a session by IPv6")
	case p.IPv6 && p.Address.Is4() && !p.NextHop6.IsValid():
		return one, errors.New("there is no IPv6 next hop for IPv6 routes over a session by IPv4")
	}
	one.password, err = readPassword(p.PasswordFile)
	return one, err
}

// nextHop is that of routes of source's family, or zero for next hop self.
func (s Settings) nextHop(p Peer, set, source netip.Addr) netip.Addr {
	if set.IsValid() || source.Is4() == p.Address.Is4() {
		return set
	}
	return source
}

func orElse[T comparable](v *T, usual T) {
	var zero T
	if *v == zero {
		*v = usual
	}
}

// readPassword gives the first line of the file: an editor ends it with a
// newline that is no part of the password.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("its password: %w", err)
	}
	password, _, _ := strings.Cut(string(data), "\n")
	password = strings.TrimSuffix(password, "\r")
	switch {
	case password == "":
		return "", fmt.Errorf("its password: %s is empty", path)
	case len(password) > maxPassword:
		return "", fmt.Errorf("its password: %d characters are more than the %d that TCP MD5 takes", len(password), maxPassword)
	}
	return password, nil
}

// listenPort is that of the first passive peer; 0: there is none.
func listenPort(peers []peer) uint16 {
	for _, p := range peers {
		if p.Passive {
			return p.Port
		}
	}
	return 0
}

// listenAddresses are those that a passive peer wants us to listen on, each
// once and, as the order of peers means nothing, in order.
func listenAddresses(peers []peer) (list []netip.Addr) {
	for _, p := range peers {
		if p.Passive {
			list = append(list, p.LocalAddress)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
