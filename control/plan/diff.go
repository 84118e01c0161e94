package plan

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"guideway/control/config"
	"guideway/maglev"
	"guideway/maglev/fib"
)

// A Side is one of the two that [Compare] holds against each other.
type Side struct {
	Config *config.Config
	Plan   *Plan
}

// A Diff is what going from one plan to another does, before it is done.
type Diff struct {
	// Restart is the settings that only a new start can change: with any, a
	// reload changes nothing at all, and the rest of the Diff is what the new
	// start brings.
	Restart []string `json:"restart"`

	// Settings are those that a reload changes, but for those of VIPs and pools.
	Settings []SettingChange `json:"settings"`

	VIPs      []VIPDiff `json:"vips"`      // that are added, removed or changed, by name
	Unchanged int       `json:"unchanged"` // VIPs that are not among them
}

// A Kind is what becomes of something.
type Kind string

// The kinds.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
)

// A VIPDiff is what becomes of one VIP.
type VIPDiff struct {
	Name      string          `json:"name"`
	Kind      Kind            `json:"kind"`
	Claim     string          `json:"claim"`     // address, protocol and ports: after, or before where there is no after
	Settings  []SettingChange `json:"settings"`  // of the VIP itself that differ
	Condition SettingChange   `json:"condition"` // serving, withdrawn ...; empty where there is no VIP
	Slots     int             `json:"slots"`     // of the table after, or before where there is none

	// Moved is the share 0..1 of new flows that go to another backend than
	// before. Lost is the share of them all whose former backend is no more or
	// is down: connections there end. The connections of the rest stay where
	// they are, as long as the node remembers them.
	Moved float64 `json:"moved"`
	Lost  float64 `json:"lost"`

	Backends []BackendDiff `json:"backends"` // of either side, by address
}

// A BackendDiff is what becomes of one backend of a VIP.
type BackendDiff struct {
	Address netip.Addr   `json:"address"`
	Before  *BackendSide `json:"before"` // nil: the VIP did not have it
	After   *BackendSide `json:"after"`
}

// A BackendSide is a backend in one plan.
type BackendSide struct {
	State  string  `json:"state"`
	Weight uint32  `json:"weight"`
	Share  float64 `json:"share"` // of new flows, 0..1
}

// Same tells that nothing of the backend changes but, with the others, its
// share.
func (b BackendDiff) Same() bool {
	return b.Before != nil && b.After != nil && b.Before.State == b.After.State && b.Before.Weight == b.After.Weight
}

// Empty tells that the two sides are alike.
func (d *Diff) Empty() bool { return len(d.Restart)+len(d.Settings)+len(d.VIPs) == 0 }

// Compare says what going from one side to the other does. It is pure.
func Compare(before, after Side) *Diff {
	d := &Diff{Restart: []string{}, Settings: settingsBetween(before.Config, after.Config), VIPs: []VIPDiff{}}
	for _, f := range config.RestartNeeded(before.Config, after.Config) {
		d.Restart = append(d.Restart, f.Text)
	}
	for _, name := range names(before.Plan, after.Plan) {
		if v, changed := compareVIP(before, after, name); changed {
			d.VIPs = append(d.VIPs, v)
		} else {
			d.Unchanged++
		}
	}
	return d
}

// restarts begin the keys that a reload must leave alone, as config.RestartNeeded
// has them.
var restarts = []string{
	"node.name", "node.source", "dpdk.", "port[", "conntrack.", "console.listen", "metrics.",
	"fragments.datagrams", "fragments.held", "fragments.bytes", "fragments.timeout",
}

// settingsBetween compares what is neither a VIP nor what VIPs are made of, nor
// what a reload must leave alone.
func settingsBetween(before, after *config.Config) []SettingChange {
	reloaded := func(c *config.Config) []Setting {
		return slices.DeleteFunc(Settings(c), func(s Setting) bool {
			begins := func(prefix string) bool { return strings.HasPrefix(s.Key, prefix) }
			return begins("vip[") || begins("pool[") || slices.ContainsFunc(restarts, begins)
		})
	}
	return append([]SettingChange{}, compareSettings(reloaded(before), reloaded(after))...)
}

// names lists the VIPs of both plans, in order, each once.
func names(before, after *Plan) []string {
	var all []string
	for _, p := range []*Plan{before, after} {
		for i := range p.VIPs {
			all = append(all, p.VIPs[i].Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// compareVIP compares one VIP, that one of the sides has at least; changed tells
// whether there is anything to say.
func compareVIP(before, after Side, name string) (d VIPDiff, changed bool) {
	old, had := before.Plan.find(name)
	now, has := after.Plan.find(name)
	d = VIPDiff{Name: name, Kind: Changed, Settings: []SettingChange{}, Condition: SettingChange{Key: "condition"}}
	var was, is config.VIP
	if !had {
		d.Kind, old = Added, &VIP{}
	} else {
		was = vipOf(before.Config, name)
		d.Claim, d.Condition.Before, d.Slots = Claim(was), old.Condition.String(), old.slots()
	}
	if !has {
		d.Kind, now = Removed, &VIP{}
	} else {
		is = vipOf(after.Config, name)
		d.Claim, d.Condition.After = Claim(is), now.Condition.String()
		d.Slots = cmp.Or(now.slots(), d.Slots)
	}
	if d.Kind == Changed {
		changes := compareSettings(flatten(nil, "", reflect.ValueOf(was)), flatten(nil, "", reflect.ValueOf(is)))
		d.Settings = append(d.Settings, changes...)
	}
	d.Backends = compareBackends(old, now)
	d.Moved, d.Lost = moved(old, now, was.Hash != is.Hash)
	return d, d.Kind != Changed || len(d.Settings) > 0 || d.Condition.Before != d.Condition.After || d.Moved > 0 ||
		slices.ContainsFunc(d.Backends, func(b BackendDiff) bool { return !b.Same() })
}

func vipOf(c *config.Config, name string) config.VIP {
	i := slices.IndexFunc(c.VIPs, func(v config.VIP) bool { return v.Name == name })
	return c.VIPs[i] // a plan has the VIPs of its configuration
}

// Claim is what of the traffic a VIP takes, as people write it.
func Claim(v config.VIP) string {
	address := v.Prefix.String()
	if v.Prefix.IsSingleIP() {
		address = v.Prefix.Addr().String()
	}
	if v.Protocol == config.ProtocolAny {
		return address + " any"
	}
	ports := "any"
	if len(v.Ports) > 0 {
		var list []string
		for _, p := range v.Ports {
			list = append(list, p.String())
		}
		ports = strings.Join(list, ",")
	}
	return address + " " + v.Protocol.String() + " " + ports
}

func (v *VIP) slots() int {
	if v.Table == nil {
		return 0
	}
	return len(v.Table.Slots())
}

var stateNames = [...]string{fib.Gone: "gone", fib.Down: "down", fib.Draining: "draining", fib.Serving: "serving"}

// StateName is for the console: what an endpoint takes, in a word.
func StateName(s fib.State) string { return stateNames[s] }

// side is a backend as a Diff shows it.
func (v *VIP) side(b *Backend) *BackendSide {
	s := &BackendSide{State: StateName(b.State), Weight: b.Weight}
	if n := v.slots(); n > 0 {
		s.Share = float64(b.Slots) / float64(n)
	}
	return s
}

// compareBackends joins two lists that are in order of address.
func compareBackends(old, now *VIP) []BackendDiff {
	all := make([]BackendDiff, 0, max(len(old.Backends), len(now.Backends)))
	a, b := old.Backends, now.Backends
	for len(a)+len(b) > 0 {
		var d BackendDiff
		order := cmp.Compare(len(b), 0) - cmp.Compare(len(a), 0) // of which one is empty: the other's turn
		if len(a) > 0 && len(b) > 0 {
			order = a[0].Address.Compare(b[0].Address)
		}
		if order <= 0 {
			d.Address, d.Before = a[0].Address, old.side(&a[0])
			a = a[1:]
		}
		if order >= 0 {
			d.Address, d.After = b[0].Address, now.side(&b[0])
			b = b[1:]
		}
		all = append(all, d)
	}
	return all
}

// moved gives the shares of VIPDiff.Moved and Lost. Flows are points on a line
// from 0 to 1, slots are stretches of it: with one size of table, slot by slot;
// with two, between all ends of either. Where flows are hashed in another manner
// they land on the new line anywhere.
func moved(old, now *VIP, rehashed bool) (moved, lost float64) {
	if old.Table == nil {
		return 0, 0 // there was nowhere to move from
	}
	kept := map[netip.Addr]bool{}
	for i := range now.Backends {
		kept[now.Backends[i].Address] = now.Backends[i].State >= fib.Draining
	}
	members := old.Table.Members()
	for ordinal, slots := range old.Table.Shares() {
		if !kept[members[ordinal].Addr] {
			lost += float64(slots) / float64(old.slots())
		}
	}
	switch {
	case old.Table == now.Table && !rehashed:
		return 0, lost
	case now.Table == nil:
		return 1, lost
	}
	same := identical(old.Table, now.Table)
	if rehashed {
		stay := 0.0
		for ordinal, slots := range old.Table.Shares() {
			if other := same[ordinal]; other >= 0 {
				stay += float64(slots) / float64(old.slots()) * float64(now.Table.Shares()[other]) / float64(now.slots())
			}
		}
		return 1 - stay, lost
	}
	a, b := old.Table.Slots(), now.Table.Slots()
	n, m := uint64(len(a)), uint64(len(b))
	var stay uint64 // in parts of n*m, which is below 2^48
	for i, j, at := uint64(0), uint64(0), uint64(0); i < n && j < m; {
		end := min((i+1)*m, (j+1)*n)
		if same[a[i]] == int(b[j]) {
			stay += end - at
		}
		if at = end; end == (i+1)*m {
			i++
		}
		if end == (j+1)*n {
			j++
		}
	}
	return float64(n*m-stay) / float64(n*m), lost
}

// identical gives for each ordinal of a table that of the same backend in
// another, or -1.
func identical(a, b *maglev.Table) []int {
	ordinals := map[netip.Addr]int{}
	for i, m := range b.Members() {
		ordinals[m.Addr] = i
	}
	same := make([]int, len(a.Members()))
	for i, m := range a.Members() {
		other, ok := ordinals[m.Addr]
		if !ok {
			other = -1
		}
		same[i] = other
	}
	return same
}
