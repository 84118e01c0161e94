package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/config/oc"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// Config says what a Speaker is made of.
type Config struct {
	Log *slog.Logger // nil: none

	limit uint32 // of routes that a router may send, of one family; 0: usualLimit
}

// A router may send this many routes of one family. gobgp keeps them, with some
// 750 bytes each, though none is used; a router beyond that, which sends us the
// whole Internet by mistake, loses its session before we run out of memory. At
// a hundredth of it there is a warning.
const usualLimit = 200_000

// A Speaker announces routes to peers. Its methods may be called from any
// goroutine; those that change something wait for each other.
type Speaker struct {
	log     *slog.Logger
	changes chan struct{}
	limit   uint32

	mu       sync.Mutex // of what follows, and held while gobgp is told
	settings Settings
	peers    []peer
	server   *server.BgpServer // nil: no BGP
	unwatch  context.CancelFunc
	want     []Route
	sent     map[netip.Prefix]Route // what is in gobgp's table
	started  bool                   // there has been a server
	closed   bool

	sessions sessions
}

// ErrClosed is what a Speaker answers after Shutdown.
var ErrClosed = errors.New("bgp: the speaker was shut down")

// New makes a Speaker without settings: no socket, no peer. The caller ends it
// by [Speaker.Shutdown].
func New(c Config) *Speaker {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	orElse(&c.limit, usualLimit)
	s := &Speaker{log: c.Log, changes: make(chan struct{}, 1), limit: c.limit}
	s.sessions.init(c.Log, s.changes, c.limit)
	return s
}

// Changes is sent to when the state of a session, or the reason why it is not
// up, has changed. Changes not yet received are one. It is never closed.
func (s *Speaker) Changes() <-chan struct{} { return s.changes }

// Configure brings the settings into effect, and reads the password files.
// Whatever it can tell to be wrong, also an address that cannot be listened on,
// it tells before anything is changed. An error that comes later leaves the
// rest in effect; Configure with the same settings tries again.
//
// A session is reset by a change of what it was opened with: addresses, ports,
// AS, password, families, hops, restart. All are reset by a change of our AS
// number, the router ID, or where we listen for passive peers. A session that
// was closed because the router sends too many routes gets another chance.
func (s *Speaker) Configure(ctx context.Context, next Settings) error {
	peers, err := next.settle()
	if err != nil {
		return fmt.Errorf("bgp: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.tryListen(ctx, peers); err != nil {
		return fmt.Errorf("bgp: %w", err)
	}
	if s.server != nil && !s.keeps(next, peers) {
		s.stop()
	}
	if next.ASN == 0 {
		s.settings, s.peers = next, nil
		return nil
	}
	if s.server == nil {
		if err := s.start(ctx, next, peers); err != nil {
			return fmt.Errorf("bgp: %w", err)
		}
	}
	err = s.adjust(ctx, next, peers)
	s.started = true
	if err = errors.Join(err, s.announce()); err != nil {
		return fmt.Errorf("bgp: %w", err)
	}
	return nil
}

// keeps says whether the running server can go on under the settings.
func (s *Speaker) keeps(next Settings, peers []peer) bool {
	return next.ASN == s.settings.ASN && next.RouterID == s.settings.RouterID &&
		listenPort(peers) == listenPort(s.peers) && slices.Equal(listenAddresses(peers), listenAddresses(s.peers))
}

// tryListen listens for a moment where the running server does not yet.
func (s *Speaker) tryListen(ctx context.Context, peers []peer) error {
	var before []netip.Addr
	if s.server != nil && listenPort(peers) == listenPort(s.peers) {
		before = listenAddresses(s.peers)
	}
	var errs []error
	for _, a := range listenAddresses(peers) {
		if slices.Contains(before, a) {
			continue
		}
		var c net.ListenConfig
		l, err := c.Listen(ctx, "tcp", netip.AddrPortFrom(a, listenPort(peers)).String())
		if err == nil {
			err = l.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// start makes a server with policies and no peers.
func (s *Speaker) start(ctx context.Context, next Settings, peers []peer) error {
	level := new(slog.LevelVar)
	srv := server.NewBgpServer(server.LoggerOption(slog.New(&gobgpLog{sessions: &s.sessions, log: s.log}), level))
	go srv.Serve()
	global := &api.Global{Asn: next.ASN, RouterId: next.RouterID.String(), ListenPort: -1}
	for _, f := range []oc.AfiSafiType{oc.AFI_SAFI_TYPE_IPV4_UNICAST, oc.AFI_SAFI_TYPE_IPV6_UNICAST} {
		global.Families = append(global.Families, uint32(oc.AfiSafiTypeToIntMap[f])) // else tables for all there are, 16 MiB
	}
	if port := listenPort(peers); port != 0 {
		global.ListenPort = int32(port)
		for _, a := range listenAddresses(peers) {
			global.ListenAddresses = append(global.ListenAddresses, a.String())
		}
	}
	err := srv.StartBgp(ctx, &api.StartBgpRequest{Global: global})
	if err == nil {
		err = srv.SetPolicies(ctx, policies(next.ASN, nil, false))
	}
	for _, a := range assignments() {
		if err == nil {
			err = srv.SetPolicyAssignment(ctx, a)
		}
	}
	watching, unwatch := context.WithCancel(context.Background())
	if err == nil {
		err = srv.WatchEvent(watching, server.WatchEventMessageCallbacks{OnPeerUpdate: s.sessions.event}, server.WatchPeer())
	}
	if err != nil {
		unwatch()
		srv.Stop()
		return err
	}
	go s.renewing(watching)
	s.server, s.unwatch = srv, unwatch
	s.settings, s.peers, s.sent = next, nil, map[netip.Prefix]Route{}
	return nil
}

// stop ends the server, with whatever sessions it has.
func (s *Speaker) stop() {
	s.server.Stop()
	s.unwatch()
	s.server, s.peers, s.sent = nil, nil, nil
	s.sessions.keep(nil)
	s.sessions.announced(nil)
}

// adjust brings the peers of the server to those of the settings.
func (s *Speaker) adjust(ctx context.Context, next Settings, peers []peer) error {
	states, before := s.states(), map[netip.Addr]peer{}
	for _, p := range s.peers {
		before[p.Address] = p
	}
	var errs []error
	try := func(p peer, err error) bool {
		if err != nil {
			errs = append(errs, fmt.Errorf("peer %s: %w", p.Address, err))
		}
		return err == nil
	}
	for _, p := range s.peers {
		if !slices.ContainsFunc(peers, func(o peer) bool { return o.Address == p.Address }) {
			try(p, s.remove(ctx, p))
		}
	}
	s.sessions.keep(peers)
	if err := s.server.SetPolicies(ctx, policies(next.ASN, peers, false)); err != nil {
		errs = append(errs, err)
	}
	var now []peer
	for _, p := range peers {
		old, known := before[p.Address]
		switch {
		case !known:
			if !try(p, s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: p.request(next, s.limit, !s.started)})) {
				continue
			}
		case !old.sameSession(p) || next.GracefulRestart != s.settings.GracefulRestart:
			if _, err := s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: p.request(next, s.limit, false)}); !try(p, err) {
				p = old
			}
		case s.sessions.flooded(p.Address):
			try(p, s.server.EnablePeer(ctx, &api.EnablePeerRequest{Address: p.Address.String()}))
		case !old.sameAttributes(p):
			try(p, s.server.ResetPeer(ctx, &api.ResetPeerRequest{
				Address: p.Address.String(), Soft: true, Direction: api.ResetPeerRequest_DIRECTION_OUT,
			}))
		}
		now = append(now, p)
	}
	s.settings, s.peers = next, now
	return errors.Join(append(errs, s.catchUp(states, false))...)
}

// remove ends the session with a peer and forgets it. gobgp leaves a removed
// peer's password on the listening socket, where it would be asked for should
// the peer come back without one; it takes it off a peer that changes.
func (s *Speaker) remove(ctx context.Context, p peer) error {
	if p.Passive && p.password != "" {
		p.password = ""
		if _, err := s.server.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: p.request(s.settings, s.limit, false)}); err != nil {
			return err
		}
	}
	return s.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: p.Address.String()})
}
