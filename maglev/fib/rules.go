package fib

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"guideway/maglev/flow"
)

// A rule is a service's claim to a protocol and a range of ports below one
// prefix.
type rule struct {
	low, high uint16
	proto     uint8 // 0 for any
	anyProto  bool
	service   uint16
}

func (r *rule) matches(k *flow.Key) bool {
	port := k.DstPort()
	return (r.anyProto || r.proto == k.Proto) && r.low <= port && port <= r.high
}

// exact tells whether no rule of the same prefix can be more specific.
func (r *rule) exact() bool { return !r.anyProto && r.low == r.high }

// all tells whether the rule leaves nothing to any other. (Port 0 is in no range
// but that of all ports.)
func (r rule) all() bool { return r.anyProto && r.low == 0 }

// byClaim orders rules for clashes: those of one protocol together, from the
// lowest port, the widest first.
func byClaim(a, b rule) int {
	return cmp.Or(falseFirst(a.anyProto, b.anyProto), cmp.Compare(a.proto, b.proto),
		cmp.Compare(a.low, b.low), cmp.Compare(b.high, a.high), cmp.Compare(a.service, b.service))
}

// bySpecific orders rules for matching: a named protocol before any, then the
// narrower range of ports.
func bySpecific(a, b rule) int {
	return cmp.Or(falseFirst(a.anyProto, b.anyProto), cmp.Compare(a.high-a.low, b.high-b.low), byClaim(a, b))
}

// falseFirst puts false before true.
func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// A vip is a prefix that services have, with all of their rules.
type vip struct {
	prefix    netip.Prefix
	rules     []rule
	echo      Echo
	fragments bool   // of any of them
	service   uint16 // the lowest id
}

// addRules fills the lookup tables.
func (s *Snapshot) addRules(spec Spec) error {
	vips, err := vipsOf(spec)
	errs := []error{err}
	singles := 0
	for _, v := range vips {
		errs = append(errs, clashes(v))
		for i := range v.rules {
			if v.prefix.IsSingleIP() && v.rules[i].exact() {
				singles++
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.exact = newExactTable(singles)
	for i := range vips {
		v := &vips[i]
		if v.prefix.IsSingleIP() {
			hi, lo, ipv6 := flow.Words(v.prefix.Addr())
			v.rules = slices.DeleteFunc(v.rules, func(r rule) bool {
				if r.exact() {
					s.exact.insert(hi, lo, exactTag(r.low, r.proto, ipv6), r.service)
				}
				return r.exact()
			})
		}
		slices.SortFunc(v.rules, bySpecific)
	}
	s.prefixes = newPrefixTable(vips)
	return nil
}

// vipsOf returns the prefixes of all services in use, in order.
func vipsOf(spec Spec) ([]vip, error) {
	var errs []error
	byPrefix := map[netip.Prefix]*vip{}
	for id, v := range spec.Services {
		if !v.Prefix.IsValid() {
			continue
		}
		if v.Prefix != v.Prefix.Masked() || v.Prefix.Addr().Is4In6() {
			errs = append(errs, fmt.Errorf("service %d: %v is not a prefix in canonical form", id, v.Prefix))
			continue
		}
		at := byPrefix[v.Prefix]
		if at == nil {
			at = &vip{prefix: v.Prefix, echo: v.Echo, service: uint16(id)}
			byPrefix[v.Prefix] = at
		}
		if v.Echo > EchoForward {
			errs = append(errs, fmt.Errorf("service %d: no such way with echo requests: %d", id, v.Echo))
		}
		if v.Echo != at.echo {
			errs = append(errs, fmt.Errorf("services %d and %d disagree on echo requests to %v", at.service, id, v.Prefix))
		}
		at.fragments = at.fragments || v.Fragments
		ports := v.Ports
		if len(ports) == 0 {
			ports = allPorts
		}
		for _, p := range ports {
			if p.Low > p.High || p.Low == 0 && p.High != allPorts[0].High {
				errs = append(errs, fmt.Errorf("service %d: %d-%d is not a range of ports", id, p.Low, p.High))
				continue
			}
			r := rule{low: p.Low, high: p.High, proto: v.Protocol, anyProto: v.AnyProtocol, service: uint16(id)}
			if r.anyProto {
				r.proto = 0
			}
			at.rules = append(at.rules, r)
		}
	}
	vips := make([]vip, 0, len(byPrefix))
	for _, v := range byPrefix {
		vips = append(vips, *v)
	}
	slices.SortFunc(vips, func(a, b vip) int { return a.prefix.Compare(b.prefix) })
	return vips, errors.Join(errs...)
}

var allPorts = []PortRange{{0, 1<<16 - 1}}

// clashes names the rules of which neither is more specific than the other:
// of one protocol, with ranges of ports that are equal or that cross. It sweeps
// over the ranges with the list of those that are still open, few as they lie
// within each other.
func clashes(v vip) error {
	var errs []error
	slices.SortFunc(v.rules, byClaim)
	var open []rule
	for _, r := range v.rules {
		open = slices.DeleteFunc(open, func(o rule) bool {
			return o.anyProto != r.anyProto || o.proto != r.proto || o.high < r.low
		})
		for _, o := range open {
			if o.low == r.low && o.high == r.high || o.high < r.high {
				protocol := fmt.Sprint("protocol ", r.proto)
				if r.anyProto {
					protocol = "any protocol"
				}
				errs = append(errs, fmt.Errorf("services %d and %d both claim %v, %s, ports %d-%d", o.service, r.service, v.prefix, protocol, r.low, min(o.high, r.high)))
			}
		}
		open = append(open, r)
	}
	return errors.Join(errs...)
}
