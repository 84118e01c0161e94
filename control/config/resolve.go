package config

import (
	"slices"
	"strings"
)

// Backends gives the backends of a VIP: those of its pools and of the pools
// that these include, each address once, sorted by address. The slice is
// shared: it is for reading.
func (c *Config) Backends(v VIP) []Backend {
	if b, ok := c.resolved[poolsKey(v.Pools)]; ok {
		return b
	}
	byName := make(map[string]*poolDraft, len(c.Pools))
	for _, p := range c.Pools {
		byName[p.Name] = p.draft()
	}
	return plain(collect(v.Pools, byName, nil))
}

// draft is the pool without places, for a Config that was not made by Parse.
func (p Pool) draft() *poolDraft {
	d := &poolDraft{Pool: p}
	for _, name := range p.Include {
		d.include = append(d.include, located[string]{v: name})
	}
	for _, b := range p.Backends {
		d.backends = append(d.backends, located[Backend]{v: b})
	}
	return d
}

// poolsKey is the same for the same set of pools.
func poolsKey(pools []string) string {
	sorted := slices.Clone(pools)
	slices.Sort(sorted)
	return strings.Join(sorted, "\n") // no name holds a newline
}

// collect resolves a list of pools. Where one address comes twice, the first
// in the file stays and clash, if there is one, is told.
func collect(names []string, pools map[string]*poolDraft, clash func(first, second located[Backend])) []located[Backend] {
	var all []located[Backend]
	seen := map[string]bool{}
	todo := slices.Clone(names)
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := pools[name]
		if p == nil || seen[name] {
			continue
		}
		seen[name] = true
		all = append(all, p.backends...)
		todo = append(todo, plain(p.include)...)
	}
	slices.SortStableFunc(all, func(a, b located[Backend]) int {
		if c := a.v.Address.Compare(b.v.Address); c != 0 {
			return c
		}
		return a.at.compare(b.at)
	})
	return slices.CompactFunc(all, func(first, second located[Backend]) bool {
		same := first.v.Address == second.v.Address
		if same && first.v != second.v && clash != nil {
			clash(first, second)
		}
		return same
	})
}

// resolve finds the backends of every VIP.
func (d *draft) resolve(r *report) {
	pools := make(map[string]*poolDraft, len(d.pools))
	clean := true // what the pools amount to can be judged
	for i := range d.pools {
		clean = clean && d.pools[i].clean
		if p := &d.pools[i]; pools[p.Name] == nil {
			pools[p.Name] = p
		}
	}
	d.includeLoops(r, pools)
	d.resolved = map[string][]Backend{}
	clashes := map[pos]bool{}
	endpoints := 0
	for i := range d.vips {
		v := &d.vips[i]
		key := poolsKey(v.Pools)
		backends, done := d.resolved[key]
		if !done {
			backends = plain(collect(v.Pools, pools, func(first, second located[Backend]) {
				if !clashes[second.at] {
					clashes[second.at] = true
					r.fault(second.at, "pool.backends: VIP %q has %s twice, here with weight %d and state %q, on line %d with %d and %q: which is right?", v.Name,
						second.v.Address, second.v.Weight, second.v.State, first.at.line, first.v.Weight, first.v.State)
				}
			}))
			d.resolved[key] = backends
		}
		d.countBackends(r, v, len(backends), clean && v.poolsClean)
		if endpoints += len(backends); endpoints > maxEndpoints {
			r.fault(v.nameAt, "the VIPs up to this one have %d backends together: at most %d can be numbered", endpoints, maxEndpoints)
			return
		}
	}
}

func (d *draft) countBackends(r *report, v *vipDraft, n int, clean bool) {
	switch {
	case n == 0 && clean:
		r.fault(v.at, "vip %q has no backends: its pools are empty", v.Name)
	case n > maxVIPBackends:
		r.fault(v.nameAt, "vip %q has %d backends: at most %d can be numbered", v.Name, n, maxVIPBackends)
	case n >= v.TableSize:
		r.fault(v.tableAt, "vip.table_size: %d slots are too few for %d backends: write %d", v.TableSize, n, primeFrom(100*int64(n)))
	case v.MinHealthy.Of(n) > n && clean:
		r.fault(v.minHealthyAt, "vip.min_healthy: %s of %d backends can never be met", v.MinHealthy, n)
	}
}

// includeLoops reports each loop of includes once, with the way round.
func (d *draft) includeLoops(r *report, pools map[string]*poolDraft) {
	const walking, walked = 1, 2
	state := map[string]int{}
	var trail []string
	var walk func(p *poolDraft)
	walk = func(p *poolDraft) {
		state[p.Name] = walking
		trail = append(trail, p.Name)
		for _, i := range p.include {
			next := pools[i.v]
			switch {
			case next == nil:
			case state[i.v] == walking:
				round := trail[slices.Index(trail, i.v):]
				r.fault(i.at, "pool.include: the pools include each other in a loop: %s -> %s", strings.Join(round, " -> "), i.v)
			case state[i.v] != walked:
				walk(next)
			}
		}
		trail = trail[:len(trail)-1]
		state[p.Name] = walked
	}
	for i := range d.pools {
		if p := &d.pools[i]; pools[p.Name] == p && state[p.Name] == 0 {
			walk(p)
		}
	}
}
