//go:build !race

package health

const slower = 1
