package bgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

// gobgp sends a new session all routes, lets go of its lock, and only then
// counts the session as established, from when on it is told of changes. A
// change between the two reaches that router never: it would not learn of a
// VIP, or worse, keep one that is withdrawn. So who changes something looks at
// the states before and after, and makes up for it where a session may have
// come up in between.

// catchUpLimit is how long a session that is about to come up is waited for. The
// gap is much shorter; a session that takes longer has not come to it.
const catchUpLimit = 250 * time.Millisecond

// states are those of all sessions, as gobgp goes by them.
func (s *Speaker) states() map[netip.Addr]api.PeerState_SessionState {
	all := map[netip.Addr]api.PeerState_SessionState{}
	_ = s.server.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		if a, err := netip.ParseAddr(p.State.NeighborAddress); err == nil {
			all[a] = p.State.SessionState
		}
	})
	return all
}

// catchUp tells sessions that have come up since before what has changed. What
// was announced is sent again; what was withdrawn cannot be, so that session is
// closed, and comes back with the routes that there are.
func (s *Speaker) catchUp(before map[netip.Addr]api.PeerState_SessionState, withdrawn bool) error {
	var errs []error
	until := time.Now().Add(catchUpLimit)
	for {
		opening := false
		for a, state := range s.states() {
			old, known := before[a]
			switch {
			case !known || old == api.PeerState_SESSION_STATE_ESTABLISHED:
			case state == api.PeerState_SESSION_STATE_OPENCONFIRM:
				opening = true
			case state == api.PeerState_SESSION_STATE_ESTABLISHED:
				before[a] = state
				r := &api.ResetPeerRequest{Address: a.String(), Soft: !withdrawn, Direction: api.ResetPeerRequest_DIRECTION_OUT, Communication: "routes have changed"}
				if err := s.server.ResetPeer(context.Background(), r); err != nil {
					errs = append(errs, fmt.Errorf("peer %s: %w", a, err))
				}
			}
		}
		if !opening || time.Now().After(until) {
			return errors.Join(errs...)
		}
		time.Sleep(lookAgain)
	}
}
