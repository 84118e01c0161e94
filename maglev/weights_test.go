package maglev

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Shares of members are as their weights, within what the number of slots
// allows.
func TestWeightedShares(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights []uint32
		n, size int
	}{
		{"1:10 of two", []uint32{1, 10}, 2, 65537},
		{"10:1 of two", []uint32{10, 1}, 2, 65537},
		{"1:10 of a hundred", []uint32{1, 10}, 100, 65537},
		{"1:10 of a thousand", []uint32{1, 10}, 1000, 655373},
		{"1:2:3:4:5:6:7", []uint32{1, 2, 3, 4, 5, 6, 7}, 7, 65537},
		{"8191:8209", []uint32{8191, 8209}, 2, 65537},
		{"100:101", []uint32{100, 101}, 50, 65537},
	} {
		members := weigh(ipv4Members(c.n), c.weights...)
		total := 0
		for _, m := range members {
			total += int(m.Weight)
		}
		for i, share := range mustBuild(t, members, c.size).Shares() {
			due := float64(c.size) * float64(members[i].Weight) / float64(total)
			if off := math.Abs(float64(share)/due - 1); off > 0.01 {
				t.Errorf("%s: member %d of weight %d has %d slots, due %.1f: off by %.2f %%", c.name, i, members[i].Weight, share, due, 100*off)
			}
		}
	}
}

// However light, a member has a slot; however heavy, no more than is left.
func TestExtremeWeights(t *testing.T) {
	for _, c := range []struct {
		weights []uint32
		size    int
		want    []int
	}{
		{[]uint32{1, MaxWeight}, 65537, []int{1, 65536}},
		{[]uint32{1, MaxWeight}, 655373, []int{10, 655363}},
		{[]uint32{1, MaxWeight}, 101, []int{1, 100}},
		{[]uint32{1, 1, 1, MaxWeight}, 7, []int{1, 1, 1, 4}},
		{[]uint32{1, 2, 3, 4, 5, 6, MaxWeight}, 7, []int{1, 1, 1, 1, 1, 1, 1}},
		{[]uint32{MaxWeight, MaxWeight - 1}, 65537, []int{32769, 32768}},
	} {
		if got := mustBuild(t, weigh(ipv4Members(len(c.weights)), c.weights...), c.size).Shares(); !slices.Equal(got, c.want) {
			t.Errorf("weights %v, %d slots: shares %v, want %v", c.weights, c.size, got, c.want)
		}
	}
}

// After R rounds a member has had the turns that R*w/W rounds to, and at least
// one; the last round may be cut short.
func TestTurnsAreInProportion(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint32Range(1, MaxWeight), 1, 50).Draw(rt, "weights")
		size := rapid.IntRange(len(weights), 5000).Draw(rt, "size")
		turns := turnsOf(weights, size)
		for len(turns) < size { // one round of equal weights
			turns = append(turns, turns[:min(len(weights), size-len(turns))]...)
		}
		if len(turns) != size {
			rt.Fatalf("%d turns, want %d", len(turns), size)
		}
		had := make([]int, len(weights))
		for _, i := range turns {
			had[i]++
		}
		heaviest := slices.Max(weights)
		rounds := had[slices.Index(weights, heaviest)]
		for i, w := range weights {
			due := float64(rounds) * float64(w) / float64(heaviest)
			if had[i] < 1 || math.Abs(float64(had[i])-due) > 1.5 && had[i] > 1 {
				rt.Fatalf("weight %d has %d turns in %d rounds, due %.2f", w, had[i], rounds, due)
			}
		}
	})
}

func TestReduce(t *testing.T) {
	for _, c := range []struct{ in, want []uint32 }{
		{[]uint32{2, 2}, []uint32{1, 1}},
		{[]uint32{50, 100, 75}, []uint32{2, 4, 3}},
		{[]uint32{3, 5}, []uint32{3, 5}},
		{[]uint32{65535}, []uint32{1}},
	} {
		got := slices.Clone(c.in)
		if reduce(got); !slices.Equal(got, c.want) {
			t.Errorf("%v reduced is %v, want %v", c.in, got, c.want)
		}
	}
}
