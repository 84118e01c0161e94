package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"guideway/control/plan"
)

func showConfig() *command {
	return &command{
		name: "show config", args: "[PREFIX]", watched: true,
		short: "the file that is in effect, how loading it went, and every setting",
		long: `Settings have dotted names, and those of lists the name of the element in
brackets. With a prefix, those that begin with it. Defaults are among them.`,
		example: "show config vip[www]",
		complete: func(n Node, done []string) []string {
			if len(done) > 0 {
				return nil
			}
			var names []string
			for _, s := range plan.Settings(n.Status().Config) {
				head, _, _ := strings.Cut(s.Key, ".")
				names = append(names, head)
			}
			return slices.Compact(names)
		},
		run: func(c *call) (answer, error) {
			if err := showConfig().most(1, c.args); err != nil {
				return nil, err
			}
			s := c.node.Status()
			prefix := strings.Join(c.args, "")
			a := &configAnswer{
				Path: s.Path, Generation: s.Plan.Snapshot.Generation, Since: s.Since, Planned: Seconds(s.Planned), Reloads: map[string]uint64{},
				Warnings: []string{}, Overrides: []override{}, Draining: s.Draining, Settings: []plan.Setting{},
			}
			maps.Copy(a.Reloads, s.Reloads)
			if s.LastError != nil {
				a.LastError = s.LastError.Error()
			}
			for _, w := range s.Warnings {
				a.Warnings = append(a.Warnings, w.String())
			}
			for target, to := range s.Overrides {
				a.Overrides = append(a.Overrides, override{addr(target.Backend), target.VIP, to.String()})
			}
			slices.SortFunc(a.Overrides, func(x, y override) int { return strings.Compare(x.Backend+" "+x.VIP, y.Backend+" "+y.VIP) })
			for _, one := range plan.Settings(s.Config) {
				if strings.HasPrefix(one.Key, prefix) {
					a.Settings = append(a.Settings, one)
				}
			}
			if len(a.Settings) == 0 {
				return nil, fmt.Errorf("no setting begins with %q", prefix)
			}
			return a, nil
		},
	}
}

type configAnswer struct {
	Path       string            `json:"path"`
	Generation uint64            `json:"generation"`
	Since      time.Time         `json:"since"`
	Planned    Seconds           `json:"planned_seconds"`
	Reloads    map[string]uint64 `json:"reloads"`    // by result
	LastError  string            `json:"last_error"` // of the last load; "": it is in effect
	Warnings   []string          `json:"warnings"`
	Overrides  []override        `json:"overrides"`
	Draining   bool              `json:"draining"`
	Settings   []plan.Setting    `json:"settings"`
}

// An override is what an operator said of a backend.
type override struct {
	Backend string `json:"backend"`
	VIP     string `json:"vip"` // "": all
	State   string `json:"state"`
}

func (a *configAnswer) text(p *page) {
	var reloads []string
	for _, result := range slices.Sorted(maps.Keys(a.Reloads)) {
		reloads = append(reloads, fmt.Sprintf("%d %s", a.Reloads[result], result))
	}
	p.pairs("file", a.Path, "generation", fmt.Sprint(a.Generation), "since", p.clock(a.Since), "planned in", a.Planned.String(),
		"reloads", strings.Join(reloads, ", "))
	if a.LastError != "" {
		p.line("\nthe last load was refused, and nothing of it is in effect:\n%s", a.LastError)
	}
	if len(a.Warnings) > 0 {
		p.line("\n%s", strings.Join(a.Warnings, "\n"))
	}
	if a.Draining {
		p.line("\nthe node is drained (undrain node)")
	}
	if len(a.Overrides) > 0 {
		p.line("")
		t := newTable("BACKEND", "VIP", "BY AN OPERATOR")
		for _, o := range a.Overrides {
			vip := o.VIP
			if vip == "" {
				vip = "all"
			}
			t.row(o.Backend, vip, o.State)
		}
		p.table(t, "")
	}
	p.line("")
	var pairs []string
	for _, s := range a.Settings {
		value := s.Value
		if value == "" {
			value = `""`
		}
		pairs = append(pairs, s.Key, value)
	}
	p.pairs(pairs...)
}

func showVersion() *command {
	return &command{
		name: "show version", watched: true,
		short:   "which build runs, where, and since when",
		example: "show version",
		run: func(c *call) (answer, error) {
			if err := showVersion().most(0, c.args); err != nil {
				return nil, err
			}
			return &versionAnswer{c.node.Version()}, nil
		},
	}
}

type versionAnswer struct{ Version }

func (a *versionAnswer) text(p *page) {
	p.pairs("guideway", a.Version.Version, "go", a.Go, "dpdk", a.DPDK, "node", a.Node, "process", fmt.Sprint(a.PID), "started", p.clock(a.Started))
}
