package lcore

import (
	"sync/atomic"
	"time"

	"guideway/fragments"
	"guideway/maglev/conntrack"
)

// A Report is a core's counters at one moment between two bursts, so that
// Received + Taken + Made is the sum of Verdicts and Fragments.Held.
type Report struct {
	CPU        int
	Generation uint64 // of the snapshot that the core works by

	Received      uint64 // frames from ports and from the kernel
	Taken         uint64 // frames from other cores
	Made          uint64 // frames made here: fragments, and copies for other nodes
	ReceivedBytes uint64

	// Packets that were looked at for whether they arrived on the core that
	// the device's own word says, and those that did not: see pmd.RSS.
	SpreadChecks, SpreadMisses uint64

	// Marked packets that the control plane was told of, and those that it was
	// not because they were too many: see Trace.
	Traced, TracesLimited uint64

	Verdicts [Verdicts]uint64

	Services  []ServiceCount // by service id
	Endpoints []uint64       // packets, by endpoint id

	Turns, EmptyTurns uint64
	Busy, Free        time.Duration // time in turns that found frames, and that did not
	Gap               time.Duration // longest time between two polls since the last report that was no glance; of a rest, what it was too long

	Conntrack conntrack.Stats
	Fragments fragments.Stats

	glance bool        // leaves Gap to go on
	done   atomic.Bool // writer: core, when all else is filled; reader: control
}

// A ServiceCount counts what was forwarded, or tried to be, for one VIP.
type ServiceCount struct{ Packets, Bytes uint64 }

// newReport makes a report for w to fill, with room for what e counts.
func newReport(e *edition) *Report {
	return &Report{
		Services:  make([]ServiceCount, e.services),
		Endpoints: make([]uint64, e.endpoints),
	}
}

// fill copies the core's counters to r, as far as r has room for them.
func (w *Worker) fill(r *Report) {
	c := w.counters
	r.CPU, r.Generation = w.cpu, w.snapshot.Generation
	r.Taken, r.Made = c.taken, c.made
	r.Traced, r.TracesLimited = c.traced, c.tracesLimited
	r.SpreadChecks, r.SpreadMisses = c.spreadChecks, c.spreadMisses
	r.Received, r.ReceivedBytes, r.Verdicts = c.received, c.receivedBytes, c.verdicts
	for i := range min(len(r.Services), len(c.services)) {
		r.Services[i] = ServiceCount{c.services[i].packets, c.services[i].bytes}
	}
	copy(r.Endpoints, c.endpoints)
	r.Turns, r.EmptyTurns = w.pace.turns, w.pace.emptyTurns
	r.Busy, r.Free = time.Duration(w.pace.busy), time.Duration(w.pace.free)
	r.Gap = time.Duration(w.pace.gap)
	if !r.glance {
		w.pace.gap = 0
	}
	r.Conntrack, r.Fragments = w.conntrack.Stats(), w.fragments.Stats()
}
