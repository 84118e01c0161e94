package console

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"guideway/control/config"
	"guideway/control/plan"
)

func showVIPs() *command {
	return &command{
		name: "show vips", args: "[NAME]", watched: true,
		short: "services: where they are, whether they are announced, what they get",
		long: `With a name, all about one VIP and its backends.

STATE is serving; waiting (for the first verdict on each backend); withdrawn,
fail-open or unreachable (fewer than NEEDED backends are healthy: when_down).
ROUTE tells whether routers are told of it: it is announced; it would be, but there
is no session with a router that takes it (told nobody); or not announced. DIGEST is the same on every node
whose table is.`,
		example:  "show vips www",
		complete: then(vipNames),
		run: func(c *call) (answer, error) {
			if err := showVIPs().most(1, c.args); err != nil {
				return nil, err
			}
			if len(c.args) == 1 {
				return c.oneVIP(c.args[0])
			}
			s, a := c.look(), &vipList{VIPs: []vipRow{}}
			a.Note = s.note
			routes := routesOf(c.node.BGP())
			for i := range s.Plan.VIPs {
				a.VIPs = append(a.VIPs, s.vipRow(&s.Plan.VIPs[i], routes))
			}
			return a, nil
		},
	}
}

// A vipRow is a VIP in short.
type vipRow struct {
	Name     string       `json:"name"`
	Address  netip.Prefix `json:"address"`
	Protocol string       `json:"protocol"`
	Ports    []string     `json:"ports"` // empty: any
	State    string       `json:"state"`
	Route    string       `json:"route"`   // "announced", "told nobody" (there is no session), "not announced", or "no bgp"
	Routers  int          `json:"routers"` // that were sent it
	Healthy  int          `json:"healthy"`
	Wanted   int          `json:"wanted"`
	Needed   int          `json:"needed"`
	Slots    int          `json:"slots"`
	Digest   string       `json:"digest"` // "": there is no table
	Packets  uint64       `json:"packets"`
	Bytes    uint64       `json:"bytes"`
}

type vipList struct {
	Noted
	VIPs []vipRow `json:"vips"`
}

func (a *vipList) text(p *page) {
	a.Noted.text(p)
	t := newTable("NAME", "ADDRESS", "PROTO", "PORTS", "STATE", "ROUTE", ">HEALTHY", ">NEEDED", ">SLOTS", "DIGEST", ">PACKETS", ">BYTES")
	for _, v := range a.VIPs {
		t.row(v.Name, single(v.Address), v.Protocol, ports(v.Ports), v.State, v.Route, fmt.Sprintf("%d/%d", v.Healthy, v.Wanted), v.Needed,
			count(v.Slots), v.Digest, count(v.Packets), size(v.Bytes))
	}
	p.table(t, "there is no VIP")
}

// routesOf lists the VIPs that are announced, with how many routers were sent
// their routes; nil where there is no BGP.
func routesOf(b BGP) map[string]int {
	if b.ASN == 0 {
		return nil
	}
	announced := map[string]int{}
	for _, r := range b.Routes {
		told, family := 0, "ipv6"
		if r.Prefix.Addr().Is4() {
			family = "ipv4"
		}
		for _, p := range b.Peers {
			if p.State == established && slices.Contains(p.Families, family) {
				told++
			}
		}
		for _, name := range r.VIPs {
			announced[name] = told
		}
	}
	return announced
}

// established is the state of a session that is up.
const established = "established"

func (s *seen) vipRow(v *plan.VIP, routes map[string]int) vipRow {
	sum := v.Counted(s.reports)
	row := vipRow{
		Name: v.Name, Address: v.Prefix, Ports: []string{}, State: v.Condition.String(), Route: "no bgp",
		Healthy: v.Healthy, Wanted: v.Wanted, Needed: v.Needed, Packets: sum.Packets, Bytes: sum.Bytes,
	}
	told, announced := routes[v.Name]
	switch row.Routers = told; {
	case told > 0:
		row.Route = "announced"
	case announced:
		row.Route = "told nobody"
	case routes != nil:
		row.Route = "not announced"
	}
	if v.Table != nil {
		row.Slots, row.Digest = len(v.Table.Slots()), fmt.Sprintf("%016x", v.Table.Digest())
	}
	i := slices.IndexFunc(s.Config.VIPs, func(c config.VIP) bool { return c.Name == v.Name })
	if i >= 0 {
		c := &s.Config.VIPs[i]
		row.Protocol = c.Protocol.String()
		for _, r := range c.Ports {
			row.Ports = append(row.Ports, r.String())
		}
	}
	return row
}

// single writes a prefix of one address without its length.
func single(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func ports(list []string) string {
	if len(list) == 0 {
		return "any"
	}
	return strings.Join(list, ",")
}

// A oneVIP is all about a VIP.
type oneVIP struct {
	Noted
	vipRow
	Settings []plan.Setting `json:"settings"`
	Backends []backendRow   `json:"backends"`
}

func (c *call) oneVIP(name string) (answer, error) {
	s := c.look()
	i := slices.IndexFunc(s.Plan.VIPs, func(v plan.VIP) bool { return v.Name == name })
	if i < 0 {
		return nil, noSuch("VIP", name, vipNames(c.node))
	}
	v := &s.Plan.VIPs[i]
	a := &oneVIP{vipRow: s.vipRow(v, routesOf(c.node.BGP())), Settings: []plan.Setting{}, Backends: []backendRow{}}
	a.Note = s.note
	below := "vip[" + name + "]."
	for _, one := range plan.Settings(s.Config) {
		if key, ok := strings.CutPrefix(one.Key, below); ok && key != "name" {
			a.Settings = append(a.Settings, plan.Setting{Key: key, Value: one.Value})
		}
	}
	for j := range v.Backends {
		a.Backends = append(a.Backends, s.backendRow(v, &v.Backends[j]))
	}
	return a, nil
}

func (a *oneVIP) text(p *page) {
	a.Noted.text(p)
	p.pairs("name", a.Name, "state", a.State, "route", a.Route,
		"healthy", fmt.Sprintf("%d of %d, %d needed", a.Healthy, a.Wanted, a.Needed),
		"table", fmt.Sprintf("%d slots, digest %s", a.Slots, a.Digest),
		"traffic", count(a.Packets)+" packets, "+size(a.Bytes))
	p.line("")
	var pairs []string
	for _, s := range a.Settings {
		pairs = append(pairs, s.Key, s.Value)
	}
	p.pairs(pairs...)
	p.line("")
	backendTable(p, a.Backends, false)
}

// noSuch is the error of a name that is none.
func noSuch(what, name string, names []string) error {
	hint := ""
	if n := nearest(name, names); n != "" {
		hint = fmt.Sprintf(": did you mean %q?", n)
	}
	return fmt.Errorf("there is no %s %q%s", what, name, hint)
}
