package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"guideway/lcore"
	"guideway/maglev"
	"guideway/pmd"
	"guideway/pmd/memport"
	"guideway/test/plot"
)

// What is here depends on the machine, and on what else it does. None of it is
// ever a fault; but for what the packet path itself may not lose.

// showBuild is claim 3: how long tables take.
func showBuild(r *report) {
	members := make([]maglev.Member, backends)
	for b := range members {
		members[b] = maglev.Member{Addr: address(b), Weight: 1}
	}
	best := func(times int, do func()) float64 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		least := int64(math.MaxInt64)
		for range times {
			began := threadTime()
			do()
			least = min(least, threadTime()-began)
		}
		return float64(least) / 1e6
	}
	t := r.table("build", "ms for a table of 1000 backends", "the paper", "Maglev", "Karger, its ring apart", "rendezvous")
	var ours []string
	ring, highest := karger(1, backends), rendezvous(1)
	for _, size := range []int{small, large} {
		ms := best(r.pick(50, 2), func() {
			if _, err := maglev.Build(members, size); err != nil {
				panic(err) // the same members make tables in every claim
			}
		})
		few := r.pick(3, 1)
		slow := "-"
		if !r.short || size == small {
			slow = fmt.Sprintf("%.0f", best(few, func() { highest.fill(all(backends), size) }))
		}
		t.add(fmt.Sprintf("%d slots", size), map[int]string{small: "1.8", large: "22.9"}[size], fmt.Sprintf("%.2f", ms),
			fmt.Sprintf("%.1f", best(few, func() { ring.fill(all(backends), size) })), slow)
		ours = append(ours, fmt.Sprintf("%.2f", ms))
	}
	r.claim(3, "generation of a table of 1000 backends", "1.8 ms of 65537 slots, 22.9 ms of 655373", fmt.Sprintf("%s ms, %s ms", ours[0], ours[1]), "best of 50, `maglev.Build`; processor time")
}

// A load is packets of a kind, to measure what one costs.
type load struct {
	flows uint64 // a power of two: what is visited, in no order that a cache foresees; 0: a new one each time
	flags byte
	size  int // of the frame, bytes
}

// A meter is a core on a port in memory under a load.
type meter struct {
	*node
	load
}

// newMeter makes a meter whose connection table is made for all of the load's
// flows; of new ones for a million.
func newMeter(l load) (*meter, error) {
	s := floodSite(max(1<<10, int(l.flows)+1024))
	if l.flows == 0 {
		s.flows = 1 << 20
	}
	m := &meter{load: l}
	port := memport.NewLoop(memport.LoopConfig{MTU: portMTU, Frames: 2 * burst, Packets: [][]byte{tcp(0, 0, l.flags, l.size-headersLen)}, Fill: m.fill})
	var err error
	if m.node, err = newNode(s, 0, time.Hour, port.Queue(0)); err != nil {
		return nil, err
	}
	if err := m.configure(all(s.backends)); err != nil {
		return nil, err
	}
	warm := 2 * l.flows
	if l.flows == 0 {
		warm = 1 << 22 // the table is full
	}
	for range warm/burst + 1000 {
		m.workers[0].Turn()
	}
	return m, nil
}

func (m *meter) fill(i uint64, frame []byte) {
	n := i * 0x9e3779b1 & (m.flows - 1)
	if m.flows == 0 {
		n = i
	}
	binary.BigEndian.PutUint32(frame[26:], clientNet+uint32(n>>16))
	binary.BigEndian.PutUint16(frame[34:], uint16(n))
}

// run returns the nanoseconds of processor time that a packet takes, making it
// included: the best of some runs, for what else the machine does only adds.
func (m *meter) run(packets int) float64 {
	const runs = 5
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := math.Inf(1)
	for range runs {
		began, bursts := threadTime(), max(packets/burst/runs, 1)
		for range bursts {
			m.workers[0].Turn()
		}
		best = min(best, float64(threadTime()-began)/float64(bursts*burst))
	}
	return best
}

// cost measures a load, and checks that all of it was forwarded.
func (r *report) cost(l load) float64 {
	m, err := newMeter(l)
	if !r.need(err, "a load") {
		return 0
	}
	ns := m.run(r.pick(8_000_000, 50_000))
	ends, received := m.ends()
	r.hold(ends[lcore.Forwarded] == received, "of %d packets %d were forwarded", received, ends[lcore.Forwarded])
	return ns
}

// portAlone is what the port takes without a packet path, of the same packets.
func (r *report) portAlone() float64 {
	m := &meter{load: load{flows: 1 << 16, flags: ack, size: 64}}
	port := memport.NewLoop(memport.LoopConfig{MTU: portMTU, Frames: 2 * burst, Packets: [][]byte{tcp(0, 0, ack, 10)}, Fill: m.fill})
	q, frames := port.Queue(0), new(pmd.Burst)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := math.Inf(1)
	bursts := r.pick(50_000, 500)
	for range 5 {
		began := threadTime()
		for range bursts {
			q.Rx(frames, burst)
			q.Tx(frames)
		}
		best = min(best, float64(threadTime()-began)/float64(bursts*burst))
	}
	return best
}

// showCost is claims 5, 7 and 9: what a packet costs.
func showCost(r *report) {
	port := r.portAlone()
	kinds := []struct {
		name, paper string
		load
	}{
		{"one 5-tuple", "2.7 Mpps", load{1, ack, 64}},
		{"TCP, not SYN, 64 Ki flows", "2.7 Mpps", load{1 << 16, ack, 64}},
		{"TCP SYN, each of a new flow, table full", "2.5 Mpps", load{0, syn, 64}},
	}
	t := r.table("kinds", "one core, 64-byte packets", "the paper", "ns a packet", "Mpps")
	var ns []float64
	for _, k := range kinds {
		c := r.cost(k.load)
		ns = append(ns, c)
		t.add(k.name, k.paper, fmt.Sprintf("%.0f", c), fmt.Sprintf("%.1f", 1e3/c))
	}
	t.add("the port alone", "", fmt.Sprintf("%.1f", port), "")
	r.claim(5, "cost of a packet in a packet thread", "about 350 ns", fmt.Sprintf("%.0f ns at one flow, %.0f at 64 Ki; %.1f of it is the port in memory", ns[0], ns[1], port), "`lcore.Worker` on `memport.Loop`; [performance.md](performance.md) has it on DPDK ports")
	r.claim(7, "SYN against non-SYN", "0.93 of its rate", fmt.Sprintf("**%.2f of its rate** (%.1f Mpps), as each takes the place of another flow", ns[1]/ns[2], 1e3/ns[2]), "the same")

	byFlows := plot.Series{Name: "IPv4, TCP, 64 bytes; the port included"}
	curve := r.table("flows", "flows")
	cells := []string{"ns a packet"}
	for shift := 0; shift <= r.pick(24, 10); shift += 2 {
		c := r.cost(load{1 << shift, ack, 64})
		byFlows.X, byFlows.Y = append(byFlows.X, float64(int(1)<<shift)), append(byFlows.Y, c)
		curve.rows[0] = append(curve.rows[0], powerOfTwo(shift))
		cells = append(cells, fmt.Sprintf("%.0f", c))
	}
	curve.add(cells...)
	r.figures["flows"] = &plot.Lines{Title: "Cost of a packet by the number of flows, one core", X: plot.Axis{Label: "flows", Log: true}, Y: plot.Axis{Label: "ns a packet"}, Series: []plot.Series{byFlows}}
	last := len(byFlows.Y) - 1
	r.claim(7, "cost by flows", "", fmt.Sprintf("%.0f ns at 1 flow, %.0f at %s", byFlows.Y[0], byFlows.Y[last], powerOfTwo(2*last)), "figure [flows](claims/flows.svg)")

	sizes := []int{64, 128, 256, 512, 1024, 1500}
	var bySize []float64
	table := r.table("sizes", "bytes")
	cells = []string{"ns a packet"}
	for _, size := range sizes {
		c := r.cost(load{1 << 10, ack, size})
		bySize = append(bySize, c)
		table.rows[0] = append(table.rows[0], fmt.Sprint(size))
		cells = append(cells, fmt.Sprintf("%.0f", c))
	}
	table.add(cells...)
	r.claim(9, "packets a second over packet sizes", "flat until the link is full", fmt.Sprintf("%.0f to %.0f ns from 64 to 1500 bytes, 1 Ki flows", slices.Min(bySize), slices.Max(bySize)), "the path reads and writes headers only")
}

func powerOfTwo(shift int) string {
	return fmt.Sprint(1<<(shift%10)) + []string{"", " Ki", " Mi"}[shift/10]
}

// showScaling is claim 6, as far as two processors go.
func showScaling(r *report) {
	l := load{1 << 16, ack, 64}
	packets := r.pick(20_000_000, 50_000)
	together := make([]float64, 2)
	meters := make([]*meter, 2)
	for i := range meters {
		var err error
		if meters[i], err = newMeter(l); !r.need(err, "scaling") {
			return
		}
	}
	alone := meters[0].run(packets)
	var running sync.WaitGroup
	for i, m := range meters {
		running.Go(func() { together[i] = m.run(packets) })
	}
	running.Wait()
	alone = min(alone, meters[0].run(packets)) // what came before may have disturbed one
	mean := (together[0] + together[1]) / 2
	r.claim(6, "scaling of packet threads", "94 % from 1 to 4", fmt.Sprintf("1 to 2: %.0f %% (%.0f ns a packet alone, %.0f and %.0f side by side)", 100*alone/mean, alone, together[0], together[1]), "processor time, two workers that share nothing; there are no more processors here")
}
