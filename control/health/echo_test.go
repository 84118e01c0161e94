package health

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

const (
	quickly = 20 * time.Millisecond // the interval of these tests
	soon    = 5 * time.Second       // for a busy machine
)

// targets makes targets of addresses, asked from 192.0.2.1 and 2001:db8::1.
func targets(addrs ...string) (all []Target) {
	for _, a := range addrs {
		t := Target{Addr: ip(a), Source: ip("192.0.2.1"), Interval: quickly, Fall: 5}
		if t.Addr.Is6() {
			t.Source = ip("2001:db8::1")
		}
		all = append(all, t)
	}
	return all
}

// becomes waits for a state and, if given, for words in the last error.
func becomes(t testing.TB, m *Monitor, addr string, want State, words ...string) Status {
	t.Helper()
	var s Status
	began := time.Now()
	for {
		s = of(t, m, ip(addr))
		if s.State == want && (len(words) == 0 || strings.Contains(s.Error, words[0])) {
			return s
		}
		if time.Since(began) > soon {
			t.Fatalf("%s is not %v %q but %+v", addr, want, words, s)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestAnswers: nodes that answer, fall silent, lose their link and come back.
func TestAnswers(t *testing.T) {
	a, b := pair(t)
	b.sysctl("ipv6/conf/b0/keep_addr_on_down=1")
	both := []string{"192.0.2.2", "2001:db8::2"}
	m := watch(t, Config{listen: a.listen}, targets(both...)...)
	for _, addr := range both {
		if s := becomes(t, m, addr, Up); s.Latency <= 0 || s.Latency > quickly+time.Second {
			t.Errorf("%+v", s)
		}
	}
	b.sysctl("ipv4/icmp_echo_ignore_all=1", "ipv6/icmp/echo_ignore_all=1")
	for _, addr := range both {
		if s := becomes(t, m, addr, Down); s.Error != "no answer within 20ms" {
			t.Errorf("%+v", s)
		}
	}
	b.sysctl("ipv4/icmp_echo_ignore_all=0", "ipv6/icmp/echo_ignore_all=0")
	for _, addr := range both {
		becomes(t, m, addr, Up)
	}
	// When a0 has lost its carrier the kernel drops what is sent. It says so for IPv6 only.
	b.ip("link set b0 down")
	becomes(t, m, "192.0.2.2", Down)
	becomes(t, m, "2001:db8::2", Down, "no answer within 20ms: not sent: no buffer space available")
	b.ip("link set b0 up")
	for _, addr := range both {
		becomes(t, m, addr, Up)
	}
	// Now a0 itself: the kernel has no route left, and takes the IPv6 address away.
	a.ip("link set a0 down")
	becomes(t, m, "192.0.2.2", Down, "not sent: network is unreachable")
	becomes(t, m, "2001:db8::2", Unknown, "cannot assign requested address")
}

// TestWords: who does not answer is down for a reason that is told.
func TestWords(t *testing.T) {
	a, b := pair(t)
	a.ip("route add 198.51.100.0/24 via 192.0.2.2")
	a.ip("-6 route add 2001:db8:1::/48 via 2001:db8::2")
	b.ip("route add prohibit 198.51.100.1")
	b.ip("route add unreachable 198.51.100.2")
	b.ip("-6 route add prohibit 2001:db8:1::1")
	b.ip("-6 route add unreachable 2001:db8:1::2")
	a.ip("route add unreachable 198.51.100.3")
	a.ip("-6 route add unreachable 2001:db8:1::3")
	words := map[string]string{
		"198.51.100.1":  "no answer within 20ms: administratively prohibited, says 192.0.2.2",
		"198.51.100.2":  "no answer within 20ms: host unreachable, says 192.0.2.2",
		"2001:db8:1::1": "no answer within 20ms: administratively prohibited, says 2001:db8::2",
		"2001:db8:1::2": "no answer within 20ms: no route, says 2001:db8::2",
		"198.51.100.3":  "not sent: no route to host",
		"2001:db8:1::3": "not sent: no route to host",
		"192.0.2.77":    "no answer within 20ms: host unreachable, says 192.0.2.1", // no ARP: our own kernel says so
		"2001:db8::77":  "no answer within 20ms: address unreachable, says 2001:db8::1",
		"203.0.113.1":   "not sent: network is unreachable",
	}
	var addrs []string
	for addr := range words {
		addrs = append(addrs, addr)
	}
	m := watch(t, Config{listen: a.listen}, targets(addrs...)...)
	for addr, want := range words {
		becomes(t, m, addr, Down, want)
	}
}

// TestNoSource: without its source address a node can say nothing of others.
func TestNoSource(t *testing.T) {
	a, _ := pair(t)
	m := watch(t, Config{listen: a.listen},
		Target{Addr: ip("192.0.2.2"), Source: ip("192.0.2.111"), Interval: quickly},
		Target{Addr: ip("2001:db8::2"), Source: ip("2001:db8::111"), Interval: quickly},
		Target{Addr: ip("192.0.2.99"), Source: ip("2001:db8::1"), Interval: quickly},
		Target{Addr: ip("fe80::1%lo"), Interval: quickly},
		Target{Interval: quickly},
	)
	for addr, want := range map[netip.Addr]string{
		ip("192.0.2.2"):   "cannot assign requested address",
		ip("2001:db8::2"): "cannot assign requested address",
		ip("192.0.2.99"):  "192.0.2.99 and 2001:db8::1 are of two families",
		ip("fe80::1%lo"):  "fe80::1%lo is not an address to ask",
		{}:                "invalid IP is not an address to ask",
	} {
		eventually(t, soon, want, func() bool { return of(t, m, addr).Untried > 3 })
		if s := of(t, m, addr); s.State != Unknown || s.Failed > 0 || !strings.Contains(s.Error, want) {
			t.Errorf("%+v", s)
		}
	}
	a.ip("addr add 192.0.2.111/24 dev a0")
	a.ip("addr add 2001:db8::111/64 dev a0 nodad")
	becomes(t, m, "192.0.2.2", Up)
	becomes(t, m, "2001:db8::2", Up)
	a.ip("addr del 192.0.2.111/24 dev a0")
	becomes(t, m, "192.0.2.2", Unknown, "cannot assign requested address")
	a.ip("addr del 2001:db8::111/64 dev a0")
	becomes(t, m, "2001:db8::2", Unknown, "cannot assign requested address")
}

// TestAnySource: without a source the kernel chooses; one's own addresses answer.
func TestAnySource(t *testing.T) {
	a, _ := pair(t)
	m := watch(t, Config{listen: a.listen},
		Target{Addr: ip("192.0.2.2"), Interval: quickly}, Target{Addr: ip("2001:db8::2"), Interval: quickly},
		Target{Addr: ip("192.0.2.1"), Interval: quickly}, Target{Addr: ip("::1"), Interval: quickly})
	for _, s := range m.Status() {
		becomes(t, m, s.Target.Addr.String(), Up)
	}
}

// TestSourceChanges: with another source the verdict stays, and the socket of
// the source that is not used any more is closed.
func TestSourceChanges(t *testing.T) {
	a, _ := pair(t)
	a.ip("addr add 192.0.2.11/24 dev a0")
	m := watch(t, Config{listen: a.listen}, targets("192.0.2.2", "2001:db8::2")...)
	becomes(t, m, "2001:db8::2", Up)
	before := becomes(t, m, "192.0.2.2", Up)
	moved := targets("192.0.2.2", "2001:db8::2")
	moved[0].Source = ip("192.0.2.11")
	m.Watch(moved)
	eventually(t, soon, "answers to the other source", func() bool { return of(t, m, ip("192.0.2.2")).Answered > before.Answered+5 })
	if s := of(t, m, ip("192.0.2.2")); s.State != Up || !s.Since.Equal(before.Since) {
		t.Errorf("%+v, was %+v", s, before)
	}
	e := m.checker.(*types).echo
	sources := func() (all []string) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for s := range e.sockets {
			all = append(all, s.String())
		}
		return all
	}
	if got := sources(); len(got) != 2 {
		t.Errorf("sockets for %v", got)
	}
	m.Watch(nil)
	if got := sources(); len(got) != 0 {
		t.Errorf("sockets for %v, without targets", got)
	}
}
