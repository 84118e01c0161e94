package main

import (
	"cmp"
	"fmt"
	"strings"

	"guideway/control/machine"
)

// A doctor collects findings.
type doctor struct{ findings []machine.Finding }

func (d *doctor) find(s machine.Severity, topic, advice, text string, args ...any) {
	d.findings = append(d.findings, machine.Finding{Topic: topic, Severity: s, Text: fmt.Sprintf(text, args...), Advice: advice})
}

// judgeNode says what is wrong, or fine, with a node by what it says itself.
func judgeNode(a nodeAnswers) []machine.Finding {
	d := &doctor{}
	d.find(machine.Fine, "guidewayd", "", "%s with %s, on %s since %s", a.version.Version, a.version.DPDK, a.version.Node, a.version.Started.Format("2006-01-02 15:04:05"))
	d.config(a)
	d.cores(a)
	d.ports(a)
	d.vips(a)
	d.checks(a)
	d.routers(a)
	d.fleet(a)
	d.kernel(a)
	d.counters(a)
	return d.findings
}

func (d *doctor) config(a nodeAnswers) {
	c := a.config
	if c.LastError != "" {
		d.find(machine.Missing, "configuration", "guideway check "+c.Path+" ; what was in effect before still is (docs/reload.md)", "the last load failed: %s", c.LastError)
	} else {
		d.find(machine.Fine, "configuration", "", "%s is in effect", c.Path)
	}
	for _, w := range c.Warnings {
		d.find(machine.Note, "configuration", "", "%s", w)
	}
	if c.Draining {
		d.find(machine.Note, "node", "undrain node, at the console, ends that", "drained by an operator: nothing is announced")
	}
	if a.trouble.Unhealthy != "" {
		d.find(machine.Missing, "node", "docs/reload.md, the watchdog", "the watchdog has withdrawn everything: %s", a.trouble.Unhealthy)
	}
}

func (d *doctor) cores(a nodeAnswers) {
	well := 0
	for _, c := range a.cores.Cores {
		topic := fmt.Sprintf("CPU %d", c.CPU)
		switch {
		case !c.Answers:
			d.find(machine.Missing, topic, "another thread on its CPU, or a hypervisor that takes it away: docs/cores.md", "its poll loop does not answer")
			continue
		case c.Generation < a.cores.Generation:
			d.find(machine.Missing, topic, "", "its poll loop works by an older configuration (%d, and not %d)", c.Generation, a.cores.Generation)
			continue
		case c.Busy > 0.9:
			d.find(machine.Note, topic, "more lcores, before packets are missed: docs/cores.md", "busy for %.0f %% of the time since the start", 100*c.Busy)
		case c.Misspread > 0:
			d.find(machine.Note, topic, `[dpdk].steering = "software": docs/cores.md`, "%d packets came to another core than the card says: it does not spread as it tells", c.Misspread)
		}
		well++
	}
	if well == len(a.cores.Cores) {
		d.find(machine.Fine, "poll loops", "", "all %d answer, and work by configuration %d", well, a.cores.Generation)
	}
}

func (d *doctor) ports(a nodeAnswers) {
	for _, p := range a.ports.Ports {
		topic := fmt.Sprintf("port %q", p.Name)
		if !p.Up {
			d.find(machine.Missing, topic, "cable, transceiver, the switch's port", "no link")
		} else {
			d.find(machine.Fine, topic, "", "link is up, MTU %d", p.MTU)
		}
		if p.Error != "" {
			d.find(machine.Note, topic, "", "its counters are not known: %s", p.Error)
		}
		for _, c := range []struct {
			n            uint64
			what, advice string
		}{
			{p.Missed, "were dropped by the card, because the poll loops were late", "show cores: which is busy, which has gaps? docs/cores.md"},
			{p.NoFrame, "were dropped by the card, because the memory for packets was full", "[dpdk].memory; or frames are held somewhere: show fragments"},
			{p.RxErrors, "came broken", "the line: cable, transceiver; show ports " + p.Name},
			{p.TxErrors, "could not be sent", "show ports " + p.Name},
		} {
			if c.n > 0 {
				d.find(machine.Note, topic, c.advice, "%d packets %s, since the start", c.n, c.what)
			}
		}
	}
}

func (d *doctor) vips(a nodeAnswers) {
	well := 0
	for _, v := range a.vips.VIPs {
		topic := fmt.Sprintf("VIP %q", v.Name)
		ask := "show vips " + v.Name
		switch {
		case v.State == "withdrawn" || v.State == "unreachable":
			d.find(machine.Missing, topic, ask, "%s: %d of %d backends are healthy", v.State, v.Healthy, v.Wanted)
		case v.State != "serving":
			d.find(machine.Note, topic, ask, "%s: %d of %d backends are healthy", v.State, v.Healthy, v.Wanted)
		case v.Route == "told nobody" || v.Route == "not announced":
			d.find(machine.Missing, topic, "show bgp", "serving, but no router sends it here: %s", v.Route)
		case v.Healthy < v.Wanted:
			d.find(machine.Note, topic, ask, "%d of %d backends are healthy", v.Healthy, v.Wanted)
		default:
			well++
		}
	}
	if well > 0 {
		d.find(machine.Fine, "VIPs", "", "%d of %d are served, by all of their backends%s", well, len(a.vips.VIPs), routed(a))
	}
}

func routed(a nodeAnswers) string {
	if a.bgp.ASN == 0 {
		return "; there is no [bgp], so routers must know by themselves"
	}
	return ", and announced"
}

// checks names what each backend that is down answered last.
func (d *doctor) checks(a nodeAnswers) {
	for _, c := range a.checks.Checks {
		if c.State != "down" {
			continue
		}
		advice := "on the backend: guideway doctor --backend, with its VIPs (docs/backends.md)"
		if c.Via == "direct" {
			advice = "is the service there? show checks " + c.Address.String()
		}
		d.find(machine.Note, "backend "+c.Address.String(), advice, "down by check %q (%s, %s): %s", c.Name, c.Type, c.Via, c.LastError)
	}
}

func (d *doctor) routers(a nodeAnswers) {
	for _, p := range a.bgp.Peers {
		topic := "router " + p.Address.String()
		switch {
		case p.State != "established":
			d.find(machine.Missing, topic, "docs/bgp.md; and is it reached at all? show kernel", "the BGP session is %s: %s", p.State, cmp.Or(p.LastError, "no error yet"))
		case p.Received > 0:
			d.find(machine.Note, topic, "none is used: have it send none", "the session is up, and brings %d routes", p.Received)
		default:
			d.find(machine.Fine, topic, "", "the session is up, %d routes sent", p.Sent)
		}
	}
}

func (d *doctor) fleet(a nodeAnswers) {
	for _, n := range a.nodes.Nodes {
		if !n.Self && n.State != "up" {
			d.find(machine.Note, "node "+n.Name, "fragments of its datagrams are spread over the others meanwhile: docs/fragments.md", "%s: %s", n.State, cmp.Or(n.Error, "no error"))
		}
	}
}

func (d *doctor) kernel(a nodeAnswers) {
	for _, i := range a.kernel.Interfaces {
		if !i.Up || !i.Carrier {
			d.find(machine.Missing, "interface "+i.Name, "docs/kernel-path.md", "down: BGP, next hops and all that is for no VIP stand still")
		}
	}
	var lost []string
	for _, n := range a.kernel.NextHops {
		switch {
		case n.Interface == "":
			lost = append(lost, n.Destination.String()+" (no route)")
		case n.MAC == "":
			lost = append(lost, fmt.Sprintf("%s (%s, %s)", n.Destination, n.Via, n.State))
		}
	}
	if len(lost) > 0 {
		d.find(machine.Missing, "next hops", "show kernel; the kernel's routes and neighbours, [[port]].gateways (docs/kernel-path.md)", "none to %s", strings.Join(lost, ", "))
	}
}

// meanings are of verdicts that an operator can do something about. All are in
// docs/metrics.md.
var meanings = map[string]string{
	"no_service":       "for a VIP, but none of its ports: scans, or a port that is missing in the file",
	"no_backend":       "for a VIP that has nobody to take them: show backends",
	"vip_unreachable":  "for a VIP that is down: min_healthy, the checks",
	"no_next_hop":      "for a backend that no next hop is known to: show kernel",
	"too_big":          "do not fit into the tunnel, and nobody is told: raise the MTU on the way to the backends (docs/icmp-mtu.md)",
	"too_big_answered": "do not fit into the tunnel, and their senders are told: if it goes on, they do not hear it (docs/icmp-mtu.md)",
	"tx_full":          "are not taken by the egress card in time: is the line full?",
	"no_frame":         "find no buffer large enough: an egress port with a much larger MTU than the first",
	"handover_full":    "were for another core that is at its limit: show cores",
	"kernel_limited":   "for no VIP, beyond kernel_rate: a flood of what is not for a VIP",
	"kernel_full":      "for no VIP, and the kernel is too slow to take them, or its interface is down",
	"foreign_vlan":     "of another VLAN than [[port]].vlan: the switch's port",
	"multi_segment":    "longer than [[port]].mtu: a sender, or the switch, with a larger one",
	"bad_checksum":     "with a wrong IPv4 checksum: a broken link or router before us",
	"stranger":         "marked as from a node that is not in [fragments].nodes: lists that differ, or forged",
	"tunnelled":        "tunnels to a VIP: two nodes that send to each other?",
	"not_vip":          "for an address that is no VIP here: a route that leads here by mistake?",
	"fragment_dropped": "fragments for a VIP that takes none: fragments = true (docs/fragments.md)",
	"fragment_expired": "fragments whose first one never came: loss, or [fragments].nodes that differ (docs/fragments.md)",
	"unset":            "dropped without a reason: a bug, report it",
}

// counters names the verdicts that grow.
func (d *doctor) counters(a nodeAnswers) {
	before := map[string]uint64{}
	for _, o := range a.counters[0].Outcomes {
		before[o.Name] = o.Sum
	}
	forwarded := uint64(0)
	for _, o := range a.counters[1].Outcomes {
		grown := o.Sum - min(o.Sum, before[o.Name]) // a restart in between
		if o.Name == "forwarded" {
			forwarded = grown
		}
		if text, known := meanings[o.Name]; known && grown > 0 {
			d.find(machine.Note, o.Name, "docs/metrics.md", "%d packets in %s: %s", grown, between, text)
		}
	}
	d.find(machine.Fine, "traffic", "", "%d packets forwarded in %s", forwarded, between)
}
