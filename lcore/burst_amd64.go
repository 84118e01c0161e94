package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/pmd"
)

// readBurst is readEach in assembly.
//
//go:noescape
func readBurst(frames []*pmd.Frame, at int, items []item, lines []uintptr, table *conntrack.Table, known *destinations, port uint8) int

// trackBurst is trackEach in assembly.
//
//go:noescape
func trackBurst(items []item, lines []uintptr, table *conntrack.Table, now conntrack.Tick, endpoints []fib.Endpoint, services []serviceCounter, packets []uint64) int

// encloseBurst is encloseEach in assembly.
//
//go:noescape
func encloseBurst(items []item, frames *[pmd.MaxBurst]*pmd.Frame, tunnels []fib.Tunnel, port uint16, out *pmd.Burst, n int) int
