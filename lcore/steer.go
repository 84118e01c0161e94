package lcore

import (
	"math/bits"

	"guideway/maglev/flow"
	"guideway/pmd"
)

// home returns the core that has a flow's entry in its connection table, hash
// being the key's: where the port's device puts the flow's packets, as far as
// it tells, else the one that steering picks.
func (w *Worker) home(port uint8, k *flow.Key, hash uint64) int {
	if rss := w.ports[port].RSS; rss != nil {
		var h uint32
		if hashed, withPorts := rss.Hashes(k.Proto, k.IPv6); hashed {
			h = k.Toeplitz(rss.Key, withPorts)
		}
		if core := rss.Queue(h); core < w.cores() {
			return core
		}
	}
	return w.picked(hash)
}

// checkPeriod is the time between two looks at whether a device spreads as it
// says, in nanoseconds. One costs a software Toeplitz hash, 150 ns.
const checkPeriod = 1_000_000

// check looks whether the burst's first item arrived where its port's device
// says that it puts such packets. A driver that claims what the device does not
// do would have fragments and errors miss their flows' entries.
func (w *Worker) check(port int) {
	if w.ports[port].RSS == nil || w.n == 0 || w.now-w.checked < checkPeriod {
		return
	}
	it := &w.items[0]
	if it.marks != 0 || it.event == related {
		return
	}
	w.checked = w.now
	w.counters.spreadChecks++
	if w.home(uint8(port), &it.key, it.hash) != w.index {
		w.counters.spreadMisses++
	}
}

// picked spreads hashes over the cores. It multiplies first, so that what
// decides is not what the connection table takes for its index.
func (w *Worker) picked(hash uint64) int {
	core, _ := bits.Mul64(hash*0x9e3779b97f4a7c15, uint64(w.cores()))
	return int(core)
}

func (w *Worker) cores() int { return len(w.to) }

// spread hands the items from one on to their flows' cores, and keeps what is this
// one's. It comes before the next frame is classified: that may be an error about
// one of them, which another core must not get first.
func (w *Worker) spread(from int) {
	n := from
	for i := from; i < w.n; i++ {
		it := &w.items[i]
		if it.marks == 0 && it.event != related && w.steer(w.rx.Frames[it.at], it) {
			continue
		}
		if i != n {
			w.items[n], w.places[n] = *it, w.places[i]
		}
		n++
	}
	w.n = n
}

// steer hands an item's frame to its flow's core and tells whether it has gone.
// Where that core's ring is full the next core that has room takes it, and if
// none has, this one goes on with it: a flood of one flow is spread (section
// 3.2 of the paper).
func (w *Worker) steer(f *pmd.Frame, it *item) bool {
	home := w.picked(it.hash)
	if home == w.index {
		return false
	}
	p := passage{port: it.port, marks: steered}
	if w.give(home, f, p) {
		return true
	}
	for range w.cores() {
		w.spare = (w.spare + 1) % w.cores()
		if w.spare == w.index {
			return false
		}
		if w.give(w.spare, f, p) {
			return true
		}
	}
	return false
}

// hand hands a frame to a core that alone can go on with it.
func (w *Worker) hand(core int, f *pmd.Frame, p passage) Verdict {
	if !w.give(core, f, p) {
		return HandoverFull
	}
	return gone
}

// give puts a frame into the ring to another core, and tells whether there was room.
// It is that core's from then on.
func (w *Worker) give(core int, f *pmd.Frame, p passage) bool {
	r := w.to[core]
	if !r.give(f, p) {
		return false
	}
	w.given.add(core)
	if w.trace.n != 0 {
		w.trace.ended(f, HandedOver)
	}
	w.counters.verdicts[HandedOver]++
	return true
}

// show lets the other cores see what they were given in this burst.
func (w *Worker) show() {
	for {
		core, ok := w.given.pop()
		if !ok {
			return
		}
		w.to[core].show()
	}
}

// takeOver goes on with what other cores have handed over: up to a burst of
// each. A frame begins its way again here, but for what its passage tells.
func (w *Worker) takeOver() int {
	w.wake()
	total, awake := 0, w.awake
	for {
		core, ok := awake.pop()
		if !ok {
			return total
		}
		r := w.from[core]
		n := min(r.waiting(), burst)
		if n == 0 {
			if r.nothing() {
				w.awake.remove(core)
			}
			continue
		}
		r.looks = 0
		total += n
		w.resume(r, n)
		r.drop(n)
		w.counters.taken += uint64(n)
		w.forward(n)
	}
}

// resume makes the first n frames of a ring the burst at hand, and items of them.
func (w *Worker) resume(r *ring, n int) {
	from, came := 0, passage{}
	for i := range n {
		h := r.at(i)
		f := h.frame
		if w.trace.tracing {
			w.spot(f, h.marks)
		}
		if h.marks&upward != 0 {
			w.raise(f, h.port)
			continue
		}
		if h.passage != came {
			w.read(from, came, false)
			from, came = w.rx.N, h.passage
		}
		w.rx.Add(f)
	}
	w.read(from, came, false)
}
