package main

import (
	"fmt"
	"runtime"

	"guideway/lcore"
	"guideway/maglev/conntrack"
)

// A fate is what came of a flood.
type fate struct {
	*flood
	packets       int
	perPacket     float64 // ns of processor time; making and judging packets included
	canaries      int
	honest, moved uint64
	lost          uint64 // packets that were not forwarded
	conntrack     conntrack.Stats
	busiest       float64 // part of the attack that went to the backend which got most of it
}

// suffer runs a flood against a target.
func (t *target) suffer(f *flood, packets int) (fate, error) {
	result := fate{flood: f, canaries: t.canaries(), packets: packets}
	before := t.judge.honest
	result.perPacket = t.attack(f, packets)
	ends, received := t.ends()
	result.lost = received - ends[lcore.Forwarded]
	result.honest, result.moved = t.judge.honest-before, t.judge.moved
	result.conntrack = t.tables[0].Stats()
	var sum, most uint64
	for _, n := range t.counted {
		sum, most = sum+n, max(most, n)
	}
	result.busiest = float64(most) / float64(sum)
	return result, t.books()
}

// heap is what is in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// lasting is how many packets come in so many milliseconds of an attack.
func lasting(ms int) int { return attackRate / 1000 * ms / (oneIn - 1) * oneIn }

// showFloods is claim 14, and what comes of a core under attack: hashing
// carries on where the connection table is full, no established connection
// moves, and no memory is taken.
func showFloods(r *report) {
	flows, established := r.pick(1<<20, 1<<15), r.pick(100_000, 5_000)
	attacks := []struct {
		*flood
		packets int
		half    int // of what runs side by side
	}{
		{newFlows(), r.pick(lasting(60_000), 500_000), 0},
		{pairs(), r.pick(lasting(20_000), 500_000), 1},
		{insider(1000), r.pick(lasting(4_000), 200_000), 1},
		{aimed(), r.pick(lasting(400), 50_000), 1},
	}
	fates, errs := make([]fate, len(attacks)), make([]error, len(attacks))
	targets := make([]*target, len(attacks))
	for i, a := range attacks {
		var err error
		if targets[i], err = newTarget(flows, established, 0); !r.need(err, a.name) {
			return
		}
	}
	before := heap()
	parallel(2, func(half int) {
		for i, a := range attacks {
			if a.half == half {
				fates[i], errs[i] = targets[i].suffer(a.flood, a.packets)
			}
		}
	})
	grown := heap() - before
	r.hold(grown < 1<<20, "floods: the heap has grown by %d bytes", grown)
	t := r.table("floods", "attack, at 5 million packets a second", "for", "packets of connections", "of these moved", "lost of all", "entries at the end", "made", "evicted", "refused", "ns a packet")
	for i, f := range fates {
		if !r.need(errs[i], attacks[i].name) {
			continue
		}
		r.hold(f.moved == 0, "%s: %d packets of established connections went to another backend", f.name, f.moved)
		r.hold(f.lost == 0, "%s: %d packets were not forwarded", f.name, f.lost)
		r.hold(f.canaries > established/4, "%s: only %d of %d connections would move if they were forgotten", f.name, f.canaries, established)
		r.hold(f.honest >= uint64(f.packets)/oneIn, "%s: %d packets of established connections", f.name, f.honest)
		c := f.conntrack
		t.add(f.name, fmt.Sprintf("%.1f s", float64(f.packets)/float64(lasting(1000))), fmt.Sprint(f.honest), fmt.Sprint(f.moved), fmt.Sprint(f.lost),
			fmt.Sprint(c.Entries), fmt.Sprint(c.Inserts), fmt.Sprint(c.Evictions), fmt.Sprint(c.Full), fmt.Sprintf("%.0f", f.perPacket))
	}
	runtime.KeepAlive(targets) // until heap was asked
	full, aim := fates[1], fates[3]
	r.hold(full.conntrack.Full > 0 && full.conntrack.Evictions == 0, "pairs: %d packets found no place for their flow, %d confirmed ones were evicted", full.conntrack.Full, full.conntrack.Evictions)
	r.hold(fates[0].conntrack.Evictions > 0, "new flows: none took another's place")
	r.hold(aim.busiest > 0.9, "aimed: the backend got %.0f %%", 100*aim.busiest)
	r.claim(14, "a flood of new flows, 5 million a second", "evicts only what has long not been used",
		fmt.Sprintf("%d of %d packets of %d established connections moved, no memory taken", fates[0].moved, fates[0].honest, established), fmt.Sprintf("%.1f s by the clock of the packets", float64(fates[0].packets)/float64(lasting(1000))))
	r.claim(14, "connection table full", "hashing carries on", fmt.Sprintf("%d packets whose flow found no place were forwarded; no established flow lost its own", full.conntrack.Full), "flood of flows of two packets")
}
