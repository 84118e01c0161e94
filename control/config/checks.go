package config

import (
	"net/netip"
	"slices"
)

// ChecksOf gives the names of the checks that each backend of a VIP has to pass:
// those of the pools that list it, sorted, each once. A backend of pools without
// a check is not in it. The map is shared: it is for reading.
func (c *Config) ChecksOf(v VIP) map[netip.Addr][]string {
	if checks, ok := c.checked[poolsKey(v.Pools)]; ok {
		return checks
	}
	return checksOf(v.Pools, c.poolsByName())
}

// indexChecks finds the checks of every VIP once, so that nobody has to for each
// plan: VIPs mostly share their pools with others.
func (c *Config) indexChecks() {
	byName := c.poolsByName()
	c.checked = map[string]map[netip.Addr][]string{}
	for _, v := range c.VIPs {
		if key := poolsKey(v.Pools); c.checked[key] == nil {
			c.checked[key] = checksOf(v.Pools, byName)
		}
	}
}

func (c *Config) poolsByName() map[string]*Pool {
	byName := make(map[string]*Pool, len(c.Pools))
	for i := range c.Pools {
		byName[c.Pools[i].Name] = &c.Pools[i]
	}
	return byName
}

// checksOf goes through pools and those that they include.
func checksOf(names []string, byName map[string]*Pool) map[netip.Addr][]string {
	checks := map[netip.Addr][]string{}
	seen := map[string]bool{}
	for next := slices.Clone(names); len(next) > 0; {
		name := next[len(next)-1]
		next = next[:len(next)-1]
		p := byName[name]
		if p == nil || seen[name] {
			continue
		}
		seen[name] = true
		next = append(next, p.Include...)
		if p.Check == "" {
			continue
		}
		for _, b := range p.Backends {
			checks[b.Address] = append(checks[b.Address], p.Check)
		}
	}
	for a, of := range checks {
		slices.Sort(of)
		checks[a] = slices.Compact(of)
	}
	return checks
}
