package console

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"guideway/control/plan"
)

const backendArgs = "ADDRESS [vip NAME] [--force]"

func drain() *command {
	return &command{
		name: "drain", args: backendArgs + " | node", changes: true,
		short: "a backend keeps its connections and gets no new ones; or the node withdraws its routes",
		long: `It lasts until undrain, or until the node starts anew. Of all VIPs that have the
backend, or of one. What would take away too many backends of a VIP at once
([reload].max_removed) needs --force.

drain node withdraws every route and stops nothing: traffic moves to the other
nodes.`,
		example:  "drain 10.0.0.1 vip www",
		complete: backendPlaces(true),
		run:      func(c *call) (answer, error) { return c.override(drain(), plan.Drained) },
	}
}

func undrain() *command {
	return &command{
		name: "undrain", args: "ADDRESS [vip NAME] | node", changes: true,
		short:    "takes drain and kill back: a backend is as the file says; or the node announces its routes again",
		example:  "undrain 10.0.0.1",
		complete: backendPlaces(true),
		run:      func(c *call) (answer, error) { return c.override(undrain(), plan.NoOverride) },
	}
}

func kill() *command {
	return &command{
		name: "kill", args: backendArgs, changes: true,
		short:    "a backend gets nothing at once: its connections go to others, which do not know them",
		long:     "For a backend that does harm. It lasts as drain does, and undrain takes it back.",
		example:  "kill 10.0.0.1 --force",
		complete: backendPlaces(false),
		run:      func(c *call) (answer, error) { return c.override(kill(), plan.Killed) },
	}
}

// backendPlaces completes ADDRESS [vip NAME], and the node where it is meant.
func backendPlaces(node bool) func(Node, []string) []string {
	return func(n Node, done []string) []string {
		switch {
		case len(done) == 0 && node:
			return append(backendNames(n), "node")
		case len(done) == 0:
			return backendNames(n)
		case done[0] == "node":
			return nil
		case len(done) == 1:
			return []string{"vip", "--force"}
		case len(done) == 2 && done[1] == "vip":
			return vipNames(n)
		}
		return nil
	}
}

// override does drain, undrain and kill.
func (c *call) override(cmd *command, to plan.Override) (answer, error) {
	if len(c.args) == 0 {
		return nil, cmd.usage("which backend?")
	}
	if c.args[0] == "node" && to != plan.Killed {
		if err := cmd.most(1, c.args); err != nil {
			return nil, err
		}
		undo := to == plan.NoOverride
		return &nodeDrained{Drained: !undo}, c.node.DrainNode(c.ctx, undo)
	}
	target, err := c.target(cmd)
	if err != nil {
		return nil, err
	}
	change, err := c.node.Override(c.ctx, target, to, c.force)
	if err != nil {
		return nil, err
	}
	did := map[plan.Override]string{plan.NoOverride: "undrained", plan.Drained: "drained", plan.Killed: "killed"}[to]
	return &changed{Did: strings.Join(c.args, " ") + " is " + did, Change: change}, nil
}

// target reads ADDRESS [vip NAME] and sees to it that there is such a backend.
func (c *call) target(cmd *command) (t plan.Target, err error) {
	if t.Backend, err = netip.ParseAddr(c.args[0]); err != nil {
		return t, cmd.usage("%q is no address of a backend", c.args[0])
	}
	switch rest := c.args[1:]; {
	case len(rest) == 2 && rest[0] == "vip":
		if t.VIP = rest[1]; !slices.Contains(vipNames(c.node), t.VIP) {
			return t, noSuch("VIP", t.VIP, vipNames(c.node))
		}
	case len(rest) > 0:
		return t, cmd.usage("%q is not understood", rest[0])
	}
	found := false
	for _, v := range c.node.Status().Plan.VIPs {
		has := slices.ContainsFunc(v.Backends, func(b plan.Backend) bool { return b.Address == t.Backend })
		found = found || has && (t.VIP == "" || t.VIP == v.Name)
	}
	if !found {
		return t, noSuch("backend", c.args[0], backendNames(c.node))
	}
	return t, nil
}

type nodeDrained struct {
	Drained bool `json:"drained"`
}

func (a *nodeDrained) text(p *page) {
	if a.Drained {
		p.line("every route is withdrawn: show bgp tells what routers have, show ports when traffic has moved")
		return
	}
	p.line("routes are announced again")
}

// changed is the answer of what changes something.
type changed struct {
	Did string `json:"did"`
	*Change
}

func (a *changed) text(p *page) {
	took := ""
	if a.Took > 0 {
		took = ", after " + a.Took.String()
	}
	p.line("%s: every core works by generation %d%s", a.Did, a.Generation, took)
	for _, w := range a.Warnings {
		p.line("%s", w)
	}
	if a.Diff != nil {
		p.line("")
		diffText(p, a.Diff)
	}
}

func reload() *command {
	return &command{
		name: "reload", args: "[--force]", changes: true,
		short:   "loads the file again, and answers when every core works by it",
		long:    "A file with faults changes nothing, and all of them are shown. plan tells before\nwhat would change. --force is for changes that take away too many backends of a\nVIP at once ([reload].max_removed).",
		example: "reload",
		run: func(c *call) (answer, error) {
			if err := reload().most(0, c.args); err != nil {
				return nil, err
			}
			change, err := c.node.Reload(c.ctx, c.force)
			if err != nil {
				return nil, err
			}
			return &changed{Did: "reloaded", Change: change}, nil
		},
	}
}

func preview() *command {
	return &command{
		name: "plan", watched: true,
		short: "what a reload would do, without doing it",
		long: `MOVED is the share of new connections that would go to another backend, LOST the
share whose backend would be no more. Other connections stay where they are.`,
		example: "plan",
		run: func(c *call) (answer, error) {
			if err := preview().most(0, c.args); err != nil {
				return nil, err
			}
			d, err := c.node.Plan(c.ctx)
			if err != nil {
				return nil, err
			}
			return &planned{d}, nil
		},
	}
}

type planned struct{ *plan.Diff }

func (a *planned) text(p *page) { diffText(p, a.Diff) }

// DiffText writes what going from one plan to another does, as the console's plan
// does.
func DiffText(d *plan.Diff) string {
	p := &page{}
	diffText(p, d)
	return p.String()
}

// manyBackends is how many lines about the backends of one VIP are read; of more,
// those that change are shown.
const manyBackends = 16

func diffText(p *page, d *plan.Diff) {
	if d.Empty() {
		p.line("nothing changes: %s", vips(d.Unchanged))
		return
	}
	if len(d.Restart) > 0 {
		p.line("a reload would be refused and change nothing:")
		for _, r := range d.Restart {
			p.line("  %s", r)
		}
		p.line("\nafter a restart:")
	}
	for _, s := range d.Settings {
		p.line("%s", settingText(s))
	}
	for i := range d.VIPs {
		if i > 0 || len(d.Settings) > 0 {
			p.line("")
		}
		vipText(p, &d.VIPs[i])
	}
	p.line("\n%s changed, %s as before", vips(len(d.VIPs)), vips(d.Unchanged))
}

func vips(n int) string {
	if n == 1 {
		return "1 VIP"
	}
	return count(n) + " VIPs"
}

func settingText(s plan.SettingChange) string {
	return fmt.Sprintf("%s: %s -> %s", s.Key, orNothing(s.Before), orNothing(s.After))
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func vipText(p *page, v *plan.VIPDiff) {
	p.line("%s VIP %s, %s", v.Kind, v.Name, v.Claim)
	for _, s := range v.Settings {
		p.line("  %s", settingText(s))
	}
	if v.Condition.Before != v.Condition.After && v.Kind == plan.Changed {
		p.line("  %s", settingText(v.Condition))
	}
	if v.Kind == plan.Changed && v.Slots > 0 {
		p.line("  of %s slots %s move, %s lose their backend", count(v.Slots), percent(v.Moved), percent(v.Lost))
	}
	rows := v.Backends
	if len(rows) > manyBackends {
		rows = slices.DeleteFunc(slices.Clone(rows), plan.BackendDiff.Same)
	}
	t := newTable("  BACKEND", "BEFORE", ">WEIGHT", ">SHARE", "AFTER", ">WEIGHT", ">SHARE")
	for _, b := range rows[:min(len(rows), 2*manyBackends)] {
		row := append([]any{"  " + b.Address.String()}, sideCells(b.Before)...)
		t.row(append(row, sideCells(b.After)...)...)
	}
	if len(t.rows) > 0 {
		p.table(t, "")
	}
	if left := len(rows) - len(t.rows); left > 0 {
		p.line("  and %s more that change", count(left))
	}
	if same := len(v.Backends) - len(rows); same > 0 {
		p.line("  %s change nothing but their share", count(same))
	}
}

func sideCells(s *plan.BackendSide) []any {
	if s == nil {
		return []any{"", "", ""}
	}
	return []any{s.State, s.Weight, percent(s.Share)}
}
