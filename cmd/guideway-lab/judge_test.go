package main

import (
	"strings"
	"testing"
	"time"
)

// conn is a connection to vip with one exchange for each answer: a backend's
// name, or "!" and what went wrong.
func conn(vip string, answers ...string) connection {
	c := connection{VIP: vip, Dials: 1}
	for _, a := range answers {
		x := exchange{Step: stepHello, Backend: a}
		if fault, ok := strings.CutPrefix(a, "!"); ok {
			x.Backend, x.Fault = "", fault
		}
		x.End = x.Start.Add(time.Duration(len(c.Exchanges)+1) * time.Millisecond)
		c.Exchanges = append(c.Exchanges, x)
	}
	return c
}

func TestJudge(t *testing.T) {
	redialled := conn("web4", "b1")
	redialled.Dials = 2
	for _, c := range []struct {
		name                      string
		conns                     []connection
		requests, failed, strayed int
		fault                     string // part of the first; empty: none
	}{
		{"all well", []connection{conn("web4", "b1", "b1"), conn("web6", "b2")}, 3, 0, 0, ""},
		{"a request fails", []connection{conn("web4", "b1", "!timeout", "b1")}, 2, 1, 0, "timeout"},
		{"a connection strays", []connection{conn("web4", "b1", "b1", "b2")}, 3, 0, 1, "b1 and b2"},
		{"a connection is opened again", []connection{redialled}, 1, 0, 1, "opened 2 times"},
		{"nothing", nil, 0, 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judge(c.conns)
			if got.Requests != c.requests || got.Failed != c.failed || got.Strayed != c.strayed {
				t.Errorf("requests %d, failed %d, strayed %d; want %d, %d, %d",
					got.Requests, got.Failed, got.Strayed, c.requests, c.failed, c.strayed)
			}
			wantFault(t, got.Faults, c.fault)
		})
	}
}

func wantFault(t *testing.T, faults []string, part string) {
	t.Helper()
	switch {
	case part == "" && len(faults) > 0:
		t.Errorf("faults where none is: %q", faults)
	case part != "" && (len(faults) == 0 || !strings.Contains(faults[0], part)):
		t.Errorf("faults %q; want one with %q first", faults, part)
	}
}

func TestJudgeTellsFewAndCountsAll(t *testing.T) {
	var conns []connection
	for range 100 {
		conns = append(conns, conn("web4", "!lost"))
	}
	if got := judge(conns); got.Failed != 100 || len(got.Faults) != maxFaults {
		t.Errorf("failed %d, told %d; want 100, %d", got.Failed, len(got.Faults), maxFaults)
	}
}

func TestSpread(t *testing.T) {
	backends := newTopology("x", drivers[0], 2).backends
	many := func(name string, n int) (conns []connection) {
		for range n {
			conns = append(conns, conn("web4", name))
		}
		return conns
	}
	for _, c := range []struct {
		name  string
		conns []connection
		fault string
	}{
		{"both answer", append(many("b1", 30), many("b2", 10)...), ""},
		{"one is silent", many("b1", 40), "b2 answered none of 40"},
		{"too few to tell", many("b1", 39), ""},
		{"a stranger answers", append(many("b1", 20), many("b3", 1)...), "b3, which is in no pool"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judge(c.conns)
			got.spread(backends)
			wantFault(t, got.Faults, c.fault)
		})
	}
}

func TestFamilies(t *testing.T) {
	both := judge([]connection{conn("web4", "b1"), conn("web6-in-4", "b1")})
	both.families()
	wantFault(t, both.Faults, "")
	one := judge([]connection{conn("web4", "b1"), conn("web4-in-6", "b1"), conn("web6", "!lost")})
	one.Faults = nil // but for what families finds
	one.families()
	wantFault(t, one.Faults, "IPv6")
}

func TestPercentiles(t *testing.T) {
	var d []time.Duration
	for i := 200; i > 0; i-- {
		d = append(d, time.Duration(i))
	}
	if got, want := percentiles("x", d), (latency{"x", 200, 100, 180, 198, 200}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := percentiles("x", []time.Duration{7}), (latency{"x", 1, 7, 7, 7, 7}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
