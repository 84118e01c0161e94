package pmd

import "testing"

func TestRSSHashes(t *testing.T) {
	const icmp, tcp, udp, sctp = 1, 6, 17, 132
	for _, c := range []struct {
		kinds         RSSKind
		proto         uint8
		ipv6          bool
		hashed, ports bool
	}{
		{0, tcp, false, false, false},
		{RSSTCP4, tcp, false, true, true},
		{RSSTCP4, tcp, true, false, false},
		{RSSTCP4, udp, false, false, false},
		{RSSTCP6, tcp, false, false, false},
		{RSSTCP6, tcp, true, true, true},
		{RSSUDP4, udp, false, true, true},
		{RSSUDP6, udp, true, true, true},
		{RSSSCTP4, sctp, false, true, true},
		{RSSSCTP6, sctp, true, true, true},
		{RSSIPv4 | RSSTCP4, udp, false, true, false},
		{RSSIPv4 | RSSTCP4, tcp, false, true, true},
		{RSSIPv4 | RSSTCP4, tcp, true, false, false},
		{RSSIPv6 | RSSUDP6, sctp, true, true, false},
		{RSSIPv4, icmp, false, true, false},
		{RSSIPv4, icmp, true, false, false},
		{^(RSSIPv4 | RSSIPv6), icmp, false, false, false},
	} {
		r := RSS{Kinds: c.kinds}
		if hashed, ports := r.Hashes(c.proto, c.ipv6); hashed != c.hashed || ports != c.ports {
			t.Errorf("kinds %08b, protocol %d, IPv6 %v: hashed %v, ports %v; want %v, %v",
				c.kinds, c.proto, c.ipv6, hashed, ports, c.hashed, c.ports)
		}
	}
}

func TestRSSQueue(t *testing.T) {
	r := RSS{Table: []uint16{3, 1, 4, 2}}
	for hash, want := range map[uint32]int{0: 3, 1: 1, 2: 4, 3: 2, 0xfffffff5: 1, 1 << 31: 3} {
		if got := r.Queue(hash); got != want {
			t.Errorf("hash %#x: queue %d, want %d", hash, got, want)
		}
	}
}
