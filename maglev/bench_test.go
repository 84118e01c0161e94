package maglev

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// shuffled returns members in an order that is no help to the sort.
func shuffled(members []Member) []Member {
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return members
}

func benchmarkBuild(b *testing.B, members []Member, size int) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(members, size); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, size := range []int{65537, 655373} {
		for _, n := range []int{100, 1000, 10000} {
			b.Run(fmt.Sprintf("slots=%d/members=%d", size, n), func(b *testing.B) {
				benchmarkBuild(b, shuffled(ipv4Members(n)), size)
			})
		}
	}
}

func BenchmarkBuildWeighted(b *testing.B) {
	for _, size := range []int{65537, 655373} {
		b.Run(fmt.Sprintf("slots=%d/members=1000/weights=1..10", size), func(b *testing.B) {
			members := weigh(ipv4Members(1000), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
			benchmarkBuild(b, shuffled(members), size)
		})
		b.Run(fmt.Sprintf("slots=%d/members=1000/weights=1,65535", size), func(b *testing.B) {
			members := ipv4Members(1000)
			members[500].Weight = MaxWeight
			benchmarkBuild(b, shuffled(members), size)
		})
	}
}

// BenchmarkReference is the plain algorithm on the same machine, to compare
// BenchmarkBuild with.
func BenchmarkReference(b *testing.B) {
	for _, size := range []int{65537, 655373} {
		b.Run(fmt.Sprintf("slots=%d/members=1000", size), func(b *testing.B) {
			members := ipv4Members(1000)
			for b.Loop() {
				plainTable(members, size)
			}
		})
	}
}

func BenchmarkBuildAll(b *testing.B) {
	specs := make([]Spec, 16)
	for i := range specs {
		specs[i] = Spec{Members: ipv4Members(1000 + i), Size: 65537}
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("tables=16/slots=65537/workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				if _, err := BuildAll(specs, workers); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	for _, size := range []int{65537, 655373} {
		b.Run(fmt.Sprintf("slots=%d", size), func(b *testing.B) {
			table, err := Build(ipv4Members(1000), size)
			if err != nil {
				b.Fatal(err)
			}
			hash, sum := uint64(1), uint16(0)
			for b.Loop() {
				hash *= 0x9e3779b97f4a7c15
				sum ^= table.Pick(hash)
			}
			sink = sum
		})
	}
}

var sink uint16

// plainTable is the paper's loop, unweighted, with steps instead of products:
// what one would write first.
func plainTable(members []Member, size int) []uint16 {
	next := make([]uint32, len(members))
	skip := make([]uint32, len(members))
	for i, m := range members {
		n := nameOf(m.Addr)
		next[i] = uint32(n.hash(seedOffset) % uint64(size))
		skip[i] = uint32(n.hash(seedSkip)%uint64(size-1) + 1)
	}
	const empty = 0xffff
	slots := make([]uint16, size)
	for i := range slots {
		slots[i] = empty
	}
	for n := 0; ; {
		for i := range next {
			at := next[i]
			for slots[at] != empty {
				if at += skip[i]; at >= uint32(size) {
					at -= uint32(size)
				}
			}
			slots[at] = uint16(i)
			next[i] = at
			if n++; n == size {
				return slots
			}
		}
	}
}
