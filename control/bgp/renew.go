package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"
)

// A peer whose session was up and has ended is replaced by a new one like it, for
// two reasons that are gobgp's.
//
// When BFD loses a router gobgp has its BGP session closed. If that has ended
// already, since the router was the first to notice, the order waits, and closes
// the next session the moment it is up; with that BFD ends again, and so on for
// ever. For a new peer nothing waits.
//
// And a new peer begins after two seconds, an old one pauses for five before. It is
// the router's restart that traffic waits for then.

// renewing replaces such peers until ctx ends.
func (s *Speaker) renewing(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.sessions.cut:
			for _, a := range s.sessions.worn() {
				if err := s.renew(ctx, a); err != nil {
					s.log.Warn("a bgp session that has ended is not begun anew", "peer", a, "error", err)
				}
			}
		}
	}
}

// renew replaces a peer by one like it.
func (s *Speaker) renew(ctx context.Context, a netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.peers, func(p peer) bool { return p.Address == a })
	if ctx.Err() != nil || s.closed || i < 0 {
		return nil
	}
	if err := s.remove(ctx, s.peers[i]); err != nil {
		return err
	}
	if err := s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: s.peers[i].request(s.settings, s.limit, false)}); err != nil {
		s.peers = slices.Delete(s.peers, i, i+1) // the next Configure adds it
		return fmt.Errorf("it is added again by the next reload: %w", err)
	}
	return nil
}

// wear notes that a peer's session has ended, or that gobgp has ordered so because
// of BFD.
func (s *sessions) wear(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[a]; one != nil {
		s.wearOut(one)
	}
}

func (s *sessions) wearOut(one *session) {
	one.worn = true
	select {
	case s.cut <- struct{}{}:
	default:
	}
}

// worn are the peers of which that is so and whose session is not up, each given
// once.
func (s *sessions) worn() (all []netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, one := range s.all {
		if one.worn && !one.flooded && one.state != Established {
			one.worn = false
			all = append(all, a)
		}
	}
	return all
}
