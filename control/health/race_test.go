//go:build race

package health

// slower is by how much the race detector slows us down.
const slower = 5
