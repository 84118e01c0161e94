package maglev

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// The example of the paper's table 1 and figure 11.
func TestPaperExample(t *testing.T) {
	offsets, skips := []uint32{3, 0, 3}, []uint32{4, 2, 1}
	before := []uint16{1, 0, 1, 0, 2, 2, 0}
	if got := fillBy(offsets, skips, []uint32{1, 1, 1}, 7); !slices.Equal(got, before) {
		t.Errorf("B0 B1 B2: %v, want %v", got, before)
	}
	// Without B1, the second ordinal is B2.
	after := []uint16{0, 0, 0, 0, 1, 1, 1}
	if got := fillBy([]uint32{3, 3}, []uint32{4, 1}, []uint32{1, 1}, 7); !slices.Equal(got, after) {
		t.Errorf("B0 B2: %v, want %v", got, after)
	}
}

// The vectors of docs/maglev.md, for those who implement the hash elsewhere.
func TestHashVectors(t *testing.T) {
	for _, v := range []struct {
		addr           string
		h1, h2         uint64
		offset, skip   uint32 // at 65537 slots
		offset7, skip7 uint32 // at 7 slots
	}{
		{"10.0.0.1", 0x8629a91a14d5cb3c, 0xffbbbcbf8eabf54d, 55640, 62798, 6, 2},
		{"192.0.2.255", 0x1ddef777f49cb1bb, 0xad9c352d19255a17, 38584, 23064, 1, 6},
		{"2001:db8::1", 0xf83205099bbcd7f6, 0xdd638e6cdc38c0cd, 18706, 49358, 2, 2},
		{"2001:db8:1:2:3:4:5:6", 0x9ea862b8258b9187, 0x73f4d5275d3a4b17, 12300, 19224, 4, 6},
	} {
		n := nameOf(netip.MustParseAddr(v.addr))
		if h1, h2 := n.hash(seedOffset), n.hash(seedSkip); h1 != v.h1 || h2 != v.h2 {
			t.Errorf("%s: h1 %#016x h2 %#016x, want %#016x %#016x", v.addr, h1, h2, v.h1, v.h2)
		}
		if got, want := permute(n, 65537), newPermutation(v.offset, v.skip, 65537); got != want {
			t.Errorf("%s: permutation of 65537 %+v, want %+v", v.addr, got, want)
		}
		if got, want := permute(n, 7), newPermutation(v.offset7, v.skip7, 7); got != want {
			t.Errorf("%s: permutation of 7 %+v, want %+v", v.addr, got, want)
		}
	}
}

// A digest that changes here moves the connections of every fleet that is
// upgraded node by node.
func TestGoldenDigests(t *testing.T) {
	mixed := append(ipv4Members(10), ipv6Members(10)...)
	for _, g := range []struct {
		name    string
		members []Member
		size    int
		digest  uint64
	}{
		{"ipv4", ipv4Members(1), 7, 0xe685f64036a07f48},
		{"ipv4", ipv4Members(3), 65537, 0x7dcb81cb82ed8ea2},
		{"ipv4", ipv4Members(1000), 65537, 0x6a8a093cc6499777},
		{"ipv4", ipv4Members(1000), 655373, 0xdbb6520712ee222e},
		{"ipv6", ipv6Members(3), 65537, 0x81744cc96d446b4e},
		{"ipv6", ipv6Members(1000), 65537, 0x51e93bca09445247},
		{"ipv4 and ipv6", mixed, 65537, 0x439c530eaaf82518},
		{"weights 1,10", weigh(ipv4Members(100), 1, 10), 65537, 0xf3f53861bc303383},
		{"weights 1,65535", weigh(ipv6Members(2), 1, 65535), 65537, 0x3866fb9c31203083},
	} {
		t.Run(fmt.Sprintf("%d %s, %d slots", len(g.members), g.name, g.size), func(t *testing.T) {
			if got := mustBuild(t, g.members, g.size).Digest(); got != g.digest {
				t.Errorf("digest %#016x, want %#016x", got, g.digest)
			}
		})
	}
}

func TestGoldenSlots(t *testing.T) {
	table := mustBuild(t, weigh(ipv4Members(3), 1, 2, 3), 13)
	want := []uint16{2, 0, 1, 1, 1, 2, 1, 1, 2, 2, 0, 2, 2}
	if !slices.Equal(table.Slots(), want) {
		t.Errorf("slots %v, want %v", table.Slots(), want)
	}
}
