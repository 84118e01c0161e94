package control

import (
	"maps"
	"net/netip"
	"testing"

	"guideway/control/bgp"
	"guideway/control/plan"
)

// How many routers a VIP was announced to is counted by what they were sent, not
// by what is wanted.
func TestAnnouncedTo(t *testing.T) {
	prefix := netip.MustParsePrefix
	want := []plan.Route{
		{Prefix: prefix("203.0.113.10/32"), VIPs: []string{"www", "mail"}},
		{Prefix: prefix("203.0.113.99/32"), VIPs: []string{"late"}},
		{Prefix: prefix("198.51.100.7/32"), VIPs: []string{"inside"}},
		{Prefix: prefix("2001:db8::10/128"), VIPs: []string{"www6"}},
	}
	speaker := bgp.Status{
		Peers: []bgp.PeerStatus{{IPv4: true, IPv6: true}, {IPv4: true}, {}}, // the last is not up
		Announced: []bgp.Route{
			{Prefix: prefix("203.0.113.10/32")}, {Prefix: prefix("198.51.100.0/24")}, {Prefix: prefix("2001:db8::10/128")}, {Prefix: prefix("192.0.2.0/24")},
		},
	}
	got := announcedTo(want, speaker)
	if want := map[string]int{"www": 2, "mail": 2, "late": 0, "inside": 2, "www6": 1}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := announcedTo(want, bgp.Status{}); len(got) != 5 || got["www"] != 0 {
		t.Errorf("without BGP: %v", got)
	}
}
