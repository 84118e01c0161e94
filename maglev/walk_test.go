package maglev

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The walks do what those in Go do, whatever is taken.
func TestWalksAreThoseInGo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := uint32(rapid.SampledFrom([]int{61, 1021, 65537, 655373}).Draw(rt, "size"))
		slot := rapid.Uint32Range(0, size-1)
		perms := make([]permutation, rapid.IntRange(1, 300).Draw(rt, "perms"))
		for i := range perms {
			perms[i] = newPermutation(slot.Draw(rt, "offset"), rapid.Uint32Range(1, size-1).Draw(rt, "skip"), size)
		}
		members := rapid.SliceOfN(rapid.Uint16Range(0, uint16(len(perms)-1)), 0, min(batch, int(size)/2)).Draw(rt, "members")
		taken := make([]uint64, (size+63)/64)
		full := rapid.Uint64().Draw(rt, "full")
		for i := range taken {
			taken[i] = full
		}
		for range rapid.IntRange(0, 8).Draw(rt, "words") {
			taken[slot.Draw(rt, "word")/64] = rapid.Uint64().Draw(rt, "bits")
		}
		empty := 0
		for s := range size {
			empty += int(^taken[s/64] >> (s % 64) & 1)
		}
		for s := slot.Draw(rt, "empty"); empty < len(members); s = (s + 1) % size {
			empty += int(taken[s/64] >> (s % 64) & 1)
			taken[s/64] &^= 1 << (s % 64)
		}
		if len(members) != 0 {
			p := perms[members[0]]
			if got, want := firstEmpty(taken, p.next, p.back, size), firstEmptyInGo(taken, p.next, p.back, size); got != want {
				rt.Fatalf("first empty: slot %d, in Go %d", got, want)
			}
		}

		type state struct {
			perms []permutation
			slots []uint16
			taken []uint64
			list  [batch]uint16
			n     int
		}
		run := func(advance func([]permutation, *[batch]uint16, []uint16, []uint64, uint32) int, take func([]permutation, []uint16, []uint16, []uint64)) (s state) {
			s.perms, s.taken, s.slots = slices.Clone(perms), slices.Clone(taken), make([]uint16, size)
			s.n = advance(s.perms, &s.list, members, s.taken, size)
			s.n = advance(s.perms, &s.list, s.list[:s.n], s.taken, size) // from where it writes to
			take(s.perms, members, s.slots, s.taken)
			return s
		}
		got, want := run(advanceOnce, takeEach), run(advanceInGo, takeInGo)
		if got.n != want.n || !slices.Equal(got.list[:got.n], want.list[:want.n]) {
			rt.Fatalf("advanced: %d members %v, in Go %d %v", got.n, got.list[:got.n], want.n, want.list[:want.n])
		}
		if !slices.Equal(got.perms, want.perms) || !slices.Equal(got.taken, want.taken) || !slices.Equal(got.slots, want.slots) {
			rt.Fatal("taken otherwise than in Go")
		}
	})
}
