package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// Announce makes the announced routes be those of want, each prefix once, and
// nothing else: what is new or changed is sent, what is missing is withdrawn,
// what is the same stays untouched. The Speaker remembers them for peers and
// settings that come later. It returns when gobgp has them; they leave for the
// peers within milliseconds, and what a router does then takes its own time.
func (s *Speaker) Announce(_ context.Context, want []Route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.want = slices.Clone(want)
	return s.announce()
}

// Withdraw takes routes out of those that are announced. Prefixes that are not
// announced are none of its business. A prefix that an aggregate stands for
// may have to stay reachable: see Settings.Aggregate.
func (s *Speaker) Withdraw(_ context.Context, gone []netip.Prefix) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	out := make(map[netip.Prefix]bool, len(gone))
	for _, p := range gone {
		out[p] = true
	}
	s.want = slices.DeleteFunc(s.want, func(r Route) bool { return out[r.Prefix] })
	return s.announce()
}

// batch is how many routes gobgp is given at a time: while it takes them in, it
// does nothing else.
const batch = 256

// announce brings gobgp's table to what is wanted.
func (s *Speaker) announce() error {
	if s.server == nil {
		return nil
	}
	return s.bring(aggregate(s.want, s.settings.Aggregate))
}

// bring makes gobgp's table be next: withdrawals first.
func (s *Speaker) bring(next map[netip.Prefix]Route) error {
	var gone, fresh []Route
	for prefix, r := range s.sent {
		if _, stays := next[prefix]; !stays {
			gone = append(gone, r)
		}
	}
	for prefix, r := range next {
		if old, known := s.sent[prefix]; !known || !old.equal(r) {
			fresh = append(fresh, r)
		}
	}
	if len(gone)+len(fresh) == 0 {
		return nil
	}
	before := s.states()
	byPrefix := func(a, b Route) int { return comparePrefixes(a.Prefix, b.Prefix) }
	slices.SortFunc(gone, byPrefix)
	slices.SortFunc(fresh, byPrefix)
	for some := range slices.Chunk(gone, batch) {
		if err := s.give(some, true); err != nil {
			return fmt.Errorf("withdraw: %w", err)
		}
	}
	for some := range slices.Chunk(fresh, batch) {
		if err := s.give(some, false); err != nil {
			return fmt.Errorf("announce: %w", err)
		}
	}
	s.log.Info("bgp routes changed", "announced", len(fresh), "withdrawn", len(gone), "routes", len(s.sent))
	s.sessions.announced(s.sent)
	return s.catchUp(before, len(gone) > 0)
}

// give hands over some routes, and keeps the books.
func (s *Speaker) give(routes []Route, withdraw bool) error {
	paths := make([]*apiutil.Path, 0, len(routes))
	for _, r := range routes {
		p, err := r.path()
		if err != nil {
			return fmt.Errorf("%s: %w", r.Prefix, err)
		}
		p.Withdrawal = withdraw
		paths = append(paths, p)
	}
	if withdraw {
		if err := s.server.DeletePath(apiutil.DeletePathRequest{Paths: paths}); err != nil {
			return err
		}
		for _, r := range routes {
			delete(s.sent, r.Prefix)
		}
		return nil
	}
	if _, err := s.server.AddPath(apiutil.AddPathRequest{Paths: paths}); err != nil {
		return err
	}
	for _, r := range routes {
		s.sent[r.Prefix] = r
	}
	return nil
}
