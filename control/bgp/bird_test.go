package bgp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// birdNode is a BIRD's session with the node on link 1.
const birdNode = `
protocol bgp n1 from node { neighbor 10.0.1.11 as 64512; }
`

// birdNodeWith is one with a password.
func birdNodeWith(password string) string {
	return strings.Replace(birdNode, "}", `password "`+password+`"; }`, 1)
}

// TestAttributes sends routes of both families over one session by IPv4, and
// over one by IPv6, with all that a route and a peer may add.
func TestAttributes(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, `
protocol static { ipv4; route 0.0.0.0/0 unreachable; route 198.51.100.0/24 unreachable; }
protocol bgp n1 from node { neighbor 10.0.1.11 as 64512; ipv4 { export where source = RTS_STATIC; }; }
`)
	s := newSpeaker(t)
	p := peerOn(1)
	p.MED, p.Prepend = ptr(0), 2
	p.Communities = []Community{{Parts: [3]uint32{64512, 1}}, {Large: true, Parts: [3]uint32{4200000000, 1, 2}}}
	configure(t, s, settings(p))
	announce(t, s,
		Route{Prefix: prefix(vip4), MED: ptr(77), Communities: []Community{{Parts: [3]uint32{65535, 65281}}, {Parts: [3]uint32{64512, 100}}}},
		Route{Prefix: prefix(vip6)})
	t.Logf("up in %v", waitUp(t, s))
	eventually(t, 3*time.Second, "routes in BIRD", func() bool { return b.count() == 2 })
	want := map[string]string{
		"origin": "IGP", "as_path": "64512 64512 64512", "next_hop": "10.0.1.11", "med": "0", "local_pref": "100",
		"community": "(64512,1) (64512,100) (65535,65281)", "large_community": "(4200000000, 1, 2)",
	}
	got := b.route(vip4)
	got["community"] = sorted(got["community"])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("IPv4 (-want +got)\n%s", diff)
	}
	want["next_hop"], want["community"] = "2001:db8:1::11", "(64512,1)"
	got = b.route(vip6)
	got["next_hop"] = strings.Fields(got["next_hop"])[0]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("IPv6 (-want +got)\n%s", diff)
	}
	for prefix, way := range map[string]string{vip4: "10.0.1.11", vip6: "2001:db8:1::11"} {
		eventually(t, 3*time.Second, prefix+" in the router's kernel", func() bool {
			ways := router.kernel(prefix)
			return len(ways) == 1 && ways[0] == way
		})
	}

	// What the router sends goes nowhere.
	eventually(t, 3*time.Second, "the router's routes refused", func() bool { return peerStatus(t, s, p.Address).Refused == 2 })
	if out := ownIP(t)("route show default") + ownIP(t)("route show 198.51.100.0/24"); out != "" {
		t.Errorf("learnt into the kernel: %s", out)
	}
	st := s.Status()
	if len(st.Announced) != 2 || st.Peers[0].Sent != 2 || st.Peers[0].Wanted != 2 || len(st.Listening) != 0 || !st.Peers[0].IPv4 || !st.Peers[0].IPv6 {
		t.Errorf("status: %+v", st)
	}
	if open := sockets(t); len(open) > 0 {
		t.Errorf("sockets that listen: %v", open)
	}
}

// sorted puts the words of a line in order.
func sorted(line string) string {
	words := strings.Fields(line)
	for i := range words {
		for j := i; j > 0 && words[j] < words[j-1]; j-- {
			words[j], words[j-1] = words[j-1], words[j]
		}
	}
	return strings.Join(words, " ")
}

// sockets gives those that anybody could send to, in the process's namespace.
func sockets(t testing.TB) (open []string) {
	for line := range strings.Lines(run(t, "ss", "-Hlnptu")) {
		f := strings.Fields(line)
		open = append(open, f[0]+" "+f[4])
	}
	return open
}

// TestBySix has one session by IPv6, with the IPv4 routes on it.
func TestBySix(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, `protocol bgp n1 from node { neighbor 2001:db8:1::11 as 64512; }`)
	s := newSpeaker(t)
	p := peerOn(1)
	p.Address, p.NextHop6 = addr("2001:db8:1::1"), addr("2001:db8:1::11")
	announce(t, s, routes(vip4, vip6)...)
	configure(t, s, settings(p))
	waitUp(t, s)
	eventually(t, 3*time.Second, "routes in the router's kernel", func() bool {
		return slices.Equal(router.kernel(vip4), []string{"10.0.1.11"}) && slices.Equal(router.kernel(vip6), []string{"2001:db8:1::11"})
	})
	if hop := b.route(vip4)["next_hop"]; hop != "10.0.1.11" {
		t.Errorf("next hop %s", hop)
	}
}

// TestAnnounce brings the announced routes from one set to another, with
// nothing sent for what stays.
func TestAnnounce(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, birdNode)
	s := newSpeaker(t)
	configure(t, s, settings(peerOn(1)))
	waitUp(t, s)
	const more = "203.0.113.11/32"
	took := func(do func()) time.Duration {
		began := time.Now()
		do()
		return time.Since(began)
	}
	called := took(func() { announce(t, s, routes(vip4, more, vip6)...) })
	seen := eventually(t, 3*time.Second, "three routes", func() bool { return b.count() == 3 })
	sent := b.updates("n1")
	called2 := took(func() { announce(t, s, routes(vip6, more, vip4)...) })
	time.Sleep(50 * time.Millisecond)
	if n := b.updates("n1"); n != sent {
		t.Errorf("announced the same: %d updates were sent", n-sent)
	}
	if err := s.Withdraw(ctx, []netip.Prefix{prefix(more), prefix("192.0.2.0/24")}); err != nil {
		t.Fatal(err)
	}
	gone := eventually(t, 3*time.Second, "one withdrawn", func() bool { return b.route(more) == nil && b.count() == 2 })
	r := routes(vip4, vip6)
	r[0].MED = ptr(5)
	announce(t, s, r...)
	eventually(t, 3*time.Second, "another MED", func() bool { return b.route(vip4)["med"] == "5" })
	if n := b.updates("n1"); n != sent+2 {
		t.Errorf("%d updates for a withdrawal and a change, want 2", n-sent)
	}
	announce(t, s)
	eventually(t, 3*time.Second, "all withdrawn", func() bool { return b.count() == 0 })
	t.Logf("Announce of 3 routes %v, seen in BIRD after %v (it is polled); of the same %v; withdrawn in BIRD after %v", called, seen, called2, gone)
}

// TestAggregated announces a covering prefix for the VIPs within.
func TestAggregated(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, birdNode)
	s := newSpeaker(t)
	set := settings(peerOn(1))
	set.Aggregate = []netip.Prefix{prefix("203.0.113.0/24")}
	configure(t, s, set)
	announce(t, s, routes(vip4, "203.0.113.11/32", "198.51.100.1/32")...)
	waitUp(t, s)
	has := func(prefixes ...string) func() bool {
		return func() bool {
			return b.count() == len(prefixes) && !slices.ContainsFunc(prefixes, func(p string) bool { return b.route(p) == nil })
		}
	}
	eventually(t, 3*time.Second, "the aggregate and the VIP beside it", has("203.0.113.0/24", "198.51.100.1/32"))
	announce(t, s, routes("203.0.113.11/32")...)
	eventually(t, 3*time.Second, "the aggregate for the VIP left", has("203.0.113.0/24"))
	announce(t, s)
	eventually(t, 3*time.Second, "no aggregate for nothing", has())
	announce(t, s, routes(vip4)...)
	configure(t, s, settings(peerOn(1)))
	eventually(t, 3*time.Second, "the VIP by itself", has(vip4))
}

// TestNoTransit: what one router sends, no other gets.
func TestNoTransit(t *testing.T) {
	if !isolated(t) {
		return
	}
	one, two := newNS(t), newNS(t)
	one.join(1)
	two.join(2)
	newBird(one, "protocol static { ipv4; route 198.51.100.0/24 unreachable; }"+
		strings.Replace(birdNode, "as 64512;", "as 64512; ipv4 { export where source = RTS_STATIC; };", 1))
	b := newBird(two, `router id 10.0.0.2; protocol bgp n1 from node { local as 64501; neighbor 10.0.2.11 as 64512; }`)
	s := newSpeaker(t)
	other := peerOn(2)
	other.ASN = 64501
	configure(t, s, settings(peerOn(1), other))
	waitUp(t, s)
	eventually(t, 3*time.Second, "the route refused", func() bool { return peerStatus(t, s, addr("10.0.1.1")).Refused == 1 })
	announce(t, s, routes(vip4)...)
	eventually(t, 3*time.Second, "ours at the other", func() bool { return b.route(vip4) != nil })
	if n := b.count(); n != 1 {
		t.Errorf("the other router has %d routes", n)
	}
}
