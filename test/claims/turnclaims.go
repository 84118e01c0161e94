package main

import (
	"fmt"

	"guideway/lcore"
	"guideway/pmd/memport"
)

// showSteering is claim 8: a flood of one 5-tuple does not keep to one core.
func showSteering(r *report) {
	s := site{nodes: 1, backends: 100, size: small, cores: 4, rxQueues: 1, flows: 1 << 10}
	port := newPort(s, 0)
	n, err := newNode(s, 0, 0, queuesOf(port, s.cores)...)
	if !r.need(err, "steering") || !r.need(n.configure(all(s.backends)), "steering") {
		return
	}
	rounds, perRound := r.pick(10_000, 500), 32*s.cores // what the cores can do together, each a burst
	frame, out, to := n.steered(port), 0, map[int]int{}
	before := n.group.Final()
	for range rounds {
		for range s.cores {
			for range perRound / s.cores {
				port.Inject(0, frame)
			}
			n.workers[0].Turn() // the core that receives is at it all the time
		}
		for _, w := range n.workers[1:] {
			w.Turn()
		}
		for core := range s.cores {
			for _, f := range port.Sent(core) {
				to[backendOf(f)]++
				out++
			}
		}
	}
	n.turn()
	for core := range s.cores {
		out += len(port.Sent(core))
	}
	least, most := 1.0, 0.0
	for core, report := range n.group.Final() {
		share := float64(report.Verdicts[lcore.Forwarded]-before[core].Verdicts[lcore.Forwarded]) / float64(rounds*perRound)
		least, most = min(least, share), max(most, share)
	}
	r.need(n.books(), "steering")
	r.hold(out == rounds*perRound && len(to) == 1, "steering: %d of %d frames came out, at %d backends", out, rounds*perRound, len(to))
	r.hold(least > 0.15 && most < 0.35, "steering: cores carry %.2f to %.2f of the flood", least, most)
	r.claim(8, "a flood of one 5-tuple, at four times what a core can do", "falls back to round robin over the other queues",
		fmt.Sprintf("each of 4 cores carries %.0f to %.0f %%, none lost, one backend", 100*least, 100*most), "software steering from one queue; the flow's own core is another than the one that receives")
}

// steered returns a packet of a flow that the core which receives hands to
// another.
func (n *node) steered(port *memport.Port) []byte {
	for c := 0; ; c++ {
		src, p := client(c)
		frame := tcp(src, p, ack, 10)
		port.Inject(0, frame)
		n.turn()
		for core := range n.cores {
			port.Sent(core)
		}
		if n.group.Final()[0].Verdicts[lcore.HandedOver] > 0 {
			return frame
		}
	}
}

// showLone is the part of claim 10 that needs no clock: nothing waits for a
// batch to fill.
func showLone(r *report) {
	s := site{nodes: 1, backends: 100, size: small, cores: 1, rxQueues: 1, flows: 1 << 10}
	port := newPort(s, 0)
	n, err := newNode(s, 0, 0, queuesOf(port, s.cores)...)
	if !r.need(err, "lone packets") || !r.need(n.configure(all(s.backends)), "lone packets") {
		return
	}
	const packets = 1000
	for c := range packets {
		src, p := client(c)
		port.Inject(0, tcp(src, p, syn, 0))
		n.workers[0].Turn()
		r.hold(len(port.Sent(0)) == 1, "packet %d did not leave in the turn that found it", c)
	}
	r.claim(10, "a packet that comes alone", "waits for a batch, at most 50 µs", "leaves in the turn that finds it", fmt.Sprintf("%d packets", packets))
}
