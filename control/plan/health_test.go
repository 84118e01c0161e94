package plan

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"guideway/control/config"
	"guideway/maglev/fib"
)

// inputOf is what a plan for a text is made from, at the start.
func inputOf(t *testing.T, text string) Input {
	t.Helper()
	return Input{Config: parse(t, text), Ports: ports, Generation: 1, Workers: 2}
}

// checked is four backends with a check, as a VIP.
func checked(more string) string {
	return `[[check]]
name = "web"
type = "tcp"
port = 80
[[check]]
name = "deep"
type = "icmp"
[[pool]]
name = "p"
check = "web"
include = ["q"]
backends = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }, { address = "10.0.0.3" }, { address = "10.0.0.4" }]
[[pool]]
name = "q"
check = "deep"
backends = [{ address = "10.0.0.4" }]
` + vip("v", "203.0.113.1", "p") + more
}

// health answers by a letter for each backend and check: u(p), d(own), ?, n(ew:
// it has no verdict yet) and 0 (up, but wants no share).
func health(states map[string]string) func(config.VIP, netip.Addr, string) Health {
	return func(_ config.VIP, a netip.Addr, check string) Health {
		state := states[check]
		switch state[a.As4()[3]-1] {
		case 'u':
			return Health{Verdict: Up, Percent: 100}
		case 'h':
			return Health{Verdict: Up, Percent: 50}
		case '0':
			return Health{Verdict: Up}
		case 'd':
			return Health{Verdict: Down, Percent: 100}
		case 'n':
			return Health{Percent: 100, Begins: true}
		}
		return Health{Percent: 100}
	}
}

// line is a plan's VIP v in one line: condition, counts, and each backend's
// state.
func line(t *testing.T, p *Plan) string {
	v := p.vip(t, "v")
	var states []string
	for _, b := range v.Backends {
		states = append(states, map[fib.State]string{fib.Down: "down", fib.Draining: "drain", fib.Serving: "serve"}[b.State])
	}
	return fmt.Sprintf("%v %d/%d need %d: %s", v.Condition, v.Healthy, v.Wanted, v.Needed, strings.Join(states, " "))
}

func TestConditions(t *testing.T) {
	addr := netip.MustParseAddr
	type step struct {
		web, deep string
		patient   bool
		overrides map[Target]Override
		want      string
	}
	for _, c := range []struct {
		name, keys string
		steps      []step
	}{
		{"usual", "", []step{
			{"uuuu", "...u", false, nil, "serving 4/4 need 1: serve serve serve serve"},
			{"uudu", "...d", false, nil, "serving 2/4 need 1: serve serve down down"},
			{"u?0u", "...?", false, nil, "serving 1/4 need 1: serve drain drain drain"},
			{"dddd", "...u", false, nil, "withdrawn 0/4 need 1: down down down down"},
			{"uddd", "...u", false, nil, "serving 1/4 need 1: serve down down down"},
		}},
		{"start", "", []step{
			{"????", "...?", true, nil, "waiting 0/4 need 1: drain drain drain drain"},
			{"u???", "...u", true, nil, "waiting 1/4 need 1: serve drain drain drain"},
			{"u???", "...u", false, nil, "serving 1/4 need 1: serve drain drain drain"},
			{"u???", "...u", true, nil, "serving 1/4 need 1: serve drain drain drain"},
		}},
		{"new checks", "", []step{
			{"uud?", "...u", false, nil, "serving 2/4 need 1: serve serve down drain"},
			{"nnnn", "...u", true, nil, "serving 2/4 need 1: serve serve drain drain"}, // who was well is trusted
			{"nndn", "...n", true, nil, "serving 2/4 need 1: serve serve down drain"},
			{"dnnu", "...n", true, nil, "serving 1/4 need 1: down serve drain drain"},
			{"n???", "...u", true, nil, "withdrawn 0/4 need 1: drain drain drain drain"}, // silence is not new
		}},
		{"new checks have their time", "", []step{
			{"uuuu", "...u", false, nil, "serving 4/4 need 1: serve serve serve serve"},
			{"unnn", "...u", true, nil, "serving 4/4 need 1: serve serve serve serve"},
			{"unnn", "...u", false, nil, "serving 1/4 need 1: serve drain drain drain"},
		}},
		{"all known at the start", "", []step{
			{"uddd", "...u", true, nil, "serving 1/4 need 1: serve down down down"},
		}},
		{"half of them", `min_healthy = "50%"`, []step{
			{"uuuu", "...u", false, nil, "serving 4/4 need 2: serve serve serve serve"},
			{"uddd", "...u", false, nil, "withdrawn 1/4 need 2: serve down down down"},
			{"uudd", "...u", false, nil, "withdrawn 2/4 need 2: serve serve down down"},
			{"uuud", "...u", false, nil, "serving 3/4 need 2: serve serve serve down"},
		}},
		{"all of them", `min_healthy = "100%"`, []step{
			{"uuud", "...u", false, nil, "withdrawn 3/4 need 4: serve serve serve down"},
			{"uuuu", "...u", false, nil, "serving 4/4 need 4: serve serve serve serve"},
		}},
		{"fail open", "when_down = \"fail-open\"", []step{
			{"dddd", "...u", false, nil, "fail-open 0/4 need 1: serve serve serve serve"},
			{"uudd", "...u", false, nil, "serving 2/4 need 1: serve serve down down"},
		}},
		{"unreachable", "when_down = \"unreachable\"\nmin_healthy = \"3\"", []step{
			{"uudd", "...u", false, nil, "unreachable 2/4 need 3: drain drain down down"},
			{"uuuu", "...u", false, nil, "serving 4/4 need 3: serve serve serve serve"},
		}},
		{"operator", "", []step{
			{"uuuu", "...u", false, map[Target]Override{{"v", addr("10.0.0.1")}: Drained, {"", addr("10.0.0.2")}: Killed, {"w", addr("10.0.0.3")}: Killed},
				"serving 2/2 need 1: drain down serve serve"},
			{"uuuu", "...u", false, map[Target]Override{{"v", addr("10.0.0.1")}: Drained, {"", addr("10.0.0.1")}: Killed},
				"serving 3/3 need 1: down serve serve serve"},
			{"ddud", "...u", false, map[Target]Override{{"", addr("10.0.0.3")}: Drained}, "withdrawn 0/3 need 1: down down drain down"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var previous *Plan
			for i, s := range c.steps {
				in := inputOf(t, checked(c.keys+"\n"))
				in.Previous, in.Generation = previous, uint64(i+1)
				in.Health, in.Patient, in.Overrides = health(map[string]string{"web": s.web, "deep": s.deep}), s.patient, s.overrides
				p, err := Build(in)
				if err != nil {
					t.Fatal(err)
				}
				if got := line(t, p); got != s.want {
					t.Errorf("step %d: %s\nwant    %s", i, got, s.want)
				}
				if announced := len(p.Routes()) == 1; announced != p.vip(t, "v").Condition.Announced() {
					t.Errorf("step %d: announced %v", i, announced)
				}
				previous = p
			}
		})
	}
}

// A backend that asks for half of its weight gets half of the slots that the
// others get.
func TestWeightByHealth(t *testing.T) {
	in := inputOf(t, checked(""))
	in.Health = health(map[string]string{"web": "uuuh", "deep": "...u"})
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	b := p.vip(t, "v").Backends
	if full, half := b[0].Slots, b[3].Slots; half*2 < full-4 || half*2 > full+4 {
		t.Errorf("%d slots and %d, want half as many", full, half)
	}
}

// VIPs of one prefix share a route, which stays as long as one is served.
func TestRoutesAreShared(t *testing.T) {
	text := checked("communities = [\"64512:1\"]\n") + strings.NewReplacer(`"v"`, `"w"`, `"80"`, `"443"`, `["p"]`, `["r"]`).Replace(vip("v", "203.0.113.1", "p")) +
		"communities = [\"64512:1\", \"64512:2\"]\n[[pool]]\nname = \"r\"\nbackends = [{ address = \"10.0.0.9\" }]\n"
	for _, c := range []struct{ web, vips, communities string }{
		{"uuuu", "[v w]", "2"}, {"dddd", "[w]", "2"},
	} {
		in := inputOf(t, text)
		in.Health = health(map[string]string{"web": c.web, "deep": "...u"})
		p, err := Build(in)
		if err != nil {
			t.Fatal(err)
		}
		routes := p.Routes()
		if len(routes) != 1 || fmt.Sprint(routes[0].VIPs) != c.vips || fmt.Sprint(len(routes[0].Communities)) != c.communities || routes[0].Prefix.String() != "203.0.113.1/32" {
			t.Errorf("%s: routes %+v", c.web, routes)
		}
	}
}

// A VIP that has just what it needs comes back when it has had that for a while.
func TestRecovered(t *testing.T) {
	in := inputOf(t, checked("min_healthy = \"50%\"\n"))
	var previous *Plan
	for i, c := range []struct {
		web, want string
		recovered bool
	}{
		{"uddd", "withdrawn 1/4 need 2: serve down down down", false},
		{"uudd", "withdrawn 2/4 need 2: serve serve down down", false},
		{"uudd", "serving 2/4 need 2: serve serve down down", true},
	} {
		in.Previous, in.Generation = previous, uint64(i+1)
		in.Health = health(map[string]string{"web": c.web, "deep": "...u"})
		in.Recovered = func(vip string) bool { return vip == "v" && c.recovered }
		p, err := Build(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := line(t, p); got != c.want {
			t.Errorf("%s, recovered %v: %s, want %s", c.web, c.recovered, got, c.want)
		}
		if short := p.vip(t, "v"); short.Short() != (i == 1) {
			t.Errorf("step %d: short %v", i, short.Short())
		}
		previous = p
	}
}
