package plan

import (
	"cmp"
	"net/netip"
	"slices"
)

// MaxWays is how many ways lead to one destination at most. More would cost
// memory that the cores' caches want, and 64 split any two next hops within
// 1 % of their weights.
const MaxWays = 64

// A way is one tunnel to a destination: from a source, by a next hop.
type way struct {
	source netip.Addr
	hop    NextHop
}

// spread returns the ways to a destination, each to have the same share of
// flows: every source by every next hop, as often as its weight says. Where that
// is more than MaxWays, it is MaxWays, of which each next hop has its share but
// for rounding, and sources take turns. Sources are spread evenly in any case,
// within one way.
func spread(sources []netip.Addr, hops []NextHop) []way {
	if len(sources) == 0 || len(hops) == 0 {
		return nil
	}
	weights := make([]int, len(hops))
	divisor := 0
	for i, h := range hops {
		weights[i] = h.Weight
		divisor = gcd(divisor, h.Weight)
	}
	total := 0
	for _, w := range weights {
		total += w / divisor * len(sources)
	}
	ways := make([]way, 0, min(total, MaxWays))
	for i, n := range apportion(weights, cap(ways)) {
		for range n {
			ways = append(ways, way{sources[len(ways)%len(sources)], hops[i]})
		}
	}
	return ways
}

// apportion shares out seats by weight with the method of the largest
// remainder; of equal remainders the first goes first. Where the seats are a
// multiple of the sum of the weights, nothing is rounded.
func apportion(weights []int, seats int) []int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	counts, order := make([]int, len(weights)), make([]int, len(weights))
	left := seats
	for i, w := range weights {
		counts[i], order[i] = w*seats/sum, i
		left -= counts[i]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(weights[b]*seats%sum, weights[a]*seats%sum)
	})
	for _, i := range order[:left] {
		counts[i]++
	}
	return counts
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
