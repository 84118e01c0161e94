//go:build !amd64

package lcore

import (
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/pmd"
)

func readBurst(frames []*pmd.Frame, at int, items []item, lines []uintptr, table *conntrack.Table, known *destinations, port uint8) int {
	return readEach(frames, at, items, lines, table, known, port)
}

func trackBurst(items []item, lines []uintptr, table *conntrack.Table, now conntrack.Tick, endpoints []fib.Endpoint, services []serviceCounter, packets []uint64) int {
	return trackEach(items, lines, table, now, endpoints, services, packets)
}

func encloseBurst(items []item, frames *[pmd.MaxBurst]*pmd.Frame, tunnels []fib.Tunnel, port uint16, out *pmd.Burst, n int) int {
	return encloseEach(items, frames, tunnels, port, out, n)
}
