package maglev

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Every skip leads through every slot, by ones and by fours.
func TestPermutationsAreComplete(t *testing.T) {
	const size = 61
	for skip := uint32(1); skip < size; skip++ {
		p := newPermutation(17, skip, size)
		seen := map[uint32]bool{}
		for j, at := uint32(0), p.next; j < size; j, at = j+1, step(at, p.back, size) {
			if want := (17 + j*skip) % size; at != want {
				t.Fatalf("skip %d, step %d: slot %d, want %d", skip, j, at, want)
			}
			seen[at] = true
		}
		if len(seen) != size {
			t.Errorf("skip %d: %d slots of %d", skip, len(seen), size)
		}
		if got, want := stride(p.back, size), (size*2-2*skip)%size; got != want {
			t.Errorf("skip %d: two steps go back by %d, want %d", skip, got, want)
		}
	}
}

// gauge orders slots as the walk does, up to the largest size.
func TestGauge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := uint32(rapid.SampledFrom([]int{2, 3, 61, 65537, 655373, 16777213}).Draw(rt, "size"))
		p := newPermutation(
			rapid.Uint32Range(0, size-1).Draw(rt, "offset"),
			rapid.Uint32Range(1, size-1).Draw(rt, "skip"), size)
		skip := size - p.back
		if inv := inverse(skip, size); uint64(inv)*uint64(skip)%uint64(size) != 1 {
			rt.Fatalf("inverse of %d modulo %d is not %d", skip, size, inv)
		}
		steps := rapid.Uint32Range(0, size-1)
		i, j := steps.Draw(rt, "i"), steps.Draw(rt, "j")
		way := func(steps uint32) uint64 {
			s := (uint64(p.next) + uint64(steps)*uint64(skip)) % uint64(size)
			return (s - uint64(p.next)) * p.gauge(size)
		}
		if (i < j) != (way(i) < way(j)) {
			rt.Fatalf("%d and %d steps away: gauged %#x and %#x", i, j, way(i), way(j))
		}
	})
}

func TestPrimes(t *testing.T) {
	sieve := make([]bool, 10000) // true: composite
	for i := 2; i < len(sieve); i++ {
		if IsPrime(i) == sieve[i] {
			t.Errorf("IsPrime(%d) = %t", i, sieve[i])
		}
		for j := i * i; j < len(sieve); j += i {
			sieve[j] = true
		}
	}
	for _, n := range []int{math.MinInt, -7, 0, 1, 561, 25326001, 3215031751, 65536, 655371} {
		if IsPrime(n) {
			t.Errorf("%d is no prime", n)
		}
	}
	for _, c := range []struct{ n, below, above int }{
		{65536, 65521, 65537}, {65537, 65537, 65537}, {655370, 655357, 655373},
		{2, 2, 2}, {1, 0, 2}, {0, 0, 2}, {-5, 0, 2}, {8, 7, 11},
		{math.MaxInt, math.MaxInt - 24, 0},
	} {
		if below, above := NearestPrimes(c.n); below != c.below || above != c.above {
			t.Errorf("NearestPrimes(%d) = %d, %d, want %d, %d", c.n, below, above, c.below, c.above)
		}
	}
	if below, _ := NearestPrimes(MaxSize); below != 16777213 {
		t.Errorf("the largest size is %d", below)
	}
}
