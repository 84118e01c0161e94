package maglev

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustBuild(t testing.TB, members []Member, size int) *Table {
	t.Helper()
	table, err := Build(members, size)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// sizes are primes that put the bounds between fill's stages in many places.
var sizes = []int{2, 3, 5, 7, 61, 67, 127, 257, 509, 1021, 1031, 4093, 4099, 65537}

// drawMembers draws up to most members of both families, in no order.
func drawMembers(rt *rapid.T, most int) []Member {
	addr := rapid.Custom(func(rt *rapid.T) netip.Addr {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "bytes"))
		if rapid.Bool().Draw(rt, "ipv4") {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		return netip.AddrFrom16(b).Unmap()
	})
	addrs := rapid.SliceOfNDistinct(addr, 1, most, rapid.ID).Draw(rt, "addrs")
	heaviest := rapid.SampledFrom([]uint32{1, 2, 10, 100, MaxWeight}).Draw(rt, "heaviest")
	weights := rapid.Uint32Range(1, heaviest)
	members := make([]Member, len(addrs))
	for i, a := range addrs {
		members[i] = Member{Addr: a, Weight: weights.Draw(rt, "weight")}
	}
	return members
}

// The three stages of fill, and turnsOf, give what the paper's loop gives.
func TestTableIsTheReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom(sizes).Draw(rt, "size")
		members := drawMembers(rt, min(size, 64))
		table, err := Build(members, size)
		if err != nil {
			rt.Fatal(err)
		}
		if !slices.Equal(table.Slots(), referenceTable(table.Members(), size)) {
			rt.Fatal("differs from the paper's loop")
		}
	})
}

func TestLargeTablesAreTheReference(t *testing.T) {
	for _, size := range []int{65537, 655373} {
		for _, members := range [][]Member{
			ipv4Members(1), ipv4Members(3), ipv6Members(1000),
			weigh(ipv4Members(1000), 3, 1, 10, 7), ipv4Members(MaxMembers),
		} {
			if got := mustBuild(t, members, size); !slices.Equal(got.Slots(), referenceTable(members, size)) {
				t.Errorf("%d members, %d slots: differs from the paper's loop", len(members), size)
			}
		}
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom(sizes).Draw(rt, "size")
		members := drawMembers(rt, min(size, 64))
		before := slices.Clone(members)
		a, err := Build(members, size)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(before, members, cmpAddr); diff != "" {
			rt.Fatal("Build changed its argument: " + diff)
		}
		b, err := Build(rapid.Permutation(members).Draw(rt, "order"), size)
		if err != nil {
			rt.Fatal(err)
		}
		if !slices.Equal(a.Slots(), b.Slots()) || a.Digest() != b.Digest() || !slices.Equal(a.Members(), b.Members()) {
			rt.Fatal("another order of members gave another table")
		}
		if !slices.IsSortedFunc(a.Members(), func(x, y Member) int { return x.Addr.Compare(y.Addr) }) {
			rt.Fatal("members are not in order of address")
		}
	})
}

var cmpAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// Shares of equal members differ by at most one slot, for any number of them.
func TestSharesAreEven(t *testing.T) {
	for n := 1; n <= 251; n++ {
		shares := mustBuild(t, ipv6Members(n), 251).Shares()
		if least, most := slices.Min(shares), slices.Max(shares); most-least > 1 || len(shares) != n {
			t.Errorf("%d members of 251 slots: %d..%d slots each, %d shares", n, least, most, len(shares))
		}
	}
	for _, size := range []int{65537, 655373} {
		for range 20 {
			n := 1 + rand.IntN(MaxMembers)
			shares := mustBuild(t, ipv4Members(n), size).Shares()
			if least, most := slices.Min(shares), slices.Max(shares); most-least > 1 {
				t.Errorf("%d members of %d slots: %d..%d slots each", n, size, least, most)
			}
		}
	}
}

func TestDigestTellsTablesApart(t *testing.T) {
	seen := map[uint64]string{}
	for _, c := range []struct {
		name    string
		members []Member
		size    int
	}{
		{"two", ipv4Members(2), 101},
		{"one", ipv4Members(1), 101},
		{"larger", ipv4Members(2), 103},
		{"other address", ipv4Members(3)[1:], 101},
		{"other family", ipv6Members(2), 101},
		{"weights 1:2", weigh(ipv4Members(2), 1, 2), 101},
		{"weights 2:1", weigh(ipv4Members(2), 2, 1), 101},
		{"no slot moves", weigh(ipv4Members(2), 65534, 65535), 101},
	} {
		d := mustBuild(t, c.members, c.size).Digest()
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", c.name, other)
		}
		seen[d] = c.name
	}
	a := mustBuild(t, ipv4Members(2), 101)
	b := mustBuild(t, weigh(ipv4Members(2), 2), 101)
	if a.Digest() != b.Digest() || !slices.Equal(a.Slots(), b.Slots()) {
		t.Error("weights 2:2 are not 1:1")
	}
	slots := slices.Clone(a.Slots())
	slots[100] ^= 1
	names := []name{nameOf(a.Members()[0].Addr), nameOf(a.Members()[1].Addr)}
	if digestOf(names, []uint32{1, 1}, a.Slots()) != a.Digest() || digestOf(names, []uint32{1, 1}, slots) == a.Digest() {
		t.Error("the digest does not depend on the last slot")
	}
}

func TestBuildRefuses(t *testing.T) {
	addr := netip.MustParseAddr
	one := []Member{{addr("10.0.0.1"), 1}}
	for _, c := range []struct {
		name    string
		members []Member
		size    int
		want    []string
	}{
		{"no members", nil, 7, []string{"0 members, want 1..65535"}},
		{"too many members", ipv4Members(MaxMembers + 1), 655373, []string{"65536 members, want 1..65535"}},
		{"more members than slots", ipv4Members(8), 7, []string{"8 members do not fit in 7 slots"}},
		{"size composite", one, 65536, []string{"size 65536 is not prime"}},
		{"size one", one, 1, []string{"size 1 is not prime"}},
		{"size zero", one, 0, []string{"size 0 is not prime"}},
		{"size negative", one, -7, []string{"size -7 is not prime"}},
		{"size beyond", one, 16777259, []string{"size 16777259 is above 16777216"}},
		{"weight zero", []Member{{addr("10.0.0.1"), 0}}, 7, []string{"member 0 (10.0.0.1): weight 0, want 1..65535"}},
		{"weight beyond", []Member{{addr("10.0.0.1"), 65536}}, 7, []string{"weight 65536, want 1..65535"}},
		{"address zero", []Member{{netip.Addr{}, 1}, {netip.Addr{}, 1}}, 7, []string{"member 0: address", "member 1: address"}},
		{"zone", []Member{{addr("fe80::1%eth0"), 1}}, 7, []string{`"fe80::1%eth0" is not an address without a zone`}},
		{"twice", []Member{{addr("10.0.0.1"), 1}, {addr("10.0.0.2"), 1}, {addr("10.0.0.1"), 2}}, 7, []string{"more than one member has address 10.0.0.1"}},
		{"twice, mapped", []Member{{addr("10.0.0.1"), 1}, {addr("::ffff:10.0.0.1"), 1}}, 7, []string{"more than one member has address 10.0.0.1"}},
		{"all at once", []Member{{addr("10.0.0.1"), 1}, {addr("10.0.0.1"), 0}}, 8, []string{"size 8", "member 1 (10.0.0.1): weight 0", "more than one"}},
	} {
		table, err := Build(c.members, c.size)
		if err == nil || table != nil {
			t.Errorf("%s: table %v, error %v", c.name, table, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q, want %q in it", c.name, err, want)
			}
		}
	}
	mapped := []Member{{addr("::ffff:10.0.0.1"), 1}}
	if got := mustBuild(t, mapped, 7); got.Digest() != mustBuild(t, one, 7).Digest() || got.Members()[0] != one[0] {
		t.Error("a mapped address is not the address that it maps")
	}
}

func TestBuildAll(t *testing.T) {
	var specs []Spec
	for n := range 20 {
		specs = append(specs, Spec{Members: ipv4Members(n + 1), Size: 1021})
	}
	for _, workers := range []int{-1, 1, 3, 100} {
		tables, err := BuildAll(specs, workers)
		if err != nil {
			t.Fatal(err)
		}
		for i, table := range tables {
			if table.Digest() != mustBuild(t, specs[i].Members, specs[i].Size).Digest() {
				t.Errorf("%d workers: table %d is another", workers, i)
			}
		}
	}
	specs[3].Size, specs[17].Members = 1024, nil
	tables, err := BuildAll(specs, 2)
	if tables != nil || err == nil || !strings.Contains(err.Error(), "table 3: maglev: size 1024") || !strings.Contains(err.Error(), "table 17: maglev: 0 members") {
		t.Errorf("two faulty specs: %d tables, error %v", len(tables), err)
	}
	if tables, err := BuildAll(nil, 2); len(tables) != 0 || err != nil {
		t.Errorf("no specs: %v, %v", tables, err)
	}
}
