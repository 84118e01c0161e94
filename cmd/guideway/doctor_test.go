package main

import (
	"net/netip"
	"strings"
	"testing"

	"guideway/control/console"
	"guideway/control/machine"
	"guideway/lcore"
)

func TestDoctorUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		errs string
	}{
		{"--backend", 2, "which --vip?"},
		{"--backend --vip 203.0.113.80 127.0.0.1:2323", 2, "no console"},
		{"--backend --vip www", 2, "www"},
		{"--backend --vip 203.0.113.80 --probe -1", 2, "1 to 3600"},
		{"--vip 203.0.113.80", 2, "are for --backend"},
		{"--probe 3", 2, "are for --backend"},
		{"a b", 2, `"b" is too much`},
		{"unix:/nowhere", 1, "is guidewayd running"},
		{"--config /nowhere.toml", 1, "/nowhere.toml"},
	} {
		code, out, errs := do(strings.Fields("doctor " + c.args)...)
		if code != c.code || !strings.Contains(errs, c.errs) || out != "" {
			t.Errorf("%s: exit %d\n%s\n%s", c.args, code, out, errs)
		}
	}
	if code, out, errs := do("doctor", "-h"); code != 0 || !strings.Contains(errs+out, "--backend") {
		t.Errorf("-h: exit %d\n%s\n%s", code, out, errs)
	}
}

// written is findings as people read them.
func written(findings []machine.Finding) string {
	var b strings.Builder
	machine.Write(&b, findings)
	return b.String()
}

// TestJudgeNode breaks one thing of a node that is well at a time.
func TestJudgeNode(t *testing.T) {
	a := netip.MustParseAddr
	well := func() (n nodeAnswers) {
		n.config.Path = "/etc/guideway/guideway.toml"
		n.cores.Generation = 7
		n.cores.Cores = []coreAnswer{{CPU: 2, Answers: true, Generation: 7, Busy: 0.5}}
		n.ports.Ports = []portAnswer{{Name: "wan", MTU: 1544, Up: true}}
		n.vips.VIPs = []vipAnswer{{Name: "www", State: "serving", Route: "announced", Healthy: 2, Wanted: 2}}
		n.checks.Checks = []console.Check{{Address: a("10.0.0.1"), Name: "web", Type: "http", Via: "direct", State: "up"}}
		n.bgp = console.BGP{ASN: 64512, Peers: []console.Peer{{Address: a("192.0.2.1"), State: "established", Sent: 1}}}
		n.nodes.Nodes = []console.FleetNode{{Name: "lb1", Self: true, State: "up"}, {Name: "lb2", State: "up"}}
		n.kernel = console.Kernel{Interfaces: []console.Interface{{Name: "gw-wan", Up: true, Carrier: true}},
			NextHops: []console.NextHop{{Destination: a("10.0.0.1"), Interface: "gw-wan", MAC: "02:00:00:00:00:01"}}}
		for i, sum := range []uint64{100, 250} {
			n.counters[i].Outcomes = []outcome{{"forwarded", sum}, {"too_big", 3}}
		}
		return n
	}
	if findings := judgeNode(well()); machine.Worst(findings) != machine.Fine || !strings.Contains(written(findings), "150 packets forwarded in 2s") {
		t.Errorf("a node that is well:\n%s", written(findings))
	}
	for name, c := range map[string]struct {
		breaks func(*nodeAnswers)
		worst  machine.Severity
		says   string
	}{
		"reload":     {func(n *nodeAnswers) { n.config.LastError = "x:1:2: no" }, machine.Missing, "configuration: the last load failed: x:1:2: no"},
		"warning":    {func(n *nodeAnswers) { n.config.Warnings = []string{"hm"} }, machine.Note, "configuration: hm"},
		"drained":    {func(n *nodeAnswers) { n.config.Draining = true }, machine.Note, "node: drained by an operator"},
		"watchdog":   {func(n *nodeAnswers) { n.trouble.Unhealthy = "core 2 stands" }, machine.Missing, "node: the watchdog has withdrawn everything: core 2 stands"},
		"stalled":    {func(n *nodeAnswers) { n.cores.Cores[0].Answers = false }, machine.Missing, "CPU 2: its poll loop does not answer"},
		"behind":     {func(n *nodeAnswers) { n.cores.Cores[0].Generation = 6 }, machine.Missing, "CPU 2: its poll loop works by an older configuration (6, and not 7)"},
		"busy":       {func(n *nodeAnswers) { n.cores.Cores[0].Busy = 0.97 }, machine.Note, "CPU 2: busy for 97 % of the time"},
		"misspread":  {func(n *nodeAnswers) { n.cores.Cores[0].Misspread = 5 }, machine.Note, "CPU 2: 5 packets came to another core than the card says"},
		"link":       {func(n *nodeAnswers) { n.ports.Ports[0].Up = false }, machine.Missing, `port "wan": no link`},
		"missed":     {func(n *nodeAnswers) { n.ports.Ports[0].Missed = 9 }, machine.Note, `port "wan": 9 packets were dropped by the card, because the poll loops were late`},
		"blind":      {func(n *nodeAnswers) { n.ports.Ports[0].Error = "no" }, machine.Note, "its counters are not known: no"},
		"withdrawn":  {func(n *nodeAnswers) { n.vips.VIPs[0].State, n.vips.VIPs[0].Healthy = "withdrawn", 0 }, machine.Missing, `VIP "www": withdrawn: 0 of 2 backends are healthy`},
		"waiting":    {func(n *nodeAnswers) { n.vips.VIPs[0].State = "waiting" }, machine.Note, `VIP "www": waiting`},
		"told":       {func(n *nodeAnswers) { n.vips.VIPs[0].Route = "told nobody" }, machine.Missing, `VIP "www": serving, but no router sends it here`},
		"unhealthy":  {func(n *nodeAnswers) { n.vips.VIPs[0].Healthy = 1 }, machine.Note, `VIP "www": 1 of 2 backends are healthy`},
		"check":      {func(n *nodeAnswers) { n.checks.Checks[0].State, n.checks.Checks[0].LastError = "down", "refused" }, machine.Note, `backend 10.0.0.1: down by check "web" (http, direct): refused`},
		"session":    {func(n *nodeAnswers) { n.bgp.Peers[0].State = "active" }, machine.Missing, "router 192.0.2.1: the BGP session is active: no error yet"},
		"received":   {func(n *nodeAnswers) { n.bgp.Peers[0].Received = 3 }, machine.Note, "router 192.0.2.1: the session is up, and brings 3 routes"},
		"fleet":      {func(n *nodeAnswers) { n.nodes.Nodes[1].State, n.nodes.Nodes[1].Error = "down", "timeout" }, machine.Note, "node lb2: down: timeout"},
		"interface":  {func(n *nodeAnswers) { n.kernel.Interfaces[0].Carrier = false }, machine.Missing, "interface gw-wan: down"},
		"route":      {func(n *nodeAnswers) { n.kernel.NextHops[0].Interface = "" }, machine.Missing, "next hops: none to 10.0.0.1 (no route)"},
		"neighbour":  {func(n *nodeAnswers) { h := &n.kernel.NextHops[0]; h.MAC, h.Via, h.State = "", a("192.0.2.1"), "failed" }, machine.Missing, "none to 10.0.0.1 (192.0.2.1, failed)"},
		"counter":    {func(n *nodeAnswers) { n.counters[1].Outcomes[1].Sum = 5 }, machine.Note, "too_big: 2 packets in 2s: do not fit into the tunnel"},
		"began anew": {func(n *nodeAnswers) { n.counters[1].Outcomes[0].Sum = 1 }, machine.Fine, "0 packets forwarded"},
	} {
		n := well()
		c.breaks(&n)
		if findings := judgeNode(n); machine.Worst(findings) != c.worst || !strings.Contains(written(findings), c.says) {
			t.Errorf("%s: worst %s, want %s, with %q:\n%s", name, machine.Worst(findings), c.worst, c.says, written(findings))
		}
	}
}

// What is explained must be what nodes count.
func TestMeaningsAreOfVerdicts(t *testing.T) {
	known := map[string]bool{}
	for v := range lcore.Verdicts {
		known[v.String()] = true
	}
	for name := range meanings {
		if !known[name] {
			t.Errorf("no verdict is called %q", name)
		}
	}
}
