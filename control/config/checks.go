package config

import (
	"net/netip"
	"slices"
)

// ChecksOf gives the names of the checks that each backend of a VIP has to pass:
// those of the pools that list it, sorted, each once. A backend of pools without
// a check is not in it.
func (c *Config) ChecksOf(v VIP) map[netip.Addr][]string {
	byName := make(map[string]*Pool, len(c.Pools))
	for i := range c.Pools {
		byName[c.Pools[i].Name] = &c.Pools[i]
	}
	checks := map[netip.Addr][]string{}
	seen := map[string]bool{}
	todo := slices.Clone(v.Pools)
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p := byName[name]
		if p == nil || seen[name] {
			continue
		}
		seen[name] = true
		todo = append(todo, p.Include...)
		if p.Check == "" {
			continue
		}
		for _, b := range p.Backends {
			checks[b.Address] = append(checks[b.Address], p.Check)
		}
	}
	for a, names := range checks {
		slices.Sort(names)
		checks[a] = slices.Compact(names)
	}
	return checks
}
