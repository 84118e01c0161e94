package config

import (
	"net/netip"
)

// sources sees to it that every backend can be sent to: the outer header needs
// a source address of the backend's family, whatever the VIP's.
func (d *draft) sources(r *report) {
	if !d.node.clean {
		return
	}
	missing := map[string][]located[Backend]{}
	for _, p := range d.served() {
		for _, b := range p.backends {
			if !d.node.Source(b.v.Address).IsValid() {
				fam := family(b.v.Address)
				missing[fam] = append(missing[fam], b)
			}
		}
	}
	for fam, backends := range missing {
		first := backends[0]
		at := d.node.sourceAt
		if at == (pos{}) {
			at = first.at
		}
		r.fault(at, "node.source has no %s address for %s (%s on line %d): the tunnel needs one of this node's as its outer source",
			fam, plural(len(backends), fam+" backend"), first.v.Address, first.at.line)
	}
}

// served gives the pools that a VIP of this node uses, in the order of the
// file.
func (d *draft) served() []*poolDraft {
	var todo []string
	for _, v := range d.vips {
		if d.node.serves(v.Shard) {
			todo = append(todo, v.Pools...)
		}
	}
	used := d.reach(todo)
	var out []*poolDraft
	for i := range d.pools {
		if used[d.pools[i].Name] {
			out = append(out, &d.pools[i])
		}
	}
	return out
}

// reach gives the names of the pools that can be got to from some.
func (d *draft) reach(todo []string) map[string]bool {
	includes := map[string][]string{}
	for i := range d.pools {
		includes[d.pools[i].Name] = plain(d.pools[i].include)
	}
	seen := map[string]bool{}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[name] {
			seen[name] = true
			todo = append(todo, includes[name]...)
		}
	}
	return seen
}

// loops reports backends whose tunnel would lead back here.
func (d *draft) loops(r *report, own map[netip.Addr]string) {
	vips := map[netip.Addr]*vipDraft{}
	for i := range d.vips {
		if v := &d.vips[i]; v.Prefix.IsValid() && v.Prefix.IsSingleIP() && vips[v.Prefix.Addr()] == nil {
			vips[v.Prefix.Addr()] = v
		}
	}
	for _, p := range d.pools {
		for _, b := range p.backends {
			if who, ours := own[b.v.Address]; ours {
				r.fault(b.at, "pool.backends: %s is this node's own address (%s): its packets would come back in a loop", b.v.Address, who)
			} else if v := vips[b.v.Address]; v != nil {
				r.fault(b.at, "pool.backends: %s is the address of vip %q: its packets would come back in a loop; write the backend's own address", b.v.Address, v.Name)
			}
		}
	}
}
