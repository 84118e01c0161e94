// Package maglev chooses backends by Maglev hashing (Eisenbud et al., NSDI
// 2016, section 3.4): every member fills the slots of a lookup table in an
// order of its own, taking turns, so that members get nearly equal (or
// weighted) shares and few slots change hands when a member comes or goes.
//
// A [Table] is a pure function of the *set* of members and its size: the order
// in which members are listed, the machine, and the release do not matter, and
// [Table.Digest] lets a fleet prove it. docs/maglev.md tells the whole story;
// the files follow it:
//
//	prime.go        which sizes are allowed
//	hash.go         address -> two 64-bit hashes
//	permutation.go  two hashes -> a member's order of preference over the slots
//	weights.go      weights -> whose turn it is
//	fill.go         permutations and turns -> slots
//	walk.go         the loops of that, on amd64 in assembly
//	digest.go       a table in 64 bits
//	table.go        Build, Pick
//	batch.go        many tables at once
//
// Building is for the control plane; of all this only [Table.Pick] is on the
// way of a packet.
package maglev
