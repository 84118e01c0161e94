package maglev

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// Figure 12 of the paper: remove some of 1000 members at random, and count the
// slots that change hands among those the removed did not own, in percent of
// the table.
func TestDisruption(t *testing.T) {
	removed := []int{1, 5, 10, 15, 20, 25, 29}
	for _, c := range []struct {
		size      int
		want      []float64 // an independent run of the algorithm, mean of 200
		tolerance float64
		runs      int // fewer where a run is slow and the mean settles sooner
	}{
		{65537, []float64{0.58, 1.81, 2.34, 2.27, 2.63, 2.83, 2.76}, 0.10, 200},
		{655373, []float64{0.33, 0.47, 0.58, 0.63, 0.70, 0.75, 0.79}, 0.05, 24},
	} {
		for i, k := range removed {
			mean, sigma := disruption(t, 1000, k, c.size, c.runs/raceScale)
			t.Logf("%d slots, %.1f %% removed: %.3f %% of slots moved, standard error %.3f (want %.2f)", c.size, float64(k)/10, mean, sigma, c.want[i])
			if math.Abs(mean-c.want[i]) > c.tolerance {
				t.Errorf("%d slots, %d of 1000 removed: %.3f %% of slots moved, want %.2f +- %.2f", c.size, k, mean, c.want[i], c.tolerance)
			}
			if sigma > c.tolerance/2 {
				t.Errorf("%d slots, %d of 1000 removed: a standard error of %.3f settles nothing within %.2f", c.size, k, sigma, c.tolerance)
			}
		}
	}
}

// disruption returns the mean and its standard error over runs, each of which
// removes k other members of n.
func disruption(t *testing.T, n, k, size, runs int) (mean, sigma float64) {
	members := ipv4Members(n)
	before := mustBuild(t, members, size)
	results := make([]float64, runs)
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for run := w; run < runs; run += runtime.GOMAXPROCS(0) {
				rng := rand.New(rand.NewPCG(uint64(run), uint64(k)))
				stays := make([]bool, n)
				for _, i := range rng.Perm(n)[k:] {
					stays[i] = true
				}
				results[run] = moved(before, stays)
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		mean += r / float64(runs)
	}
	for _, r := range results {
		sigma += (r - mean) * (r - mean) / float64(runs-1)
	}
	return mean, math.Sqrt(sigma / float64(runs))
}

// moved returns how many slots, in percent of the table, had a member that
// stays and yet have another when the others go.
func moved(before *Table, stays []bool) float64 {
	var rest []Member
	for i, m := range before.Members() {
		if stays[i] {
			rest = append(rest, m)
		}
	}
	after, err := Build(rest, len(before.Slots()))
	if err != nil {
		panic(err) // no subset of a table's members is refused
	}
	changed := 0
	for slot, was := range before.Slots() {
		if stays[was] && before.Members()[was] != after.Members()[after.Slots()[slot]] {
			changed++
		}
	}
	return 100 * float64(changed) / float64(len(before.Slots()))
}

// The shares of the paper's section 5.3: 1000 members, 0.099..0.101 % each of
// 65537 slots, 0.100 % each of 655373.
func TestPaperBalance(t *testing.T) {
	for _, c := range []struct{ size, least, most int }{{65537, 65, 66}, {655373, 655, 656}} {
		shares := mustBuild(t, ipv4Members(1000), c.size).Shares()
		if least, most := slices.Min(shares), slices.Max(shares); least != c.least || most != c.most {
			t.Errorf("%d slots: %d..%d each, want %d..%d", c.size, least, most, c.least, c.most)
		}
	}
}
