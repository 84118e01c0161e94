package main

import (
	"strings"
	"testing"
)

func TestReportNamesEveryKindOfFault(t *testing.T) {
	good := func() *report {
		return &report{Main: &tally{}, Reload: &reloadReport{Transfers: &tally{}, Fresh: &tally{}}}
	}
	wantFault(t, good().faults(), "")
	for _, c := range []struct {
		part  string
		spoil func(*report)
	}{
		{"main run", func(r *report) { r.Main.fault("main run") }},
		{"transfer", func(r *report) { r.Reload.Transfers.fault("transfer") }},
		{"fresh", func(r *report) { r.Reload.Fresh.fault("fresh") }},
		{"refused 3 packets: bad", func(r *report) { r.Tunnel.Refused = map[string]uint64{"bad": 3} }},
		{"guidewayd: exit status 2", func(r *report) { r.Stop = "exit status 2" }},
	} {
		r := good()
		c.spoil(r)
		wantFault(t, r.faults(), c.part)
	}
}

func TestTables(t *testing.T) {
	tally := judge([]connection{conn("web4", "b1"), conn("web4", "b1"), conn("web4", "b2"), conn("web6", "b2")})
	for _, c := range []struct{ table, want string }{
		{answeredTable(tally, newTopology("x", drivers[0], 2).backends), `
          vip                 GRE over   connections   b1         b2          expected
          203.0.113.10        IPv4       3             2 (67 %)   1 (33 %)    50 %
          2001:db8:cafe::10   IPv6       1             0 (0 %)    1 (100 %)   50 %
          203.0.113.11        IPv6       0             0 (0 %)    0 (0 %)     50 %
          2001:db8:cafe::11   IPv4       0             0 (0 %)    0 (0 %)     50 %
`},
		{latencyTable(tally), `
          request   count   p50      p90      p99      max
          hello     4       1.0 ms   1.0 ms   1.0 ms   1.0 ms
`},
		{verdictTable(map[string]float64{"none": 0, "less": 2, "b": 7, "a": 7}), `
          verdict   packets
          a         7
          b         7
          less      2
`},
	} {
		var got strings.Builder
		for line := range strings.Lines("\n" + c.table) {
			got.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		if got.String() != c.want {
			t.Errorf("got:%swant:%s", got.String(), c.want)
		}
	}
}
