package plan

import (
	"net/netip"
	"slices"
	"testing"

	"guideway/control/config"
)

// mac is a station's address that ends in a number.
func mac(n byte) [6]byte { return [6]byte{2, 0, 0, 0, 1, n} }

// fixed and learning are ports in some subnets; next hops that are fixed end in
// fe.
func fixed(subnets ...string) config.Port {
	p := learning(subnets...)
	p.HasNextHop, p.NextHopMAC = true, mac(0xfe)
	return p
}

func learning(subnets ...string) (p config.Port) {
	for _, s := range subnets {
		p.Addresses = append(p.Addresses, netip.MustParsePrefix(s))
	}
	return p
}

func TestEgress(t *testing.T) {
	wan, rack, lan := fixed("192.0.2.11/24", "2001:db8::11/64"), fixed("10.1.0.11/16"), learning("10.1.2.11/24")
	hop := func(port int, n byte, weight int) NextHop { return NextHop{port, mac(n), weight} }
	for _, c := range []struct {
		name   string
		ports  []config.Port
		dst    string
		learnt []NextHop
		want   []NextHop
	}{
		{"the only fixed port", []config.Port{wan}, "10.0.0.1", nil, []NextHop{hop(0, 0xfe, 1)}},
		{"the longest subnet", []config.Port{wan, fixed("10.0.0.1/8"), rack}, "10.1.2.3", nil, []NextHop{hop(2, 0xfe, 1)}},
		{"the longest subnet of a port with several", []config.Port{fixed("10.1.0.1/16"), fixed("192.0.2.11/24", "10.1.2.1/24", "10.0.0.1/8")}, "10.1.2.3", nil, []NextHop{hop(1, 0xfe, 1)}},
		{"a subnet over the first", []config.Port{wan, rack}, "10.1.255.255", nil, []NextHop{hop(1, 0xfe, 1)}},
		{"no subnet: the first", []config.Port{lan, wan, rack}, "10.2.0.0", nil, []NextHop{hop(1, 0xfe, 1)}},
		{"of two of one length the first", []config.Port{fixed("10.1.0.1/16"), rack}, "10.1.0.2", nil, []NextHop{hop(0, 0xfe, 1)}},
		{"another family's subnet", []config.Port{fixed("::/0"), wan}, "10.0.0.1", nil, []NextHop{hop(0, 0xfe, 1)}},
		{"IPv6", []config.Port{rack, wan}, "2001:db8::1", nil, []NextHop{hop(1, 0xfe, 1)}},

		{"a learnt route before the first fixed", []config.Port{wan, lan}, "10.2.0.1", []NextHop{hop(1, 1, 1)}, []NextHop{hop(1, 1, 1)}},
		{"a fixed subnet before a learnt route", []config.Port{rack, lan}, "10.1.3.1", []NextHop{hop(1, 1, 1)}, []NextHop{hop(0, 0xfe, 1)}},
		{"a longer subnet that learns before a fixed one", []config.Port{rack, lan}, "10.1.2.1", []NextHop{hop(1, 1, 1)}, []NextHop{hop(1, 1, 1)}},
		{"the same, in the other order", []config.Port{lan, rack}, "10.1.2.1", []NextHop{hop(0, 1, 1)}, []NextHop{hop(0, 1, 1)}},
		{"of one length the fixed", []config.Port{learning("10.1.0.12/16"), rack}, "10.1.2.1", []NextHop{hop(0, 1, 1)}, []NextHop{hop(1, 0xfe, 1)}},
		{"a longer subnet that learns, nothing learnt", []config.Port{wan, rack, lan}, "10.1.2.1", nil, []NextHop{hop(1, 0xfe, 1)}},
		{"a shorter subnet that learns", []config.Port{fixed("10.1.2.1/24"), learning("10.1.0.1/16")}, "10.1.2.9", []NextHop{hop(1, 1, 1)}, []NextHop{hop(0, 0xfe, 1)}},

		{"only ports that learn", []config.Port{lan, lan}, "10.2.0.1", []NextHop{hop(1, 1, 1)}, []NextHop{hop(1, 1, 1)}},
		{"only ports that learn, nothing learnt", []config.Port{lan}, "10.2.0.1", nil, nil},
		{"no port at all", nil, "10.2.0.1", nil, nil},

		{"in order of port, then address", []config.Port{lan, lan}, "10.2.0.1",
			[]NextHop{hop(1, 2, 1), hop(1, 1, 5), hop(0, 9, 2)}, []NextHop{hop(0, 9, 2), hop(1, 1, 5), hop(1, 2, 1)}},
		{"one neighbour twice has both weights", []config.Port{lan}, "10.2.0.1",
			[]NextHop{hop(0, 2, 3), hop(0, 1, 1), hop(0, 2, 4)}, []NextHop{hop(0, 1, 1), hop(0, 2, 7)}},
		{"the same address on two ports is two", []config.Port{lan, lan}, "10.2.0.1",
			[]NextHop{hop(1, 1, 1), hop(0, 1, 1)}, []NextHop{hop(0, 1, 1), hop(1, 1, 1)}},
		{"no weight is 1", []config.Port{lan}, "10.2.0.1", []NextHop{hop(0, 1, 0), hop(0, 2, -7)}, []NextHop{hop(0, 1, 1), hop(0, 2, 1)}},
		{"what has no address, and groups", []config.Port{lan}, "10.2.0.1",
			[]NextHop{{0, [6]byte{}, 1}, {0, [6]byte{0x01, 0, 0x5e}, 1}, {0, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1}, hop(0, 1, 1)}, []NextHop{hop(0, 1, 1)}},
		{"only what cannot be sent to", []config.Port{lan, wan}, "10.2.0.1", []NextHop{{0, [6]byte{3}, 1}}, []NextHop{hop(1, 0xfe, 1)}},
		{"learnt by a fixed port", []config.Port{lan, wan}, "10.2.0.1",
			[]NextHop{hop(1, 1, 2), hop(1, 2, 3), hop(0, 3, 1)}, []NextHop{hop(0, 3, 1), hop(1, 0xfe, 5)}},
	} {
		asked := 0
		learnt := func(dst netip.Addr) []NextHop {
			asked++
			if dst.String() != c.dst {
				t.Errorf("%s: asked for %v", c.name, dst)
			}
			return c.learnt
		}
		before := slices.Clone(c.learnt)
		if got := egress(c.ports, netip.MustParseAddr(c.dst), learnt); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if asked > 1 || !slices.Equal(c.learnt, before) {
			t.Errorf("%s: asked %d times, left %v of %v", c.name, asked, c.learnt, before)
		}
		if c.learnt == nil {
			if got := egress(c.ports, netip.MustParseAddr(c.dst), nil); !slices.Equal(got, c.want) {
				t.Errorf("%s, nobody to ask: %v, want %v", c.name, got, c.want)
			}
		}
	}
}
