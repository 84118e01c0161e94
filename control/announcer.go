package control

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"guideway/control/config"
	"guideway/control/plan"
)

// A Speaker tells routers what is served here. Its methods make things be as
// asked, and may be called again.
type Speaker interface {
	Configure(ctx context.Context, c *config.Config) error   // whom to tell, and how
	Announce(ctx context.Context, want []plan.Route) error   // exactly these
	Withdraw(ctx context.Context, gone []netip.Prefix) error // at once, without a goodbye
}

// An announcer stands between what the plan wants announced and the routers. It
// can be held: then nothing is announced, whatever is wanted, until the reason is
// over. The manager says what is wanted; holds come from the watchdog as well.
type announcer struct {
	speaker Speaker // nil: nobody is told anything
	log     *slog.Logger

	mu    sync.Mutex
	want  []plan.Route
	holds map[string]string // why nothing is announced, by kind
}

func newAnnouncer(s Speaker, log *slog.Logger) *announcer {
	return &announcer{speaker: s, log: log, holds: map[string]string{}}
}

// leave withdraws what is announced and not in next, before the cores stop
// serving it: step a of every change.
func (a *announcer) leave(ctx context.Context, next []plan.Route) {
	a.mu.Lock()
	defer a.mu.Unlock()
	stays := map[netip.Prefix]bool{}
	for _, r := range next {
		stays[r.Prefix] = true
	}
	var gone []netip.Prefix
	a.want = slices.DeleteFunc(slices.Clone(a.want), func(r plan.Route) bool {
		if !stays[r.Prefix] {
			gone = append(gone, r.Prefix)
		}
		return !stays[r.Prefix]
	})
	if len(gone) > 0 && len(a.holds) == 0 && a.speaker != nil {
		if err := a.speaker.Withdraw(ctx, gone); err != nil {
			a.log.Error("routes are not withdrawn", "error", err)
		}
	}
}

// configure has the speaker speak to the routers of c.
func (a *announcer) configure(ctx context.Context, c *config.Config) error {
	if a.speaker == nil {
		return nil
	}
	return a.speaker.Configure(ctx, c)
}

// enter announces what is wanted, now that every core serves it: the last step
// of every change.
func (a *announcer) enter(ctx context.Context, want []plan.Route) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.want = want
	a.tell(ctx)
}

// hold withdraws everything for a reason, until release. It may be called again.
func (a *announcer) hold(ctx context.Context, kind, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.holds[kind]
	if before == reason {
		return
	}
	a.holds[kind] = reason
	if before == "" {
		a.log.Error("everything is withdrawn", "reason", reason)
	}
	a.tell(ctx)
}

// release ends a hold. What is wanted is announced again, unless another holds.
func (a *announcer) release(ctx context.Context, kind string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	reason, held := a.holds[kind]
	if !held {
		return
	}
	delete(a.holds, kind)
	a.log.Info("over: everything was withdrawn", "reason", reason)
	a.tell(ctx)
}

// tell makes the speaker announce what is wanted, or nothing if held.
func (a *announcer) tell(ctx context.Context) {
	if a.speaker == nil {
		return
	}
	want := a.want
	if len(a.holds) > 0 {
		want = nil
	}
	if err := a.speaker.Announce(ctx, want); err != nil {
		a.log.Error("routes are not announced as they should be", "error", err)
	}
}

// announced returns what is announced now, and why it is nothing if it is held.
func (a *announcer) announced() (routes []plan.Route, held string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.holds) > 0 {
		return nil, strings.Join(slices.Sorted(maps.Values(a.holds)), "; ")
	}
	return a.want, ""
}

// why tells whether an operator drains the node, and why the watchdog holds
// everything, if it does.
func (a *announcer) why() (draining bool, unhealthy string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var reasons []string
	for _, kind := range slices.Sorted(maps.Keys(a.holds)) {
		if kind == holdDrain {
			draining = true
		} else {
			reasons = append(reasons, a.holds[kind])
		}
	}
	return draining, strings.Join(reasons, "; ")
}
