package fragments

import (
	"fmt"
	"testing"
)

func BenchmarkNewOwners(b *testing.B) {
	for _, n := range []int{3, 100} {
		nodes := fleet(n)
		nodes[1].Down = true
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				mustOwners(b, nodes, 0)
			}
		})
	}
}
