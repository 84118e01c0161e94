package maglev

import "math/big"

// IsPrime reports whether n is a prime number. Table sizes must be prime: only
// then does every skip from 1 to size-1 lead a permutation through all slots.
func IsPrime(n int) bool {
	// Baillie-PSW, which ProbablyPrime(0) runs, is exact below 2^64.
	return n > 1 && big.NewInt(int64(n)).ProbablyPrime(0)
}

// NearestPrimes returns the largest prime at most n and the smallest prime at
// least n, for messages that refuse a size. Both are n if n is prime. A prime
// that does not exist (below 2, beyond the largest int) is returned as 0.
func NearestPrimes(n int) (below, above int) {
	for p := n; p > 1; p-- {
		if IsPrime(p) {
			below = p
			break
		}
	}
	for p := max(n, 2); p > 0; p++ { // p wraps to a negative number past the largest int
		if IsPrime(p) {
			above = p
			break
		}
	}
	return below, above
}
