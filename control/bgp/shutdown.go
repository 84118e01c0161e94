package bgp

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// farewell is what routers are told with the end of a session (RFC 9003).
const farewell = "guideway stops"

// Waits of Shutdown for what gobgp does not tell the end of.
const (
	sendLimit  = 500 * time.Millisecond // for withdrawals to be written
	ceaseLimit = time.Second            // for sessions to be closed
	lookAgain  = 5 * time.Millisecond
)

// Shutdown ends the Speaker: if asked for (Settings.GracefulShutdown), all
// routes are announced with GRACEFUL_SHUTDOWN for a while, so that routers move
// traffic elsewhere while it still arrives here; then they are withdrawn, and
// the sessions closed. When ctx ends, what is left is done at once. The error
// is of what could not be sent; the Speaker has ended all the same. Shutting
// down again does nothing.
func (s *Speaker) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.server == nil {
		return nil
	}
	var err error
	if s.settings.GracefulShutdown > 0 && len(s.sent) > 0 && s.sessions.up() > 0 {
		if err = s.leave(ctx); err == nil {
			s.wait(ctx, s.settings.GracefulShutdown, func() bool { return false })
		}
	}
	before := s.updates()
	hadRoutes := len(s.sent) > 0
	err = errors.Join(err, s.bring(nil))
	if hadRoutes {
		s.wait(ctx, sendLimit, func() bool { return s.moved(before) })
	}
	for _, p := range s.peers { // gobgp takes all at once as well, but then they share one message and race for it
		err = errors.Join(err, s.server.ShutdownPeer(ctx, &api.ShutdownPeerRequest{Address: p.Address.String(), Communication: farewell}))
	}
	s.wait(ctx, ceaseLimit, func() bool { return s.sessions.up() == 0 })
	s.stop()
	return err
}

// leave announces everything anew with GRACEFUL_SHUTDOWN and, within our own
// AS, the least preference (RFC 8326, section 4).
func (s *Speaker) leave(ctx context.Context) error {
	if err := s.server.SetPolicies(ctx, policies(s.settings.ASN, s.peers, true)); err != nil {
		return err
	}
	var least uint32
	leaving := make(map[netip.Prefix]Route, len(s.sent))
	for prefix, r := range s.sent {
		r.Communities = canonical(slices.Concat(r.Communities, []Community{gracefulShutdown}))
		r.LocalPref = &least
		leaving[prefix] = r
	}
	s.log.Info("bgp routes are announced with GRACEFUL_SHUTDOWN", "for", s.settings.GracefulShutdown)
	return s.bring(leaving)
}

// updates counts the UPDATE messages sent to each peer that is up.
func (s *Speaker) updates() map[string]uint64 {
	sent := map[string]uint64{}
	_ = s.server.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		if p.State.SessionState == api.PeerState_SESSION_STATE_ESTABLISHED {
			sent[p.State.NeighborAddress] = p.State.Messages.GetSent().GetUpdate()
		}
	})
	return sent
}

// moved says whether each peer that is still up has been sent more than before.
func (s *Speaker) moved(before map[string]uint64) bool {
	for address, n := range s.updates() {
		if was, known := before[address]; known && n == was {
			return false
		}
	}
	return true
}

// wait returns when done, or when the limit or ctx is reached. Meanwhile others
// may look at the Speaker; closed, it lets nobody change it.
func (s *Speaker) wait(ctx context.Context, limit time.Duration, done func() bool) {
	s.mu.Unlock()
	defer s.mu.Lock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
