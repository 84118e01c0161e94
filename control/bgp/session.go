package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// State is that of a session (RFC 4271, section 8.2.2). gobgp has no Connect:
// it is Active while it tries.
type State uint8

const (
	Idle State = iota
	Active
	OpenSent
	OpenConfirm
	Established
)

var stateNames = []string{"idle", "active", "opensent", "openconfirm", "established"}

func (s State) String() string { return stateNames[s] }

// sessions is what is known of all of them. gobgp's events and log come in
// from goroutines of its own, some while it holds its locks: nothing in here
// calls gobgp.
type sessions struct {
	log     *slog.Logger
	changes chan<- struct{}
	cut     chan struct{} // there may be a peer to renew
	limit   uint32        // of routes that a router may send

	mu      sync.Mutex
	all     map[netip.Addr]*session
	routes4 int // announced
	routes6 int
}

// A session is what is known of the one with a peer.
type session struct {
	peer       peer
	state      State
	since      time.Time // it came up or was lost, or the peer was configured
	ipv4, ipv6 bool      // families that both sides have; while Established
	losses     uint64
	flooded    bool   // it was closed because the router sends too many routes, and stays so
	worn       bool   // it has ended, or BFD wants it to (renew.go)
	cause      string // of what is about to happen; empty: not known
	err        string
	errAt      time.Time
}

func (s *sessions) init(log *slog.Logger, changes chan<- struct{}, limit uint32) {
	s.log, s.changes, s.limit, s.all = log, changes, limit, map[netip.Addr]*session{}
	s.cut = make(chan struct{}, 1)
}

// keep has a session for each of the peers, and for no other.
func (s *sessions) keep(peers []peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all
	s.all = make(map[netip.Addr]*session, len(peers))
	for _, p := range peers {
		one := old[p.Address]
		if one == nil {
			one = &session{since: time.Now()}
		}
		one.peer = p
		s.all[p.Address] = one
	}
	s.poke()
}

func (s *sessions) announced(routes map[netip.Prefix]Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes4, s.routes6 = count(routes)
}

// event takes a change of state from gobgp.
func (s *sessions) event(e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
	if e.Type != apiutil.PEER_EVENT_STATE && e.Type != apiutil.PEER_EVENT_INIT {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[e.Peer.State.NeighborAddress]
	if one == nil {
		return
	}
	was := one.state
	one.state = stateOf(e.Peer.State.SessionState)
	switch {
	case one.state == was:
		return
	case one.state == Established:
		one.since, one.err, one.errAt = at, "", time.Time{}
		one.ipv4 = one.peer.IPv4 && offers(e.Peer.State.RemoteCap, bgp.RF_IPv4_UC)
		one.ipv6 = one.peer.IPv6 && offers(e.Peer.State.RemoteCap, bgp.RF_IPv6_UC)
		s.log.Info("bgp session is up", "peer", one.peer.Address, "asn", one.peer.ASN, "ipv4", one.ipv4, "ipv6", one.ipv6)
	case was == Established:
		s.lost(one, at)
		s.wearOut(one)
	case was == OpenConfirm && one.state == Idle:
		if text := notOpened(e.Peer.State.DisconnectMessage); text != "" {
			s.fail(one, text)
		}
	}
	s.poke()
}

// lost is of a session that was up. gobgp's log has the reason before this,
// unless it was told to drop the peer.
func (s *sessions) lost(one *session, at time.Time) {
	one.since, one.ipv4, one.ipv6 = at, false, false
	one.losses++
	level := slog.LevelWarn
	if one.err == "" {
		one.err, one.errAt = closedHere, at
	}
	if strings.HasPrefix(one.err, closedHere) {
		level = slog.LevelInfo
	}
	s.log.Log(context.Background(), level, "bgp session is lost", "peer", one.peer.Address, "reason", one.err)
}

// fail is of a session that did not come up. The same reason is logged once.
func (s *sessions) fail(one *session, text string) {
	if text != one.err {
		s.log.Warn("bgp session does not come up", "peer", one.peer.Address, "reason", text)
	}
	one.cause, one.err, one.errAt = "", text, time.Now()
	s.poke()
}

// offers says whether a peer's capabilities have the family (RFC 4760).
func offers(capabilities []bgp.ParameterCapabilityInterface, family bgp.Family) bool {
	return slices.ContainsFunc(capabilities, func(c bgp.ParameterCapabilityInterface) bool {
		mp, ok := c.(*bgp.CapMultiProtocol)
		return ok && mp.CapValue == family
	})
}

func stateOf(s bgp.FSMState) State {
	switch s {
	case bgp.BGP_FSM_ESTABLISHED:
		return Established
	case bgp.BGP_FSM_OPENCONFIRM:
		return OpenConfirm
	case bgp.BGP_FSM_OPENSENT:
		return OpenSent
	case bgp.BGP_FSM_ACTIVE, bgp.BGP_FSM_CONNECT:
		return Active
	}
	return Idle
}

// A note is what a line of the log says of a session.
type note uint8

const (
	cause  note = iota // something follows from it
	ended              // the session has ended, of the cause if there is one
	failed             // an attempt at a session has come to nothing
)

// learn takes a note. The first cause is the one that counts: what comes after
// it is how it is dealt with.
func (s *sessions) learn(address netip.Addr, n note, words func(peer) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[address]
	if one == nil {
		return
	}
	text := words(one.peer)
	switch {
	case n == cause && one.cause == "":
		one.cause = text
	case n == ended:
		if one.cause != "" {
			text = one.cause
		}
		one.cause, one.err, one.errAt = "", text, time.Now()
	case n == failed:
		s.fail(one, text)
	}
}

// flood takes gobgp's word that a router sends many routes, or too many.
func (s *sessions) flood(address netip.Addr, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[address]
	if one == nil {
		return
	}
	if !over {
		s.log.Warn("bgp peer sends many routes: none is used, let it send none", "peer", address, "over", s.limit/100)
		return
	}
	one.flooded = true
	one.cause = fmt.Sprintf("the router sends over %d routes, of which none is used: let it send none, then reload here", s.limit)
}

// flooded says that the session was closed for that, once.
func (s *sessions) flooded(address netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[address]
	if one == nil || !one.flooded {
		return false
	}
	one.flooded = false
	return true
}

// forget drops a cause that came to nothing.
func (s *sessions) forget(address netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[address]; one != nil {
		one.cause = ""
	}
}

// up counts the established sessions.
func (s *sessions) up() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one.state == Established {
			n++
		}
	}
	return n
}

// poke tells of a change.
func (s *sessions) poke() {
	select {
	case s.changes <- struct{}{}:
	default:
	}
}
