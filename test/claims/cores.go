package main

import (
	"fmt"
	"math"
	"runtime"
	"time"

	"guideway/pmd"
	"guideway/pmd/memport"
	"guideway/test/plot"
)

// A row of cores is a node whose first core receives packets of 64 Ki flows, on a port
// in memory, and the others what it hands them.
type row struct {
	*node
	steer  bool
	bursts int     // that it receives before the others turn
	memory float64 // that a core takes, bytes
}

// newRow makes a row of n cores. steer says that each flow has a core of its own, as if one
// queue fed them all; else a packet stays where it comes, as if the device spread flows.
func newRow(n int, steer bool) (*row, error) {
	s := floodSite(1<<16 + 1024)
	s.cores, s.rxQueues = n, n
	if steer {
		s.rxQueues = 1
	}
	m := &meter{load: load{flows: 1 << 16, flags: ack, size: 64}}
	c := &row{steer: steer, bursts: 12}
	if steer { // so many that the others get whole bursts
		c.bursts = max(12, 3*n/4)
	}
	port := memport.NewLoop(memport.LoopConfig{MTU: portMTU, Frames: 2 * burst * c.bursts, Packets: [][]byte{tcp(0, 0, ack, 10)}, Fill: m.fill})
	queues := []pmd.Queue{port.Queue(0)}
	for range n - 1 {
		queues = append(queues, &silent{Queue: port.Queue(0), now: memport.Start})
	}
	before := heap()
	var err error
	if c.node, err = newNode(s, 0, time.Hour, queues...); err != nil {
		return nil, err
	}
	c.memory = float64(heap()-before) / float64(n)
	return c, c.configure(all(s.backends))
}

// A silent queue receives nothing.
type silent struct {
	pmd.Queue
	now int64
}

func (q *silent) Rx(b *pmd.Burst, _ int) {
	q.now += 1000
	b.N, b.Now = 0, q.now
}

// run returns the processor time, in ns, of a packet on the first core, and of one that was
// handed over on the core that took it (infinite: there was none): the best of some runs.
func (c *row) run(packets int) (first, taken float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	first, taken = math.Inf(1), math.Inf(1)
	const runs = 10
	for range runs {
		var here, there int64
		received, before := 0, c.taken()
		for received < packets/runs {
			began := threadTime()
			for range c.bursts {
				received += c.workers[0].Turn()
			}
			between := threadTime()
			if c.steer {
				c.turnOthers()
			}
			here, there = here+between-began, there+threadTime()-between
		}
		first = min(first, float64(here)/float64(received))
		taken = min(taken, float64(there)/float64(c.taken()-before))
	}
	return first, taken
}

// turnOthers lets the others take what they were handed. They get three quarters of what they
// can take in so many turns: none lags behind.
func (c *row) turnOthers() {
	for range max(4*c.bursts/(3*c.cores), 1) {
		for _, w := range c.workers[1:] {
			w.Turn()
		}
	}
}

// taken is how many packets cores took over.
func (c *row) taken() (n uint64) {
	for _, r := range c.group.Final() {
		n += r.Taken
	}
	return n
}

// showCores is claim 6 beyond the processors that there are: what a packet costs on one of so many
// lcores. They share nothing that is written but the rings between them, so what it costs there is
// what it costs here, but for what a machine makes them share: the last level of the cache, the way
// to memory, and the time that the lines of a ring take from one to another.
func showCores(r *report) {
	t := r.table("cores", "lcores", "ns a packet", "all, Mpps", "steered: ns a packet, where it is received", "where it is forwarded", "all, Mpps", "MB an lcore")
	device := plot.Series{Name: "the device spreads"}
	software := plot.Series{Name: "one lcore receives for all"}
	linear := plot.Series{Name: "so many times one", Dots: true}
	counts := []int{1, 2, 4, 8, 16, 32, 64}[:r.pick(7, 4)]
	costs, err := measure(counts, r.pick(5, 1), r.pick(3_000_000, 50_000))
	if !r.need(err, "cores") {
		return
	}
	alone, last := costs[0].spread, 0.0
	for i, n := range counts {
		c := costs[i]
		x, all := float64(n), float64(n)*1e3/c.spread
		cells := []string{fmt.Sprint(n), fmt.Sprintf("%.0f", c.spread), fmt.Sprintf("%.0f", all), "", "", "", fmt.Sprintf("%.1f", c.memory/1e6)}
		device.X, device.Y = append(device.X, x), append(device.Y, all)
		linear.X, linear.Y = append(linear.X, x), append(linear.Y, x*1e3/alone)
		if n > 1 {
			// The first has a share of the flows too: that is in its time. The others have as much each.
			all := min(1e3/c.received, x*1e3/c.taken)
			cells[3], cells[4], cells[5] = fmt.Sprintf("%.0f", c.received), fmt.Sprintf("%.0f", c.taken), fmt.Sprintf("%.0f", all)
			software.X, software.Y = append(software.X, x), append(software.Y, all)
		}
		t.add(cells...)
		last = c.spread
	}
	r.figures["cores"] = &plot.Lines{Title: "Packets a second by lcores, simulated", X: plot.Axis{Label: "lcores", Log: true}, Y: plot.Axis{Label: "Mpps", Log: true}, Series: []plot.Series{device, software, linear}}
	r.claim(6, "the same on more lcores", "", fmt.Sprintf("1 to %d: %.0f %% (%.0f ns a packet on one of one, %.0f on one of all)", counts[len(counts)-1], 100*alone/last, alone, last), "simulated: they turn one after the other; figure [cores](claims/cores.svg)")
}

// A cost is what a packet costs on one of some cores, in ns.
type cost struct {
	spread   float64 // where the device spreads flows
	received float64 // where one core receives for all: on that one
	taken    float64 // and on one that it hands packets to
	memory   float64 // bytes that a core takes
}

// measure returns what a packet of a known flow costs on so many cores: the best of some rounds over all counts.
func measure(counts []int, rounds, packets int) ([]cost, error) {
	costs := make([]cost, len(counts))
	for i := range costs {
		costs[i] = cost{math.Inf(1), math.Inf(1), math.Inf(1), 0}
	}
	for range rounds {
		for i, n := range counts {
			c := &costs[i]
			for _, steer := range []bool{false, true} {
				if steer && n == 1 {
					continue
				}
				lcores, err := newRow(n, steer)
				if err != nil {
					return nil, err
				}
				lcores.run(1 << 18)
				first, taken := lcores.run(packets)
				if steer {
					c.received, c.taken = min(c.received, first), min(c.taken, taken)
				} else {
					c.spread, c.memory = min(c.spread, first), lcores.memory
				}
				if err := lcores.books(); err != nil {
					return nil, err
				}
			}
		}
	}
	return costs, nil
}
