package lcore

import (
	"golang.org/x/sys/cpu"

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/pmd"
)

// All processors since 2013 (Intel) and 2015 (AMD) have what the assembly is written in.
func init() {
	if x := &cpu.X86; x.HasAVX2 && x.HasBMI1 && x.HasBMI2 && x.HasMOVBE {
		readBurst, trackBurst, encloseBurst = readVectors, trackVectors, encloseVectors
	}
}

// readVectors is readEach in assembly.
//
//go:noescape
func readVectors(frames []*pmd.Frame, at int, items []item, places []conntrack.Place, table *conntrack.Table, known *destinations, port uint8) (n, bytes int)

// trackVectors is trackEach in assembly.
//
//go:noescape
func trackVectors(items []item, places []conntrack.Place, again uint64, table *conntrack.Table, now conntrack.Tick, endpoints []fib.Endpoint, services []serviceCounter, packets []uint64) (n int, left, later uint64)

// encloseVectors is encloseEach in assembly.
//
//go:noescape
func encloseVectors(items []item, frames *[pmd.MaxBurst]*pmd.Frame, tunnels []fib.Tunnel, port uint16, out *pmd.Burst, n int) int
