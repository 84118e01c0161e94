package fragments

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"guideway/maglev/flow"

	"pgregory.net/rapid"
)

// fleet is n nodes, of either family, in no order.
func fleet(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		a := netip.AddrFrom4([4]byte{192, 0, byte(2 + i>>8), byte(255 - i)})
		if i%3 == 1 {
			b := [16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(i >> 8), 15: byte(i)}
			a = netip.AddrFrom16(b)
		}
		nodes[i].Addr = a
	}
	return nodes
}

func mustOwners(tb testing.TB, nodes []Node, self int) *Owners {
	tb.Helper()
	o, err := NewOwners(nodes, nodes[self].Addr)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// datagramKeys are keys of datagrams, of either family.
func datagramKeys(r *rand.Rand, n int) []flow.Key {
	keys := make([]flow.Key, n)
	for i := range keys {
		k := &keys[i]
		k.SrcLo, k.DstLo, k.Proto = uint64(r.Uint32()), 0xcb00710a+uint64(i&3), 17
		if k.IPv6 = i&4 != 0; k.IPv6 {
			k.SrcHi, k.SrcLo, k.DstHi = r.Uint64(), r.Uint64(), 0x20010db8<<32
		}
	}
	return keys
}

// ownerOf returns the address of the owner.
func ownerOf(o *Owners, k *flow.Key) netip.Addr {
	node, self := o.Owner(k)
	if self != (node == o.Self()) {
		panic("self")
	}
	return o.Nodes()[node]
}

// TestOwnersMoveOnlyWhatIsLost walks through losses and returns of nodes, in
// any order and number: with every step only datagrams of the node lost, or
// those it had before, change owners. All nodes agree, each with a list in an
// order of its own.
func TestOwnersMoveOnlyWhatIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(t, "nodes")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		nodes := fleet(n)
		keys := datagramKeys(r, 300)
		const self = 0 // lives
		var before []netip.Addr
		byDown := map[string][]netip.Addr{}
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			flip := rapid.IntRange(1, n-1).Draw(t, "node lost or back")
			if before != nil {
				nodes[flip].Down = !nodes[flip].Down
			}
			o, err := NewOwners(nodes, nodes[self].Addr)
			if err != nil {
				t.Fatal(err)
			}
			var now []netip.Addr
			for i := range keys {
				now = append(now, ownerOf(o, &keys[i]))
			}
			for i, a := range now {
				if before == nil || a == before[i] {
					continue
				}
				if x := nodes[flip].Addr; nodes[flip].Down && before[i] != x || !nodes[flip].Down && a != x {
					t.Fatalf("datagram %d moved from %s to %s when %s changed", i, before[i], a, x)
				}
			}
			for i, a := range now {
				if j := slices.IndexFunc(nodes, func(n Node) bool { return n.Addr == a }); nodes[j].Down {
					t.Fatalf("datagram %d belongs to %s, which is down", i, a)
				}
			}
			before = now

			// Another node, the list shuffled.
			other := slices.IndexFunc(nodes, func(n Node) bool { return !n.Down && n.Addr != nodes[self].Addr })
			if other < 0 {
				continue
			}
			shuffled := slices.Clone(nodes)
			r.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			o2, err := NewOwners(shuffled, nodes[other].Addr)
			if err != nil {
				t.Fatal(err)
			}
			if o2.Digest() != o.Digest() || !slices.Equal(o2.Nodes(), o.Nodes()) || o2.Nodes()[o2.Self()] != nodes[other].Addr {
				t.Fatalf("nodes %v, digest %x; on the other node %v, %x, which is %d", o.Nodes(), o.Digest(), o2.Nodes(), o2.Digest(), o2.Self())
			}
			for i := range keys {
				if a := ownerOf(o2, &keys[i]); a != now[i] {
					t.Fatalf("datagram %d: %s, says the other node %s", i, now[i], a)
				}
			}
			// What is owned depends on who is down, not on what came before.
			down := fmt.Sprint(nodes)
			if was, ok := byDown[down]; ok && !slices.Equal(was, now) {
				t.Fatal("the same nodes, but other owners")
			}
			byDown[down] = now
		}
	})
}

// Shares are even to within a slot when all nodes live; what lost nodes leave
// is spread over all others.
func TestOwnersBalance(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 100} {
		o := mustOwners(t, fleet(n), 0)
		if shares := o.Shares(); slices.Max(shares)-slices.Min(shares) > 1 {
			t.Errorf("%d nodes: shares %d..%d", n, slices.Min(shares), slices.Max(shares))
		}
	}
	for _, c := range []struct{ nodes, down int }{{3, 1}, {10, 1}, {10, 5}, {50, 10}, {10, 9}} {
		nodes := fleet(c.nodes)
		for i := range c.down {
			nodes[c.nodes-1-i].Down = true
		}
		o := mustOwners(t, nodes, 0)
		shares := o.Shares()
		even := float64(slots) / float64(c.nodes-c.down)
		living := 0
		for i, share := range shares {
			if share == 0 {
				continue
			}
			living++
			// Five standard deviations of a binomial spread are 3 % here.
			if off := float64(share)/even - 1; off < -0.1 || off > 0.1 {
				t.Errorf("%d of %d down: %s has %d slots, even were %.0f", c.down, c.nodes, o.Nodes()[i], share, even)
			}
		}
		if living != c.nodes-c.down {
			t.Errorf("%d of %d down: %d nodes own something", c.down, c.nodes, living)
		}
	}
	// And datagrams are spread as slots are.
	o := mustOwners(t, fleet(4), 0)
	var count [4]int
	keys := datagramKeys(rand.New(rand.NewPCG(1, 2)), 40000)
	for i := range keys {
		node, _ := o.Owner(&keys[i])
		count[node]++
	}
	if slices.Min(count[:]) < 9500 || slices.Max(count[:]) > 10500 {
		t.Errorf("of 40000 datagrams nodes own %d", count)
	}
}

// The owners are part of what nodes of different releases agree about.
func TestOwnersGolden(t *testing.T) {
	nodes := []Node{{Addr: netip.MustParseAddr("192.0.2.11")}, {Addr: netip.MustParseAddr("192.0.2.12")}, {Addr: netip.MustParseAddr("2001:db8::13")}}
	var got []string
	for _, lost := range []int{-1, 0, 1, 2} {
		for i := range nodes {
			nodes[i].Down = i == lost
		}
		o := mustOwners(t, nodes, (lost+1)%3)
		var owners []byte
		for id := range uint16(24) {
			k := key4(17, 99)
			if id&1 != 0 {
				k = key6(99)
			}
			k.SrcLo += uint64(id)
			node, _ := o.Owner(&k)
			owners = append(owners, '0'+byte(node))
		}
		got = append(got, string(owners))
	}
	want := []string{ // worked out by another program from docs/fragments.md
		"102112122002220122122221",
		"112112122212221122122221",
		"002002222002220222022220",
		"101111111000010110111001",
	}
	if !slices.Equal(got, want) {
		t.Errorf("owners\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOwnersOfOneNode(t *testing.T) {
	alone, err := NewOwners(nil, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	k := key4(17, 1)
	for _, o := range []*Owners{alone, mustOwners(t, fleet(1), 0)} {
		if node, self := o.Owner(&k); node != 0 || !self {
			t.Errorf("node %d, self %v", node, self)
		}
		if shares := o.Shares(); len(shares) != 1 {
			t.Errorf("shares %v", shares)
		}
	}
	if alone.other(0, 0, false) || len(alone.Nodes()) != 0 || alone.Digest() != 0 || alone.Self() != 0 {
		t.Errorf("a node on its own knows %v", alone)
	}
	// This node lives, whatever the list says.
	nodes := fleet(3)
	for i := range nodes {
		nodes[i].Down = true
	}
	o := mustOwners(t, nodes, 1)
	if node, self := o.Owner(&k); !self || o.Nodes()[node] != nodes[1].Addr {
		t.Errorf("with all others down node %d is the owner", node)
	}
}

func TestOwnersFaults(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, c := range []struct {
		nodes []Node
		self  netip.Addr
		want  string
	}{
		{[]Node{{Addr: a}, {Addr: a}}, a, "more than one member has address 192.0.2.1"},
		{[]Node{{Addr: a}}, b, "192.0.2.2, is not among them"},
		{[]Node{{Addr: a}}, netip.Addr{}, "is not among them"},
		{[]Node{{Addr: a}, {}}, a, "not an address"},
	} {
		if _, err := NewOwners(c.nodes, c.self); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, self %v: %v, want %q", c.nodes, c.self, err, c.want)
		}
	}
	// A mapped address is the address that it maps.
	nodes := []Node{{Addr: netip.MustParseAddr("::ffff:192.0.2.1")}, {Addr: b, Down: true}}
	if o, err := NewOwners(nodes, a); err != nil || o.Nodes()[o.Self()] != a {
		t.Errorf("%v, %v", o, err)
	}
}

func TestOther(t *testing.T) {
	nodes := fleet(9)
	nodes[4].Down = true
	o := mustOwners(t, nodes, 2)
	for i, n := range nodes {
		hi, lo, ipv6 := flow.Words(n.Addr)
		if got := o.other(hi, lo, ipv6); got != (i != 2) {
			t.Errorf("%s: %v", n.Addr, got)
		}
		if o.other(hi, lo+1<<20, ipv6) || o.other(hi, lo, !ipv6) || o.other(hi+1, lo, ipv6) {
			t.Errorf("%s: another is taken for it", n.Addr)
		}
	}
}
