package config

import "strings"

// pendingKey is a key that this version accepts and judges, but does not act
// on yet.
type pendingKey struct {
	key     string // dotted; lists count as one
	instead string // what happens instead
	unless  string // a value that asks for no more than happens anyway
}

// pending is the whole list. A feature that comes into effect takes its row
// away, and nothing else has to change here.
var pending = []pendingKey{
	{key: "port.gateways", instead: "next hops are not learnt: what is tunnelled goes to next_hop_mac"},
	{key: "port.rx_queues", instead: "there is one queue per lcore, as with 0", unless: "0"},
	{key: "port.kernel", instead: "there is no exception path: what is for no VIP is dropped"},
	{key: "fragments", instead: "fragments for a VIP are dropped and counted"},
	{key: "check", instead: "backends are not checked and count as healthy"},
	{key: "pool.check", instead: "the pool's backends are not checked and count as healthy"},
	{key: "vip.fragments", instead: "fragments for the VIP are dropped and counted", unless: "false"},
	{key: "vip.min_healthy", instead: "backends are not checked, so it is always met", unless: "1"},
	{key: "vip.when_down", instead: "backends are not checked, so the VIP is never down", unless: "withdraw"},
	{key: "vip.communities", instead: "VIPs are not announced: route them to this node by other means"},
	{key: "bgp", instead: "VIPs are not announced: route them to this node by other means"},
	{key: "console", instead: "there is no console"},
}

// pending warns of each such key once, where it first stands.
func (f *File) pending(c *Config, r *report) {
	for _, p := range pending {
		var found []pos
		title := p.key
		f.root.visit(strings.Split(p.key, "."), func(e *entry) {
			if p.idle(e.value, c) {
				return
			}
			at := e.at
			if e.value.headers {
				title = "[[" + p.key + "]]"
				at = e.value.items[0].at
			} else if e.value.table != nil {
				title = "[" + p.key + "]"
				at = e.value.at
			}
			found = append(found, at)
		})
		if len(found) == 0 {
			continue
		}
		more := ""
		if n := len(found) - 1; n > 0 {
			more = " (and " + plural(n, "time") + " more)"
		}
		r.warn(found[0], "%s is not in effect in this version: %s%s", title, p.instead, more)
	}
}

// idle tells that the value asks for no more than happens anyway.
func (p pendingKey) idle(v *value, c *Config) bool {
	switch {
	case v.kind == kindString && v.text == "", v.kind == kindArray && len(v.items) == 0:
		return true
	case p.key == "port.rx_queues" && v.text != "0":
		n, err := integer(0, maxLcores)(v)
		return err == nil && int(n) == len(c.DPDK.Lcores)
	}
	return p.unless != "" && v.text == p.unless
}

// visit calls do for every key at the path, in each table of a list.
func (t *table) visit(path []string, do func(*entry)) {
	e := t.index[path[0]]
	switch {
	case e == nil:
	case len(path) == 1:
		do(e)
	case e.value.table != nil:
		e.value.table.visit(path[1:], do)
	default:
		for _, item := range e.value.items {
			if item.table != nil {
				item.table.visit(path[1:], do)
			}
		}
	}
}
