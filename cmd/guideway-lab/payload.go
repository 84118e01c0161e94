package main

import (
	"crypto/sha256"
	"math/rand/v2"
)

const (
	largeSize = 1 << 20
	slowSize  = 2 << 20

	// slowRate makes a slow transfer last about three seconds, in bytes a second:
	// time enough to reload in its middle.
	slowRate = 700 << 10
)

// payload is the body that belongs to a name: the same bytes in every process,
// other bytes for every other name. So a body proves where it came from and that
// it came whole.
func payload(name string, size int) []byte {
	body := make([]byte, size)
	rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(body)
	return body
}
