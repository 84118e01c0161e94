package main

import (
	"fmt"
	"slices"

	"guideway/maglev"
	"guideway/test/plot"
)

// The paper's tables: 1000 backends on 65537 and 655373 slots (section 5.3).
const (
	backends = 1000
	small    = 65537
	large    = 655373
)

// A spread is how evenly a method shares a table out, over some seeds.
type spread struct {
	method string
	least  float64 // slots of the backend that has fewest, in percent of the table; mean over seeds
	most   float64 // of the one that has most
	apart  int     // slots between these two, at worst
	over   sample  // by how much the one with most is above the mean, in percent: what has to be provided beyond the need
}

// seeded are the methods that share a table out at random.
var seeded = []func(seed int) method{
	maglevMethod,
	func(seed int) method { return karger(uint64(seed), backends) },
	func(seed int) method { return rendezvous(uint64(seed)) },
}

// balance fills tables by a method with so many seeds.
func balance(m func(seed int) method, size, seeds int) spread {
	least, most, over, apart := make([]float64, seeds), make([]float64, seeds), make([]float64, seeds), make([]int, seeds)
	parallel(seeds, func(seed int) {
		shares := make([]int, backends)
		for _, b := range m(seed).fill(all(backends), size) {
			shares[b]++
		}
		l, h := slices.Min(shares), slices.Max(shares)
		least[seed], most[seed] = 100*float64(l)/float64(size), 100*float64(h)/float64(size)
		over[seed], apart[seed] = most[seed]*backends-100, h-l
	})
	return spread{m(0).name, summary(least).mean, summary(most).mean, slices.Max(apart), summary(over)}
}

// single are the paper's figures for over-provisioning, in percent: one draw
// each.
var single = map[int]map[string]string{
	small: {"Maglev": "within a slot", "Karger": "29.7 %", "rendezvous": "49.5 %"},
	large: {"Maglev": "within a slot", "Karger": "10.3 %", "rendezvous": "12.3 %"},
}

// showBalance is claim 2: figure 11 of the paper.
func showBalance(r *report) {
	figure := &plot.Bars{Title: "Shares of 1000 backends, from the one with fewest slots to the one with most", Y: plot.Axis{Label: "% of the table"},
		Groups: []string{"65537 slots", "655373 slots"}, Series: make([]plot.Bar, len(seeded))}
	t := r.table("balance", "slots", "method", "share of a backend, %", "above the mean, the paper", "here, mean of 20 seeds (10 of the large table)", "least to most")
	for _, size := range []int{small, large} {
		seeds := r.pick(map[int]int{small: 20, large: 10}[size], 2)
		for i, m := range seeded {
			if r.short && size == large && i > 0 {
				continue // a second each; nothing else comes of it
			}
			s := balance(m, size, seeds)
			b := &figure.Series[i]
			b.Name, b.Low, b.Values = s.method, append(b.Low, s.least), append(b.Values, s.most)
			t.add(fmt.Sprint(size), s.method, fmt.Sprintf("%.3f to %.3f", s.least, s.most), single[size][s.method],
				fmt.Sprintf("%.1f %%", s.over.mean), fmt.Sprintf("%.1f to %.1f %%", s.over.least, s.over.most))
			if s.method == "Maglev" {
				r.hold(s.apart <= 1, "Maglev: shares of %d slots are %d apart", size, s.apart)
			} else {
				r.hold(s.over.mean > 5, "%s: %.1f %% above the mean is less than chance allows", s.method, s.over.mean)
			}
		}
	}
	r.figures["balance"] = figure
	r.claim(2, "shares of 1000 backends", "0.099 to 0.101 % of 65537 slots, 0.100 % of 655373", "the same: at most one slot apart", "figure [balance](claims/balance.svg)")
}

// showWeights: shares follow weights.
func showWeights(r *report) {
	members, sum := make([]maglev.Member, backends), 0
	for b := range members {
		members[b] = maglev.Member{Addr: address(b), Weight: 1 + uint32(b%10)}
		sum += 1 + b%10
	}
	table, err := maglev.Build(members, small)
	if !r.need(err, "weights") {
		return
	}
	worst := 0.0
	for b, slots := range table.Shares() {
		want := float64(small) * float64(members[b].Weight) / float64(sum)
		worst = max(worst, float64(slots)-want, want-float64(slots))
	}
	r.hold(worst < 1, "weights: a share is off by %.2f slots", worst)
	r.claim(2, "weights 1 to 10 of 1000 backends, 65537 slots", "relative frequency of turns", fmt.Sprintf("shares at most %.2f slots from the weights'", worst), "`maglev.Build`")
}

// showGolden is claim 1: the paper's example, and the table that Build makes,
// by the paper's own pseudocode.
func showGolden(r *report) {
	example := populate([]uint64{3, 0, 3}, []uint64{4, 2, 1}, 7)
	fewer := populate([]uint64{3, 3}, []uint64{4, 1}, 7)
	r.hold(slices.Equal(example, []uint16{1, 0, 1, 0, 2, 2, 0}) && slices.Equal(fewer, []uint16{0, 0, 0, 0, 1, 1, 1}),
		"the paper's example: %v, and without B1 %v", example, fewer)
	for _, size := range []int{small, large} {
		offsets, skips := make([]uint64, backends), make([]uint64, backends)
		for b := range backends {
			offsets[b], skips[b] = permutation(b, size)
		}
		same := slices.Equal(populate(offsets, skips, size), maglevMethod(0).fill(all(backends), size))
		r.hold(same, "%d slots: not the table of the paper's pseudocode", size)
	}
	r.claim(1, "the table", "example: B1 B0 B1 B0 B2 B2 B0, without B1 B0 B0 B0 B0 B2 B2 B2", "the same; of 1000 backends every slot as by the paper's pseudocode, both sizes", "`maglev.Build` against the pseudocode")
}

// populate is the pseudocode of section 3.4.
func populate(offset, skip []uint64, size int) []uint16 {
	next, entry := make([]uint64, len(offset)), slices.Repeat([]int{-1}, size)
	slots := make([]uint16, size)
	for n := 0; ; {
		for i := range offset {
			c := (offset[i] + next[i]*skip[i]) % uint64(size)
			for entry[c] >= 0 {
				next[i]++
				c = (offset[i] + next[i]*skip[i]) % uint64(size)
			}
			entry[c], slots[c] = i, uint16(i)
			next[i]++
			if n++; n == size {
				return slots
			}
		}
	}
}

// permutation is that of a backend, as docs/maglev.md has it.
func permutation(backend, size int) (offset, skip uint64) {
	b := address(backend).As4()
	lo := 0xffff<<32 | uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	h := func(seed uint64) uint64 { return mix(mix(mix(seed)) ^ lo) } // the upper half of the name is zero
	return h(0x243f6a8885a308d3) % uint64(size), h(0x13198a2e03707344)%uint64(size-1) + 1
}
