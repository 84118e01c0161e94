package config

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBGPValues sets every key of [bgp] away from its default that TestValues
// leaves.
func TestBGPValues(t *testing.T) {
	got := parse(t, head+`
[[pool]]
name = "p"
backends = [{ address = "10.0.0.1" }]
[[vip]]
name = "v"
address = "203.0.113.10"
ports = ["any"]
pools = ["p"]
[bgp]
asn = 64512
graceful_shutdown = "0s"
graceful_restart = true
aggregate = ["203.0.113.0/24"]
[[bgp.peer]]
address = "192.0.2.1"
asn = 64500
port = 1790
local_address = "192.0.2.11"
passive = true
keepalive = "1s"
connect_retry = "2s"
multihop = 3
bfd = true
bfd_interval = "50ms"
bfd_multiplier = 5
next_hop4 = "192.0.2.99"
next_hop6 = "2001:db8::99"
med = 0
prepend = 3
communities = ["blackhole", "64512:1", "1:2:3"]
[[bgp.peer]]
address = "2001:db8::1"
asn = 64512
ttl_security = 1
local_pref = 200
`).BGP
	zero, pref := uint32(0), uint32(200)
	want := BGP{
		ASN: 64512, RouterID: addr("192.0.2.11"), GracefulRestart: true, Aggregate: []netip.Prefix{prefix("203.0.113.0/24")},
		Peers: []Peer{{
			Address: addr("192.0.2.1"), ASN: 64500, Port: 1790, LocalAddress: addr("192.0.2.11"), Passive: true,
			HoldTime: 9 * time.Second, Keepalive: time.Second, ConnectRetry: 2 * time.Second, Multihop: 3,
			BFD: true, BFDInterval: 50 * time.Millisecond, BFDMultiplier: 5, IPv4: true, IPv6: true,
			NextHop4: addr("192.0.2.99"), NextHop6: addr("2001:db8::99"), MED: &zero, Prepend: 3,
			Communities: []Community{{Parts: [3]uint32{65535, 666}}, {Parts: [3]uint32{64512, 1}}, {Large: true, Parts: [3]uint32{1, 2, 3}}},
		}, {
			Address: addr("2001:db8::1"), ASN: 64512, Port: 179, HoldTime: 9 * time.Second, Keepalive: 3 * time.Second,
			ConnectRetry: 5 * time.Second, TTLSecurity: 1, BFDInterval: 300 * time.Millisecond, BFDMultiplier: 3,
			IPv4: true, IPv6: true, LocalPref: &pref,
		}},
	}
	if diff := cmp.Diff(want, got, plainC); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestBGPFamilies: routes that would have no next hop are left out, unless they
// were asked for (which is a fault: testdata/broken/peers.toml).
func TestBGPFamilies(t *testing.T) {
	const six = `
[node]
name   = "lb1"
source = ["2001:db8::11"]
[dpdk]
lcores = [2]
[[port]]
name   = "wan"
device = "net_null0"
[bgp]
asn = 64512
router_id = "10.0.0.1"
[[bgp.peer]]
address = "2001:db8::1"
asn = 64500
`
	for add, want := range map[string]Peer{
		"":                           {IPv6: true},
		`next_hop4 = "192.0.2.11"`:   {IPv4: true, IPv6: true, NextHop4: addr("192.0.2.11")},
		`families = ["ipv6"]`:        {IPv6: true},
		`next_hop6 = "2001:db8::12"`: {IPv6: true, NextHop6: addr("2001:db8::12")},
	} {
		p := parse(t, six+add).BGP.Peers[0]
		got := Peer{IPv4: p.IPv4, IPv6: p.IPv6, NextHop4: p.NextHop4, NextHop6: p.NextHop6}
		if diff := cmp.Diff(want, got, plainC); diff != "" {
			t.Errorf("%s (-want +got)\n%s", add, diff)
		}
	}
}
