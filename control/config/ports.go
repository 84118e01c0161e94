package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PortRange is the ports from First to Last, both included.
type PortRange struct{ First, Last uint16 }

// String gives "80" or "8000-8010".
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// anyPort is the zero PortRange: it holds port 0, which no service has.
var anyPort = PortRange{}

// portRange accepts "80", "8000-8010", "any", and 80 without quotes.
func portRange(v *value) (PortRange, error) {
	s := v.text
	if v.kind != kindString && v.kind != kindInteger {
		return PortRange{}, fmt.Errorf("%s is %s: write a port, \"80\", a range, \"8000-8010\", or \"any\"", spelling(v), v.kind)
	}
	if s == "any" {
		return anyPort, nil
	}
	from, to, ranged := strings.Cut(s, "-")
	if !ranged {
		to = from
	}
	first, err1 := port(from)
	last, err2 := port(to)
	switch {
	case err1 != nil || err2 != nil:
		return PortRange{}, fmt.Errorf("%q is not a port, 1 to 65535, a range, \"8000-8010\", or \"any\"", s)
	case first > last:
		return PortRange{}, fmt.Errorf("%q runs backwards: write \"%d-%d\"", s, last, first)
	}
	return PortRange{first, last}, nil
}

func port(s string) (uint16, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return uint16(n), err
}

func (v *vipDraft) readPorts(s *section) {
	ports, clean := list(s, "ports", portRange)
	isAny := slices.ContainsFunc(ports, func(p located[PortRange]) bool { return p.v == anyPort })
	switch {
	case v.Protocol == ProtocolAny:
		if len(ports) > 0 && (!isAny || len(ports) > 1) {
			s.fault(s.place("ports"), "ports", "a VIP with protocol \"any\" has no ports: leave the key out")
		}
		return
	case !s.has("ports") && !s.r.learning:
		s.r.fault(s.at, "[[vip]] is missing \"ports\": as in ports = [\"80\", \"443\"], or [\"any\"]")
	case isAny && len(ports) > 1:
		s.fault(s.place("ports"), "ports", "\"any\" holds every port: write it alone or leave it out")
	case isAny:
		return
	case len(ports) == 0 && clean && s.has("ports"):
		s.fault(s.place("ports"), "ports", "the list is empty: name ports, or write [\"any\"]")
	}
	slices.SortStableFunc(ports, func(a, b located[PortRange]) int { return cmp.Compare(a.v.First, b.v.First) })
	for i := 1; i < len(ports); i++ {
		if low, p := ports[i-1], ports[i]; p.v.First <= low.v.Last && !isAny {
			s.fault(p.at, "ports", fmt.Sprintf("%s is already in %s", p.v, low.v))
		}
	}
	v.ports, v.Ports = ports, plain(ports)
}
