package kernel

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// quick is how soon a change must show on a busy machine. The settling time is
// 5 ms; the rest is for other work.
const quick = time.Second

func TestRoutesAreFollowed(t *testing.T) {
	lb, _ := pair(t)
	k := lb.follow(Config{Interfaces: []string{"lb0"}})
	to(t, k, "192.0.2.77", "192.0.2.77/1")
	to(t, k, "10.0.0.1")

	lb.ip("route add default via 192.0.2.1")
	t.Log("a route shows after", to(t, k, "10.0.0.1", "192.0.2.1/1"))
	lb.ip("route add 10.0.0.0/8 nexthop via 192.0.2.2 dev lb0 weight 1 nexthop via 192.0.2.3 dev lb0 weight 20")
	to(t, k, "10.0.0.1", "192.0.2.2/1", "192.0.2.3/20")
	lb.ip("route replace 10.0.0.0/8 nexthop via 192.0.2.3 dev lb0 weight 2 nexthop via 192.0.2.4 dev lb0 weight 1")
	to(t, k, "10.0.0.1", "192.0.2.3/2", "192.0.2.4/1")
	lb.ip("route add 10.0.0.0/8 via 192.0.2.9 metric 50")
	lb.ip("route add unreachable 10.9.0.0/16")
	to(t, k, "10.9.0.1")
	if r, _ := k.View().Lookup(ip("10.9.0.1")); r.Kind != Unreachable {
		t.Errorf("10.9.0.1 is %v", r.Kind)
	}
	lb.ip("route del 10.0.0.0/8 metric 0")
	to(t, k, "10.0.0.1", "192.0.2.9/1")
	lb.ip("route flush 10.0.0.0/8")
	to(t, k, "10.0.0.1", "192.0.2.1/1")

	lb.ip("route add 192.88.0.0/16 via inet6 2001:db8::1 dev lb0")
	to(t, k, "192.88.0.1", "2001:db8::1/1")
	lb.ip("-6 route add 2001:db8:b::/48 nexthop via 2001:db8::1 dev lb0 weight 3 nexthop via 2001:db8::2 dev lb0")
	to(t, k, "2001:db8:b::1", "2001:db8::1/3", "2001:db8::2/1")
	lb.ip("-6 route del 2001:db8:b::/48 via 2001:db8::1 dev lb0")
	to(t, k, "2001:db8:b::1", "2001:db8::2/1")
	lb.ip("route add 10.5.0.0/16 via 192.0.2.1 table 100")
	lb.ip("nexthop add id 7 via 192.0.2.5 dev lb0")
	lb.ip("route add 10.7.0.0/16 nhid 7")
	to(t, k, "10.7.0.1", "192.0.2.5/1")
	lb.ip("nexthop replace id 7 via 192.0.2.6 dev lb0")
	to(t, k, "10.7.0.1", "192.0.2.6/1")
	lb.ip("nexthop del id 7") // takes its routes along, without a word of them
	to(t, k, "10.7.0.1", "192.0.2.1/1")
	if got := gateways(k.View(), "10.5.0.1"); !slices.Equal(got, []string{"192.0.2.1/1"}) {
		t.Errorf("10.5.0.1, which another table knows, goes by %v", got)
	}
}

// TestSilentRemovals: the kernel says nothing of IPv4 routes that go with an
// interface, nor, before Linux 6.5, of those that go with their source address.
func TestSilentRemovals(t *testing.T) {
	lb, _ := pair(t)
	lb.sysctl("ipv6/conf/lb0/disable_ipv6", "1") // of IPv6 routes it does tell
	lb.ip("addr add 198.51.100.11/32 dev lb0")
	k := lb.follow(Config{Interfaces: []string{"lb0"}})
	lb.ip("route add 10.0.0.0/8 via 192.0.2.1")
	lb.ip("route add 10.2.0.0/16 via 192.0.2.2 src 198.51.100.11")
	to(t, k, "10.2.0.1", "192.0.2.2/1")
	time.Sleep(2 * afterthought)
	lb.ip("addr del 198.51.100.11/32 dev lb0")
	to(t, k, "10.2.0.1", "192.0.2.1/1")
	lb.ip("link set lb0 down")
	eventually(t, quick, "no IPv4 route", func() bool { return len(k.View().table.routes) == 0 })
	if l, ok := k.View().Link("lb0"); !ok || l.Up || l.Carrier {
		t.Errorf("lb0 is %+v", l)
	}
	lb.ip("link set lb0 up")
	to(t, k, "192.0.2.1", "192.0.2.1/1")
	to(t, k, "10.0.0.1")
}

// TestLinks: interfaces come, go, lose their carrier, are called otherwise, and
// those that are not followed are nobody's next hop.
func TestLinks(t *testing.T) {
	lb, router := pair(t)
	k := lb.follow(Config{Interfaces: []string{"lb0", "late"}})
	lb.ip("route add 10.0.0.0/8 via 192.0.2.1")
	to(t, k, "10.0.0.1", "192.0.2.1/1")
	router.ip("link set r0 down")
	to(t, k, "10.0.0.1")
	router.ip("link set r0 up")
	to(t, k, "10.0.0.1", "192.0.2.1/1")
	lb.ip("link set lb0 mtu 1600")
	lb.ip("addr add 192.0.2.12/24 dev lb0")
	eventually(t, quick, "a new MTU and address", func() bool {
		l, _ := k.View().Link("lb0")
		return l.MTU == 1600 && slices.Contains(l.Addresses, cidr("192.0.2.12/24"))
	})

	lb.ip("link add other type veth peer name otherpeer")
	lb.ip("link set otherpeer up")
	lb.ip("link set other up")
	lb.ip("addr add 198.51.100.11/24 dev other")
	lb.ip("route add 10.1.0.0/16 via 198.51.100.1")
	eventually(t, quick, "a route by an interface that is not followed", func() bool {
		r, hops := k.View().Lookup(ip("10.1.0.1"))
		return r.Prefix == cidr("10.1.0.0/16") && hops == nil
	})
	lb.ip("link set other down")
	// At once, so that the neighbour is heard of before the interface is known.
	lb.batch([]string{"link set other name late", "link set late up",
		"neigh add 198.51.100.9 lladdr 02:00:00:00:00:98 dev late"})
	to(t, k, "198.51.100.9", "198.51.100.9/1")
	eventually(t, quick, "the neighbour of an interface that came late", func() bool {
		h := k.View().NextHops(ip("198.51.100.9"))
		return len(h) == 1 && h[0].MAC == [6]byte{2, 0, 0, 0, 0, 0x98} && h[0].State == Reachable && h[0].OnLink
	})
	lb.ip("link del late")
	to(t, k, "198.51.100.9")
}

// TestResolution: what is wanted is asked for, kept confirmed, followed when its
// link address changes, and asked for again when it is gone.
func TestResolution(t *testing.T) {
	lb, router := pair(t)
	router.ip("addr add 2001:db8::2/64 dev r0 nodad")
	for _, family := range []string{"ipv4", "ipv6"} {
		lb.sysctl(family+"/neigh/lb0/base_reachable_time_ms", "3000") // 1.5 to 4.5 s, longer than it counts as used
		lb.sysctl(family+"/neigh/lb0/delay_first_probe_time", "1")
	}
	lb.ip("route add default via 192.0.2.1")
	lb.ip("route add 2001:db8:b::/48 via 2001:db8::1")
	k := lb.follow(Config{Interfaces: []string{"lb0"}})

	var backends []netip.Addr
	for i := range 10000 {
		backends = append(backends, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	k.Want(append(backends, ips("192.0.2.1", "192.0.2.200", "2001:db8:b::5", "2001:db8::2")...))
	mac := func(dst string) [6]byte {
		h := k.View().NextHops(ip(dst))
		if len(h) != 1 {
			t.Fatalf("%s has next hops %v", dst, h)
		}
		return h[0].MAC
	}
	first := [6]byte{2, 0, 0, 0, 0, 1}
	for _, dst := range []string{"10.0.1.1", "2001:db8:b::5", "2001:db8::2"} {
		t.Log(dst, "resolved after", eventually(t, 5*time.Second, dst+" to be resolved", func() bool { return mac(dst) == first }))
	}
	eventually(t, 5*time.Second, "192.0.2.200 to fail", func() bool { return k.View().NextHops(ip("192.0.2.200"))[0].State == Failed })
	if n := k.Stats().Asks; n > 40 {
		t.Errorf("%d requests for 4 neighbours in some seconds", n)
	}

	seen := map[State]bool{}
	eventually(t, 10*time.Second, "the gateway to go stale and be confirmed", func() bool {
		s := k.View().NextHops(ip("10.0.1.1"))[0].State
		if s == Reachable && seen[Stale] {
			return true
		}
		if !s.Usable() {
			t.Fatalf("the gateway is %v", s)
		}
		seen[s] = true
		return false
	})

	// A router is replaced and says so.
	for len(k.Changes()) > 0 {
		<-k.Changes()
	}
	router.ip("link set r0 address 02:00:00:00:00:02")
	router.exec("python3", "-c", `
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("r0", 0))
mac, ip = bytes.fromhex("020000000002"), socket.inet_aton("192.0.2.1")
s.send(b"\xff"*6 + mac + bytes.fromhex("08060001080006040001") + mac + ip + b"\0"*6 + ip)`)
	second := [6]byte{2, 0, 0, 0, 0, 2}
	t.Log("gratuitous ARP followed after", eventually(t, quick, "the new gateway", func() bool { return mac("10.0.1.1") == second }))
	select {
	case <-k.Changes():
	case <-time.After(quick):
		t.Error("not told of the new link address")
	}
	// IPv6 says nothing of it: confirming the stale entry finds out.
	t.Log("silent change followed after", eventually(t, 15*time.Second, "the new IPv6 gateway", func() bool { return mac("2001:db8:b::5") == second }))

	// One that was removed from the table is asked for again.
	lb.ip("neigh flush to 192.0.2.1 dev lb0")
	eventually(t, 5*time.Second, "the flushed gateway", func() bool { return mac("10.0.1.1") == second })

	// One that does not answer is waited for longer and longer, and found when it comes.
	router.ip("addr add 192.0.2.200/24 dev r0")
	eventually(t, 40*time.Second, "the late neighbour", func() bool { return mac("192.0.2.200") == second })
}

// TestKnock: where the kernel does not take requests, packets do.
func TestKnock(t *testing.T) {
	lb, _ := pair(t)
	k := lb.follow(Config{Interfaces: []string{"lb0"}, use: func(*netlink.Handle, target) error { return unix.EPERM }})
	link, _ := k.View().Link("lb0")
	linkLocal := fmt.Sprintf("fe80::ff:fe00:1%%%s", link.Name)
	dsts := []string{"192.0.2.1", "2001:db8::1", linkLocal}
	k.Want(ips(dsts...))
	for _, dst := range dsts {
		eventually(t, 5*time.Second, dst+" to be resolved", func() bool {
			h := k.View().NextHops(ip(dst))
			return len(h) == 1 && h[0].MAC == [6]byte{2, 0, 0, 0, 0, 1}
		})
	}
	if s := k.Stats(); s.AskFailures != 0 || s.Asks < 3 {
		t.Errorf("%+v", s)
	}
}

// TestNothingIsLearnt: entries and routes of others stay as they are, also
// permanent ones that are wanted.
func TestNothingIsLearnt(t *testing.T) {
	lb, _ := pair(t)
	lb.ip("neigh add 192.0.2.1 lladdr 02:00:00:00:00:77 dev lb0 nud permanent")
	lb.ip("neigh add 192.0.2.2 lladdr 02:00:00:00:00:78 dev lb0 nud permanent")
	lb.ip("route add 10.0.0.0/8 via 192.0.2.1")
	before := lb.ip("neigh show nud permanent") + lb.ip("route") + lb.ip("-6 route")
	k := lb.follow(Config{Interfaces: []string{"lb0"}})
	k.Want(ips("10.0.0.1", "192.0.2.2", "192.0.2.3"))
	eventually(t, quick, "a request", func() bool { return k.Stats().Asks > 0 })
	k.Close()
	k.Close()
	if after := lb.ip("neigh show nud permanent") + lb.ip("route") + lb.ip("-6 route"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if _, err := k.Reconcile(Interface{Name: "lb0"}); err == nil {
		t.Error("a closed Kernel reconciles")
	}
}

// TestOverrun: a burst of changes that does not fit into the socket's buffer
// is made up for by reading everything.
func TestOverrun(t *testing.T) {
	lb, _ := pair(t)
	var stuck atomic.Bool
	k := lb.follow(Config{
		Interfaces: []string{"lb0"}, receiveBuffer: 4096,
		use: func(*netlink.Handle, target) error { // the loop is busy elsewhere
			for began := time.Now(); stuck.Load() && time.Since(began) < 10*time.Second; {
				time.Sleep(time.Millisecond)
			}
			return nil
		},
	})
	stuck.Store(true)
	k.Want(ips("192.0.2.1"))
	eventually(t, quick, "a request", func() bool { return k.Stats().Asks > 0 })
	var lines []string
	for i := range 10000 {
		lines = append(lines, fmt.Sprintf("route add 10.%d.%d.0/24 via 192.0.2.%d", i>>8, i&255, 1+i%8))
	}
	for i := range 10000 {
		if i%3 == 0 {
			lines = append(lines, fmt.Sprintf("route del 10.%d.%d.0/24", i>>8, i&255))
		}
	}
	lines = append(lines, "neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev lb0", "addr add 192.0.2.98/24 dev lb0")
	lb.batch(lines)
	stuck.Store(false)
	took := eventually(t, 10*time.Second, "the last change", func() bool {
		l, _ := k.View().Link("lb0")
		hops := k.View().NextHops(ip("192.0.2.99"))
		return slices.Contains(l.Addresses, cidr("192.0.2.98/24")) && len(hops) == 1 && hops[0].State == Reachable &&
			len(gateways(k.View(), "10.39.14.1")) == 1
	})
	s := k.Stats()
	t.Logf("in step after %v: %+v", took, s)
	if s.Overruns == 0 {
		t.Error("nothing was lost: the test shows nothing")
	}
	v := k.View()
	for i := range 10000 {
		want := []string{fmt.Sprintf("192.0.2.%d/1", 1+i%8)}
		if i%3 == 0 {
			want = nil
		}
		if got := gateways(v, fmt.Sprintf("10.%d.%d.1", i>>8, i&255)); !slices.Equal(got, want) {
			t.Fatalf("route %d: %v, want %v", i, got, want)
		}
	}
	before := k.Stats().Overruns
	lb.ip("route add 10.250.0.0/16 via 192.0.2.1")
	to(t, k, "10.250.0.1", "192.0.2.1/1")
	if after := k.Stats().Overruns; after != before {
		t.Log("overruns went on:", after-before)
	}
}

// TestReconnect: a lost subscription is opened again, and what happened
// meanwhile is found.
func TestReconnect(t *testing.T) {
	lb, _ := pair(t)
	l, err := prepare(Config{Interfaces: []string{"lb0"}, Namespace: lb.path()})
	if err != nil {
		t.Fatal(err)
	}
	k, sub := l.Kernel, l.sub
	go l.run()
	defer k.Close()
	sub.socket.Close()
	lb.ip("route add 10.0.0.0/8 via 192.0.2.1")
	to(t, k, "10.0.0.1", "192.0.2.1/1")
	if n := k.Stats().Reconnects; n != 1 {
		t.Errorf("%d reconnects", n)
	}
	lb.ip("route add 10.1.0.0/16 via 192.0.2.2")
	to(t, k, "10.1.0.1", "192.0.2.2/1")
}

// BenchmarkView makes a View as the loop does after a change: 10,000 routes and
// 1,000 neighbours are read from the kernel and sorted.
func BenchmarkView(b *testing.B) {
	n := newNS(b)
	n.ip("link add lb0 type veth peer name peer")
	n.ip("link set lb0 up")
	n.ip("addr add 192.0.0.1/16 dev lb0")
	var lines []string
	for i := range 10000 {
		lines = append(lines, fmt.Sprintf("route add 10.%d.%d.0/24 via 192.0.2.%d", i>>8, i&255, 1+i%8))
	}
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf("neigh add 192.0.%d.%d lladdr 02:00:00:00:00:01 dev lb0", 3+i>>8, i&255))
	}
	n.batch(lines)
	space, err := openNamespace(n.path())
	if err != nil {
		b.Fatal(err)
	}
	defer space.close()
	handle, err := newHandle(space)
	if err != nil {
		b.Fatal(err)
	}
	defer handle.Close()
	m := newMirror(handle, []string{"lb0"})
	for b.Loop() {
		m.stale = everything
		if err := m.refresh(); err != nil {
			b.Fatal(err)
		}
	}
	if len(m.table.routes) < 10000 || len(m.neighbours) < 1000 {
		b.Fatalf("%d routes, %d neighbours", len(m.table.routes), len(m.neighbours))
	}
}
