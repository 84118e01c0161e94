package health

import (
	"cmp"
	"net/netip"
	"time"
)

// Defaults of a [Target], and the shortest interval.
const (
	DefaultInterval = time.Second
	DefaultRise     = 2
	DefaultFall     = 3
	MinInterval     = 10 * time.Millisecond
)

// A Target is an address that is to answer a check. All of it but Source and
// Inside is its identity; of two targets with the same, the first counts.
type Target struct {
	Addr   netip.Addr // IPv4, or IPv6 without a zone; IPv4 mapped into IPv6 is IPv4
	Source netip.Addr // to ask from, one of this machine's own; zero: as the kernel chooses
	Check  Check      // what to ask; zero: ICMP echo

	// With VIP it is that which is asked, in a GRE tunnel to Addr, as the traffic
	// goes. Source is then the tunnel's, and Inside, of the VIP's family and this
	// machine's own, is whom the backend answers, directly.
	VIP    netip.Addr
	Inside netip.Addr

	// From one probe to the next it is Interval and up to a sixteenth more.
	// 0: DefaultInterval; less than MinInterval: that.
	Interval time.Duration
	Timeout  time.Duration // for a probe to be answered; 0, or more than Interval: Interval
	Rise     int           // answers in a row until it is Up; 0: DefaultRise
	Fall     int           // failures in a row until it is Down; 0: DefaultFall
}

// normal returns t with one form for each meaning.
func (t Target) normal() Target {
	t.Addr, t.Source = t.Addr.Unmap(), t.Source.Unmap()
	t.VIP, t.Inside = t.VIP.Unmap(), t.Inside.Unmap()
	if !t.VIP.IsValid() {
		t.Inside = netip.Addr{}
	}
	t.Check = t.Check.normal()
	t.Interval = max(cmp.Or(t.Interval, DefaultInterval), MinInterval)
	if t.Timeout <= 0 || t.Timeout > t.Interval {
		t.Timeout = t.Interval
	}
	t.Rise, t.Fall = max(cmp.Or(t.Rise, DefaultRise), 1), max(cmp.Or(t.Fall, DefaultFall), 1)
	return t
}

// identity is what tells a normal t from others.
func (t Target) identity() Target {
	t.Source, t.Inside = netip.Addr{}, netip.Addr{}
	return t
}

// question is what is asked of whom: targets that differ in nothing of it have
// the same answer, however often they are asked.
func (t Target) question() Target { return Target{Addr: t.Addr, VIP: t.VIP, Check: t.Check} }

// asked is the address that answers: the VIP through a tunnel.
func (t Target) asked() netip.Addr {
	if t.VIP.IsValid() {
		return t.VIP
	}
	return t.Addr
}

// from is the address that it answers to; invalid: as the kernel chooses.
func (t Target) from() netip.Addr {
	if t.VIP.IsValid() {
		return t.Inside
	}
	return t.Source
}

// compare is the order of lists.
func (t Target) compare(u Target) int {
	return cmp.Or(t.Addr.Compare(u.Addr), t.VIP.Compare(u.VIP), cmp.Compare(t.Check.Type, u.Check.Type),
		cmp.Compare(t.Check.Port, u.Check.Port), cmp.Compare(t.Check.Path, u.Check.Path), cmp.Compare(t.Interval, u.Interval))
}
