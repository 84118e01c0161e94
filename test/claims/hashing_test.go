package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Karger's ring, looked through point by point.
func TestKarger(t *testing.T) {
	const seed, n, size = 5, 7, 1009
	serves := []bool{true, true, false, true, false, true, true}
	got := karger(seed, n).fill(serves, size)
	for i := range size {
		at := place(i, size)
		var next, first point // at or behind the slot, and of all
		for b := range n {
			for v := range views {
				p := point(hash(seed, uint64(b), uint64(v))&^0xffff | uint64(b))
				if !serves[b] {
					continue
				}
				if p >= at && (next == 0 || p < next) {
					next = p
				}
				if first == 0 || p < first {
					first = p
				}
			}
		}
		if next == 0 {
			next = first
		}
		if got[i] != next.backend() {
			t.Fatalf("slot %d has backend %d, want %d", i, got[i], next.backend())
		}
	}
}

// Of methods that move nothing without need: who goes loses its slots and
// nobody else does, who comes takes slots and nobody else does; and nobody who
// does not serve has any.
func TestMinimalDisruption(t *testing.T) {
	const n, size = 40, 4099
	for _, m := range []method{karger(3, n), rendezvous(3)} {
		random := rand.New(rand.NewPCG(1, 2))
		before := all(n)
		for range 20 {
			after := without(n, random.IntN(n-1), random)
			a, b := m.fill(before, size), m.fill(after, size)
			for i := range size {
				if !after[b[i]] {
					t.Fatalf("%s: slot %d has a backend that does not serve", m.name, i)
				}
				if a[i] != b[i] && after[a[i]] && before[b[i]] {
					t.Fatalf("%s: slot %d goes from %d to %d, which were and are both there", m.name, i, a[i], b[i])
				}
			}
			before = after
		}
	}
}

// Shares are even, as far as chance goes: 100 slots each, standard deviation 10
// (Karger: 3 % of uneven ring more).
func TestSharesAreEven(t *testing.T) {
	const n, size = 100, 10007
	for _, m := range []method{maglevMethod(0), karger(3, n), rendezvous(3), modulo()} {
		shares := make([]int, n)
		for _, b := range m.fill(all(n), size) {
			shares[b]++
		}
		if least, most := slices.Min(shares), slices.Max(shares); least < 50 || most > 150 {
			t.Errorf("%s: %d to %d slots", m.name, least, most)
		}
	}
}

func TestSummary(t *testing.T) {
	s := summary([]float64{1, 2, 3, 6})
	if s.mean != 3 || s.least != 1 || s.most != 6 || s.sigma < 1.0801 || s.sigma > 1.0802 {
		t.Errorf("%+v", s)
	}
}

// The routers: all nodes alike, nobody at one that is away; resilient moves
// only who was there.
func TestRouters(t *testing.T) {
	every, fewer := all(8), all(8)
	fewer[3] = false
	const connections = 8000
	for name, route := range map[string]router{"plain": plain, "resilient": resilient} {
		at, moved := make([]int, 8), 0
		for c := range connections {
			before, after := route(c, every), route(c, fewer)
			at[before]++
			if !fewer[after] {
				t.Fatalf("%s: connection %d is sent to a node that is away", name, c)
			}
			if before != after {
				moved++
				if name == "resilient" && before != 3 {
					t.Fatalf("connection %d moves from %d, which stays", c, before)
				}
			}
		}
		if slices.Min(at) < 850 || slices.Max(at) > 1150 {
			t.Errorf("%s: connections by node %v", name, at)
		}
		if want := map[string]int{"plain": connections * 7 / 8, "resilient": connections / 8}[name]; moved < want-150 || moved > want+150 {
			t.Errorf("%s: %d connections move, want about %d", name, moved, want)
		}
	}
}
