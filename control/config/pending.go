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
	{key: "check", instead: "backends are not checked and count as healthy"},
	{key: "pool.check", instead: "the pool's backends are not checked and count as healthy"},
	{key: "vip.min_healthy", instead: "backends are not checked, so it is always met", unless: "1"},
	{key: "vip.when_down", instead: "backends are not checked, so the VIP is never down", unless: "withdraw"},
	{key: "console", instead: "there is no console"},
}

// pending warns of each such key once, where it first stands.
func (f *File) pending(r *report) {
	for _, p := range pending {
		var found []pos
		title := p.key
		f.root.visit(strings.Split(p.key, "."), func(e *entry) {
			if p.idle(e.value) {
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
func (p pendingKey) idle(v *value) bool {
	empty := v.kind == kindString && v.text == "" || v.kind == kindArray && len(v.items) == 0
	return empty || p.unless != "" && v.text == p.unless
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
