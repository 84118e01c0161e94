package plan

import (
	"net/netip"
	"slices"
	"strings"

	"guideway/control/config"
	"guideway/maglev/fib"
)

// A Verdict is what checks say of a backend.
type Verdict uint8

// The verdicts. Unknown is neither of the others: such a backend keeps the flows
// it has and gets no new ones.
const (
	Unknown Verdict = iota
	Up
	Down
)

var verdictNames = []string{"unknown", "up", "down"}

// String is for logs, the console and metrics.
func (v Verdict) String() string { return verdictNames[v] }

// Health is what is known of a backend: the verdict, and the share of its weight
// that it asks for, 0..100 percent (checks that do not say have 100).
type Health struct {
	Verdict Verdict
	Percent int
	Begins  bool // Unknown because the check has just begun, and not because it fell silent
}

// Override is what an operator wants of a backend until further notice, whatever
// the file says.
type Override uint8

// The overrides.
const (
	NoOverride Override = iota
	Drained             // keeps its flows, gets no new ones
	Killed              // gets nothing: its flows are selected anew
)

var overrideNames = []string{"", "drained", "killed"}

// String is empty for none.
func (o Override) String() string { return overrideNames[o] }

// A Target is a backend that an override is for.
type Target struct {
	VIP     string // its name; empty: every VIP that has the backend
	Backend netip.Addr
}

// A Condition is how a VIP is.
type Condition uint8

// The conditions.
const (
	Serving     Condition = iota // enough backends are healthy
	Waiting                      // it was never announced, and not every backend has a verdict yet
	Withdrawn                    // too few backends are healthy: no route
	FailOpen                     // too few are: all count as healthy
	Unreachable                  // too few are: who connects is told so
)

var conditionNames = []string{"serving", "waiting", "withdrawn", "fail-open", "unreachable"}

// String is for logs, the console and metrics.
func (c Condition) String() string { return conditionNames[c] }

// Announced tells whether a VIP in that condition has a route.
func (c Condition) Announced() bool { return c == Serving || c == FailOpen || c == Unreachable }

// down tells whether a VIP in that condition has too few healthy backends.
func (c Condition) down() bool { return c == Withdrawn || c == FailOpen || c == Unreachable }

// Short tells whether a VIP is down although it has as many healthy backends as
// it needs: it has just got them.
func (v *VIP) Short() bool { return v.Condition.down() && v.Healthy >= max(v.Needed, 1) }

// Undecided tells whether the plan being patient makes a difference to the VIP.
func (v *VIP) Undecided() bool {
	return v.Condition == Waiting || slices.ContainsFunc(v.Backends, func(b Backend) bool { return b.Trusted })
}

// judge combines what a backend's checks say: all of them must pass. A backend
// that is well stays so until a check that it has got since has a verdict, as
// long as the plan is patient: to have all of them doubted at once for a new
// question would take the VIP away.
func (b *builder) judge(v config.VIP, backend netip.Addr, checks []string) Health {
	h := Health{Verdict: Up, Percent: 100}
	if b.in.Health == nil {
		return h
	}
	for _, name := range checks {
		one := b.in.Health(v, backend, name)
		if one.Begins && b.in.Patient && b.wasUp(v.Name, backend) {
			one.Verdict, h.Begins = Up, true
		}
		switch {
		case one.Verdict == Down || h.Verdict == Down:
			h.Verdict = Down
		case one.Verdict == Unknown:
			h.Verdict = Unknown
		}
		h.Percent = min(h.Percent, max(one.Percent, 0))
	}
	return h
}

// wasUp tells whether a backend was well by the previous plan.
func (b *builder) wasUp(vip string, backend netip.Addr) bool {
	v, known := b.in.Previous.find(vip)
	if !known {
		return false
	}
	i, known := slices.BinarySearchFunc(v.Backends, backend, func(e Backend, a netip.Addr) int { return e.Address.Compare(a) })
	return known && v.Backends[i].Health == Up
}

// override returns what the operator wants of a backend of a VIP: the stronger
// of what is said for that VIP and for all.
func (b *builder) override(vip string, backend netip.Addr) Override {
	return max(b.in.Overrides[Target{vip, backend}], b.in.Overrides[Target{"", backend}])
}

// state is what a backend takes, by the file, the operator and its health.
func state(want config.State, o Override, h Health) fib.State {
	switch {
	case o == Killed || h.Verdict == Down:
		return fib.Down
	case want == config.StateDrain || o == Drained || h.Verdict == Unknown || h.Percent == 0:
		return fib.Draining
	}
	return fib.Serving
}

// assess finds the condition of a VIP whose backends have their states, and
// applies what follows from it.
func (b *builder) assess(v *VIP, c config.VIP) {
	unknown := 0
	for i := range v.Backends {
		e := &v.Backends[i]
		if !e.Wanted() {
			continue
		}
		v.Wanted++
		switch {
		case e.State == fib.Serving:
			v.Healthy++
		case e.Health == Unknown:
			unknown++
		}
	}
	before, known := b.in.Previous.find(v.Name)
	v.Needed = c.MinHealthy.Of(v.Wanted)
	need := v.Needed
	if known && before.Condition.down() && need > 1 && need < v.Wanted && (b.in.Recovered == nil || !b.in.Recovered(v.Name)) {
		need++ // hysteresis: to come back at once takes one more than to stay
	}
	switch {
	case unknown > 0 && b.in.Patient && (!known || before.Condition == Waiting):
		v.Condition = Waiting
	case v.Healthy >= max(need, 1):
		v.Condition = Serving
	case c.WhenDown == config.DownFailOpen && v.Wanted > 0:
		v.Condition = FailOpen
		for i := range v.Backends {
			if e := &v.Backends[i]; e.Wanted() {
				e.State = fib.Serving
			}
		}
	case c.WhenDown == config.DownUnreachable:
		v.Condition = Unreachable
		for i := range v.Backends {
			if e := &v.Backends[i]; e.State == fib.Serving {
				e.State = fib.Draining // flows that are well stay so
			}
		}
	default:
		v.Condition = Withdrawn
	}
}

// Wanted tells whether file and operator want the backend to serve.
func (e *Backend) Wanted() bool { return e.Want == config.StateUp && e.Override == NoOverride }

// find finds a VIP of a plan, which may be nil.
func (p *Plan) find(name string) (*VIP, bool) {
	if p == nil {
		return nil, false
	}
	i, ok := slices.BinarySearchFunc(p.VIPs, name, func(v VIP, name string) int { return strings.Compare(v.Name, name) })
	if !ok {
		return nil, false
	}
	return &p.VIPs[i], true
}

// A Route is a prefix to announce.
type Route struct {
	Prefix      netip.Prefix
	Communities []config.Community // of all its VIPs that are announced, each once
	VIPs        []string           // those
}

// Routes lists what is to be announced, by prefix: that of every VIP whose
// condition has it announced. VIPs of one prefix share the route: it stays as long
// as one of them is served.
func (p *Plan) Routes() []Route {
	var routes []Route
	at := map[netip.Prefix]int{}
	for i := range p.VIPs {
		v := &p.VIPs[i]
		if !v.Condition.Announced() {
			continue
		}
		r, ok := at[v.Prefix]
		if !ok {
			r = len(routes)
			at[v.Prefix] = r
			routes = append(routes, Route{Prefix: v.Prefix})
		}
		routes[r].VIPs = append(routes[r].VIPs, v.Name)
		for _, c := range v.Communities {
			if !slices.Contains(routes[r].Communities, c) {
				routes[r].Communities = append(routes[r].Communities, c)
			}
		}
	}
	slices.SortFunc(routes, func(a, b Route) int { return a.Prefix.Compare(b.Prefix) })
	return routes
}
