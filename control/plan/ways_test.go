package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sourcesOf(n int) (all []netip.Addr) {
	for i := range n {
		all = append(all, netip.AddrFrom4([4]byte{192, 0, 2, byte(128 + i)}))
	}
	return all
}

// weighted are next hops a, b, c ... by the first port, with some weights.
func weighted(weights ...int) (hops []NextHop) {
	for i, w := range weights {
		hops = append(hops, NextHop{0, mac(byte('a' + i)), w})
	}
	return hops
}

// text is "0a" for the first source by the first next hop.
func (w way) text() string {
	return fmt.Sprintf("%d%c", w.source.As4()[3]-128, w.hop.MAC[5])
}

func TestSpread(t *testing.T) {
	times := func(s string, n int) string { return strings.Repeat(s, n) }
	for _, c := range []struct {
		sources int
		weights []int
		want    string
	}{
		{0, []int{1}, ""},
		{1, nil, ""},
		{1, []int{1}, "0a"},
		{1, []int{200}, "0a"},
		{1, []int{1, 1}, "0a 0b"},
		{2, []int{1}, "0a 1a"},
		{2, []int{1, 1}, "0a 1a 0b 1b"},
		{2, []int{2, 1}, "0a 1a 0a 1a 0b 1b"},
		{2, []int{20, 30}, "0a 1a 0a 1a 0b 1b 0b 1b 0b 1b"},
		{1, []int{63, 1}, times("0a ", 63) + "0b"},
		{1, []int{64, 1}, times("0a ", 63) + "0b"},              // 63.01 and 0.98 of 64
		{1, []int{256, 1}, times("0a ", 64)},                    // 63.75 and 0.25
		{1, []int{33, 32}, times("0a ", 32) + times("0b ", 32)}, // 32.49 and 31.51
		{1, []int{100, 100, 101}, times("0a ", 21) + times("0b ", 21) + times("0c ", 22)},                   // 21.26, 21.26, 21.47
		{1, []int{10, 10, 10, 211}, times("0a ", 3) + times("0b ", 3) + times("0c ", 2) + times("0d ", 56)}, // thrice 2.66, and 56.03
		{32, []int{1, 1}, ""},
	} {
		if c.sources == 32 { // each source by each next hop, at the limit
			var want []string
			for _, hop := range "ab" {
				for i := range 32 {
					want = append(want, fmt.Sprintf("%d%c", i, hop))
				}
			}
			c.want = strings.Join(want, " ")
		}
		var got []string
		for _, w := range spread(sourcesOf(c.sources), weighted(c.weights...)) {
			got = append(got, w.text())
		}
		if got := strings.Join(got, " "); got != strings.TrimSpace(c.want) {
			t.Errorf("%d sources, weights %v: %s\nwant %s", c.sources, c.weights, got, c.want)
		}
	}
}

// Whatever the numbers: at most MaxWays, each next hop within one way of its
// share, each source within one way of even, and all exact where they fit.
func TestSpreadIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sources := rapid.IntRange(1, 64).Draw(t, "sources")
		weights := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 4), rapid.IntRange(1, 256)), 1, 80).Draw(t, "weights")
		ways := spread(sourcesOf(sources), weighted(weights...))
		sum := 0
		for _, w := range weights {
			sum += w
		}
		if len(ways) == 0 || len(ways) > MaxWays || len(ways) < min(sources, MaxWays) {
			t.Fatalf("%d ways", len(ways))
		}
		byHop, bySource, pairs := map[[6]byte]int{}, map[netip.Addr]int{}, map[way]int{}
		for _, w := range ways {
			byHop[w.hop.MAC]++
			bySource[w.source]++
			pairs[w]++
		}
		exact := len(ways) < MaxWays
		for i, w := range weights {
			got, share := byHop[mac(byte('a'+i))], w*len(ways)
			if d := got*sum - share; d >= sum || d <= -sum || exact && d != 0 {
				t.Fatalf("next hop %d of weight %d of %d has %d of %d ways", i, w, sum, got, len(ways))
			}
		}
		for _, s := range sourcesOf(sources) {
			if n := bySource[s]; n != len(ways)/sources && (exact || n != len(ways)/sources+1) {
				t.Fatalf("source %v has %d of %d ways", s, n, len(ways))
			}
		}
		if exact {
			for pair, n := range pairs {
				if n*sources*sum != pair.hop.Weight*len(ways) {
					t.Fatalf("%v is there %d times of %d", pair, n, len(ways))
				}
			}
		}
		if again := spread(sourcesOf(sources), weighted(weights...)); !slices.Equal(again, ways) {
			t.Fatal("another time, other ways")
		}
	})
}
