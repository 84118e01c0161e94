package bgp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestFRR has FRR for a router: one session within our AS with a password and
// both families, one by IPv6 from another AS that shows the attributes.
func TestFRR(t *testing.T) {
	if !isolated(t) {
		return
	}
	inside, outside := newNS(t), newNS(t)
	inside.join(1)
	outside.join(2)
	const conf = `
router bgp %d
 bgp router-id 10.0.0.%d
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor %s remote-as 64512
 neighbor %[3]s timers connect 1
 %[4]s
 address-family ipv4 unicast
  neighbor %[3]s activate
 exit-address-family
 address-family ipv6 unicast
  neighbor %[3]s activate
 exit-address-family
`
	in := newFRR(inside, fmt.Sprintf(conf, 64512, 1, "10.0.1.11", "neighbor 10.0.1.11 password correct"))
	out := newFRR(outside, fmt.Sprintf(conf, 64500, 2, "2001:db8:2::11", "neighbor 2001:db8:2::11 ttl-security hops 1"))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("correct\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSpeaker(t)
	a, b := peerOn(1), peerOn(2)
	a.ASN, a.PasswordFile, a.LocalPref = 64512, secret, ptr(250)
	b.Address, b.TTLSecurity, b.Prepend, b.MED = addr("2001:db8:2::1"), 1, 1, ptr(30)
	b.Communities = []Community{{Large: true, Parts: [3]uint32{4200000000, 7, 8}}, {Parts: [3]uint32{65535, 65281}}}
	b.NextHop4 = addr("10.0.2.11")
	configure(t, s, settings(a, b))
	announce(t, s, Route{Prefix: prefix(vip4), MED: ptr(20), LocalPref: ptr(99)}, Route{Prefix: prefix(vip6)})
	waitUp(t, s)
	for prefix, ways := range map[string][2]string{vip4: {"10.0.1.11", "10.0.2.11"}, vip6: {"2001:db8:1::11", "2001:db8:2::11"}} {
		eventually(t, 5*time.Second, prefix+" in both kernels", func() bool {
			one, two := inside.kernel(prefix), outside.kernel(prefix)
			return len(one) == 1 && one[0] == ways[0] && len(two) == 1 && (two[0] == ways[1] || prefix == vip6)
		})
		r := in.routes(prefix)
		if len(r) != 1 || r[0].LocalPref == nil || *r[0].LocalPref != 250 || r[0].ASPath.String != "Local" {
			t.Errorf("%s within the AS: %+v", prefix, r)
		}
		if prefix == vip4 && (r[0].MED == nil || *r[0].MED != 20 || r[0].Nexthops[0].IP != ways[0]) {
			t.Errorf("%s within the AS: %+v", prefix, r[0])
		}
		r = out.routes(prefix)
		if len(r) != 1 || r[0].MED == nil || *r[0].MED != 30 || r[0].ASPath.String != "64512 64512" || r[0].LocalPref != nil && *r[0].LocalPref != 100 ||
			r[0].Large.String != "4200000000:7:8" || r[0].Community.String != "no-export" || r[0].Nexthops[0].IP != ways[1] {
			t.Errorf("%s from another AS: %+v", prefix, r)
		}
	}
	announce(t, s)
	eventually(t, 5*time.Second, "withdrawn", func() bool {
		return len(inside.kernel(vip4))+len(outside.kernel(vip6)) == 0
	})
}

// TestECMP has two nodes announce to one router, which spreads over both until
// one of them is killed.
func TestECMP(t *testing.T) {
	if !isolated(t) {
		return
	}
	router, second := newNS(t), newNS(t)
	router.join(1)
	run(t, "ip", "link", "add", "n2", "netns", router.name, "type", "veth", "peer", "name", "n2", "netns", second.name)
	for host, n := range map[int]ns{1: router, 11: second} {
		n.ip("addr add 10.0.2.%d/24 dev n2", host)
		n.ip("addr add 2001:db8:2::%d/64 dev n2 nodad", host)
		n.ip("link set n2 up")
	}
	newBird(router, birdNode+`protocol bgp n2 from node { neighbor 10.0.2.11 as 64512; }`)
	s := newSpeaker(t)
	announce(t, s, routes(vip4, vip6)...)
	configure(t, s, settings(peerOn(1)))
	other := settings(peerOn(2))
	other.RouterID, other.Source4, other.Source6 = addr("10.0.0.12"), addr("10.0.2.11"), addr("2001:db8:2::11")
	process := second.speaker(node{other, routes(vip4, vip6)})
	waitUp(t, s)
	both := func(prefix string, ways ...string) func() bool {
		return func() bool {
			got := router.kernel(prefix)
			slices.Sort(got)
			return slices.Equal(got, ways)
		}
	}
	eventually(t, 10*time.Second, "both nodes for IPv4", both(vip4, "10.0.1.11", "10.0.2.11"))
	eventually(t, 10*time.Second, "both nodes for IPv6", both(vip6, "2001:db8:1::11", "2001:db8:2::11"))
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, 5*time.Second, "one node", both(vip4, "10.0.1.11"))
	eventually(t, 5*time.Second, "one node for IPv6", both(vip6, "2001:db8:1::11"))
	t.Logf("kill -9: out of the router's kernel after %v", took)
}
