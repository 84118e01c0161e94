package bgp

import (
	"net/netip"
	"slices"
)

// aggregate gives the routes to announce for those that are wanted: each that
// lies within one of the prefixes is stood for by it, the longest if several
// hold it. What stands for several is the least attractive of them: it has all
// their communities (RFC 1997), the highest MED and the lowest preference.
func aggregate(want []Route, prefixes []netip.Prefix) map[netip.Prefix]Route {
	out := make(map[netip.Prefix]Route, len(want))
	for _, r := range want {
		r.Communities = canonical(r.Communities)
		if within, ok := longest(prefixes, r.Prefix); ok {
			r.Prefix = within
		}
		if other, ok := out[r.Prefix]; ok {
			r.Communities = canonical(slices.Concat(r.Communities, other.Communities))
			r.MED = pick(r.MED, other.MED, 0, func(a, b uint32) uint32 { return max(a, b) })
			r.LocalPref = pick(r.LocalPref, other.LocalPref, usualLocalPref, func(a, b uint32) uint32 { return min(a, b) })
		}
		out[r.Prefix] = r
	}
	return out
}

// usualLocalPref is what gobgp, as all others, gives a route that has none.
const usualLocalPref = 100

// longest gives the longest of the prefixes that holds p and is not p itself.
func longest(prefixes []netip.Prefix, p netip.Prefix) (best netip.Prefix, ok bool) {
	for _, a := range prefixes {
		if a.Bits() < p.Bits() && a.Contains(p.Addr()) && (!ok || a.Bits() > best.Bits()) {
			best, ok = a, true
		}
	}
	return best, ok
}

// pick decides between attributes of which either may be missing and then
// counts as usual.
func pick(a, b *uint32, usual uint32, choose func(a, b uint32) uint32) *uint32 {
	if a == nil && b == nil {
		return nil
	}
	value := func(v *uint32) uint32 {
		if v == nil {
			return usual
		}
		return *v
	}
	v := choose(value(a), value(b))
	return &v
}
