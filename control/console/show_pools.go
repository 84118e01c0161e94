package console

import (
	"net/netip"
	"slices"
	"strings"

	"guideway/control/config"
	"guideway/control/plan"
)

func showPools() *command {
	return &command{
		name: "show pools", args: "[NAME]", watched: true,
		short:    "pools, as the file has them, and how many of their backends are up",
		long:     "BACKENDS are the pool's own, without those of the pools that it includes. UP counts\nthose that serve in every VIP that uses them.",
		example:  "show pools web",
		complete: then(poolNames),
		run: func(c *call) (answer, error) {
			if err := showPools().most(1, c.args); err != nil {
				return nil, err
			}
			s, a := c.node.Status(), &poolList{Pools: []poolRow{}}
			states := serving(s.Plan)
			for _, pool := range s.Config.Pools {
				if len(c.args) == 1 && pool.Name != c.args[0] {
					continue
				}
				a.Pools = append(a.Pools, poolRowOf(s.Config, pool, states))
			}
			if len(c.args) == 1 && len(a.Pools) == 0 {
				return nil, noSuch("pool", c.args[0], poolNames(c.node))
			}
			return a, nil
		},
	}
}

type poolRow struct {
	Name     string       `json:"name"`
	Check    string       `json:"check"`
	Include  []string     `json:"include"`
	VIPs     []string     `json:"vips"` // that name it
	Up       int          `json:"up"`
	Backends []netip.Addr `json:"backends"`
}

type poolList struct {
	Pools []poolRow `json:"pools"`
}

func (a *poolList) text(p *page) {
	t := newTable("NAME", "CHECK", "INCLUDES", "USED BY", ">UP", ">BACKENDS")
	for _, r := range a.Pools {
		t.row(r.Name, r.Check, strings.Join(r.Include, ","), strings.Join(r.VIPs, ","), r.Up, len(r.Backends))
	}
	p.table(t, "there is no pool")
	if len(a.Pools) == 1 {
		p.line("")
		for _, b := range a.Pools[0].Backends {
			p.line("%v", b)
		}
	}
}

// serving tells of each backend whether it serves in every VIP that has it.
func serving(p *plan.Plan) map[netip.Addr]bool {
	all := map[netip.Addr]bool{}
	for _, v := range p.VIPs {
		for _, b := range v.Backends {
			was, known := all[b.Address]
			all[b.Address] = plan.StateName(b.State) == "serving" && (was || !known)
		}
	}
	return all
}

func poolRowOf(c *config.Config, pool config.Pool, states map[netip.Addr]bool) poolRow {
	r := poolRow{Name: pool.Name, Check: pool.Check, Include: append([]string{}, pool.Include...), VIPs: []string{}, Backends: []netip.Addr{}}
	for _, b := range pool.Backends {
		r.Backends = append(r.Backends, b.Address)
		if states[b.Address] {
			r.Up++
		}
	}
	for _, v := range c.VIPs {
		if slices.Contains(v.Pools, pool.Name) {
			r.VIPs = append(r.VIPs, v.Name)
		}
	}
	return r
}

func showBackends() *command {
	return &command{
		name: "show backends", args: "[ADDRESS] [vip NAME]", watched: true,
		short: "backends of each VIP: what they take, why, and their share",
		long: `STATE is serving, draining (keeps its connections, gets no new ones) or down
(its connections are selected anew). It follows from the FILE's state, from what
an OPERATOR said here (drain, kill), and from HEALTH. SHARE is of new
connections.`,
		example: "show backends vip www",
		complete: func(n Node, done []string) []string {
			switch {
			case len(done) > 0 && done[len(done)-1] == "vip":
				return vipNames(n)
			case len(done) == 0:
				return append(backendNames(n), "vip")
			case len(done) == 1:
				return []string{"vip"}
			}
			return nil
		},
		run: runShowBackends,
	}
}

// A backendRow is a backend of one VIP.
type backendRow struct {
	VIP      string     `json:"vip"`
	Address  netip.Addr `json:"address"`
	Weight   uint32     `json:"weight"`
	State    string     `json:"state"`
	File     string     `json:"file"`
	Operator string     `json:"operator"`
	Health   string     `json:"health"`
	Checks   []string   `json:"checks"`
	Slots    int        `json:"slots"`
	Share    float64    `json:"share"`
	Packets  uint64     `json:"packets"`
}

type backendList struct {
	Noted
	Backends []backendRow `json:"backends"`
}

func runShowBackends(c *call) (answer, error) {
	vip, address, args := "", netip.Addr{}, c.args
	for len(args) > 0 {
		if args[0] == "vip" && len(args) > 1 {
			if vip = args[1]; !slices.Contains(vipNames(c.node), vip) {
				return nil, noSuch("VIP", vip, vipNames(c.node))
			}
			args = args[2:]
			continue
		}
		a, err := netip.ParseAddr(args[0])
		if err != nil || address.IsValid() {
			return nil, showBackends().usage("%q is no address of a backend", args[0])
		}
		if !slices.Contains(backendNames(c.node), a.String()) {
			return nil, noSuch("backend", args[0], backendNames(c.node))
		}
		address, args = a, args[1:]
	}
	s, a := c.look(), &backendList{Backends: []backendRow{}}
	a.Note = s.note
	for i := range s.Plan.VIPs {
		v := &s.Plan.VIPs[i]
		for j := range v.Backends {
			b := &v.Backends[j]
			if (vip == "" || vip == v.Name) && (!address.IsValid() || address == b.Address) {
				a.Backends = append(a.Backends, s.backendRow(v, b))
			}
		}
	}
	return a, nil
}

func (s *seen) backendRow(v *plan.VIP, b *plan.Backend) backendRow {
	r := backendRow{
		VIP: v.Name, Address: b.Address, Weight: b.Weight, State: plan.StateName(b.State), File: b.Want.String(),
		Operator: b.Override.String(), Health: b.Health.String(), Checks: append([]string{}, b.Checks...), Slots: b.Slots, Packets: b.Counted(s.reports),
	}
	if v.Table != nil {
		r.Share = float64(b.Slots) / float64(len(v.Table.Slots()))
	}
	return r
}

func (a *backendList) text(p *page) {
	a.Noted.text(p)
	backendTable(p, a.Backends, true)
}

func backendTable(p *page, rows []backendRow, vips bool) {
	t := newTable("ADDRESS", ">WEIGHT", "STATE", "FILE", "OPERATOR", "HEALTH", "CHECKS", ">SLOTS", ">SHARE", ">PACKETS")
	if vips {
		t = newTable("VIP", "ADDRESS", ">WEIGHT", "STATE", "FILE", "OPERATOR", "HEALTH", "CHECKS", ">SLOTS", ">SHARE", ">PACKETS")
	}
	for _, r := range rows {
		cells := []any{r.Address, r.Weight, r.State, r.File, r.Operator, r.Health, strings.Join(r.Checks, ","), count(r.Slots), percent(r.Share), count(r.Packets)}
		if vips {
			cells = append([]any{r.VIP}, cells...)
		}
		t.row(cells...)
	}
	p.table(t, "there is no backend")
}

func showChecks() *command {
	return &command{
		name: "show checks", args: "[ADDRESS]", watched: true,
		short:    "what each check says of each backend, since when, and its last error in words",
		long:     "STATE is up, down, or unknown: not enough answers yet, or none for too long.\nLATENCY is that of the last answer.",
		example:  "show checks 10.0.0.1",
		complete: then(backendNames),
		run: func(c *call) (answer, error) {
			if err := showChecks().most(1, c.args); err != nil {
				return nil, err
			}
			a := &checkList{Checks: []Check{}}
			for _, one := range c.node.Checks() {
				if len(c.args) == 0 || one.Address.String() == c.args[0] {
					a.Checks = append(a.Checks, one)
				}
			}
			if len(c.args) == 1 && len(a.Checks) == 0 {
				return nil, noSuch("checked backend", c.args[0], backendNames(c.node))
			}
			return a, nil
		},
	}
}

type checkList struct {
	Checks []Check `json:"checks"`
}

func (a *checkList) text(p *page) {
	t := newTable("ADDRESS", "CHECK", "TYPE", "VIA", "STATE", ">FOR", "REASON", ">LATENCY", ">PROBES", ">FAILED", "LAST ERROR", ">AGO")
	for _, r := range a.Checks {
		t.row(r.Address, r.Name, r.Type, r.Via, r.State, p.age(r.Since), r.Reason, r.Latency, count(r.Probes), count(r.Failed), r.LastError, p.age(r.ErrorAt))
	}
	p.table(t, "nothing is checked")
}
