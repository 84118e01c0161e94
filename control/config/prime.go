package config

import "fmt"

// The sizes of a lookup table. The lower one is that of the paper's example;
// the upper one keeps a table under 64 MiB.
const (
	minTable     = 7
	maxTable     = 1 << 24
	defaultTable = 65537
)

// prime accepts the size of a lookup table. Maglev hashing walks the table in
// steps, and only a prime size is walked whole whatever the step (section 3.4
// of the paper).
func prime(v *value) (int, error) {
	n, err := integer(minTable, maxTable)(v)
	if err != nil || isPrime(n) {
		return int(n), err
	}
	below, above := n, n
	for !isPrime(below) {
		below--
	}
	above = primeFrom(above)
	if above > maxTable {
		return 0, fmt.Errorf("%d is not prime: write %d", n, below)
	}
	return 0, fmt.Errorf("%d is not prime: write %d or %d", n, below, above)
}

// primeFrom gives the least prime that is not below n.
func primeFrom(n int64) int64 {
	for !isPrime(n) {
		n++
	}
	return n
}

func isPrime(n int64) bool {
	if n < 2 {
		return false
	}
	for d := int64(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return true
}
