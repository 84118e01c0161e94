package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// A scenario is what happens to a fleet while its connections go on. In each
// step every connection that has begun sees one packet; as many begin in each
// step but the last.
type scenario struct {
	name  string
	short string // the name under a bar
	steps []step
}

// A step says who is there from then on.
type step struct {
	nodes   []bool
	serves  []bool
	returns int // node that is back without its memory; none: -1
}

// A router spreads connections over nodes.
type router func(connection int, nodes []bool) int

// plain is ECMP by the hash modulo the number of next hops: when that changes,
// nearly all connections come to other nodes (RFC 2992, 2: the worst there is).
func plain(connection int, nodes []bool) int {
	var living []int
	for n, ok := range nodes {
		if ok {
			living = append(living, n)
		}
	}
	return living[hash(7, uint64(connection), 0)%uint64(len(living))]
}

// resilient is ECMP that leaves alone who can stay where it is.
func resilient(connection int, nodes []bool) int {
	for try := uint64(0); ; try++ {
		if n := slotOf(hash(7, uint64(connection), try), len(nodes)); nodes[n] {
			return n
		}
	}
}

// An outcome is what became of a scenario's connections.
type outcome struct {
	all    int
	lost   int // their backend died: nobody can help
	broken int // came to another backend though theirs served

	to []uint16 // where the last packet of each connection went
}

func (o outcome) String() string {
	if o.broken == 0 {
		return "0"
	}
	return fmt.Sprintf("%.2f", o.percent())
}

// percent is the connections that were broken, of those whose backend lives.
func (o outcome) percent() float64 { return 100 * float64(o.broken) / float64(o.all-o.lost) }

// run plays a scenario with so many connections.
func (s *scenario) run(b balancers, route router, connections int) (outcome, error) {
	o := outcome{all: connections, to: make([]uint16, connections)}
	began := make([]uint16, connections)
	var going []int // connections that are neither lost nor broken
	for i, step := range s.steps {
		if step.returns >= 0 {
			if err := b.restart(step.returns); err != nil {
				return o, err
			}
		}
		if err := b.configure(step.serves); err != nil {
			return o, err
		}
		b.wait()
		var fresh []int
		for c := i; c < connections && i < len(s.steps)-1; c += len(s.steps) - 1 {
			fresh = append(fresh, c)
		}
		if err := errors.Join(deliver(b, route, step.nodes, fresh, true, o.to), deliver(b, route, step.nodes, going, false, o.to)); err != nil {
			return o, fmt.Errorf("%s, step %d: %w", s.name, i, err)
		}
		going = slices.DeleteFunc(going, func(c int) bool {
			switch {
			case !step.serves[began[c]]:
				o.lost++
			case o.to[c] != began[c]:
				o.broken++
			default:
				return false
			}
			return true
		})
		for _, c := range fresh {
			began[c] = o.to[c]
		}
		going = append(going, fresh...)
	}
	return o, nil
}

// deliver sends a packet of each connection to the node that the router picks.
func deliver(b balancers, route router, nodes []bool, connections []int, first bool, to []uint16) error {
	by := make([][]int, len(nodes))
	for _, c := range connections {
		n := route(c, nodes)
		by[n] = append(by[n], c)
	}
	for n, list := range by {
		if err := b.send(n, list, first, to); err != nil {
			return err
		}
	}
	return nil
}

// ways lists the scenarios for a fleet of so many nodes and backends, of which
// k fail.
func ways(nodes, backends, k int) []*scenario {
	random := rand.New(rand.NewPCG(1, uint64(k)))
	full, fewer := all(backends), without(backends, k, random)
	every, oneLess := all(nodes), all(nodes)
	oneLess[nodes/2] = false
	still := func(nodes, serves []bool) step { return step{nodes, serves, -1} }
	list := []*scenario{
		{fmt.Sprintf("%d backends fail", k), "backends fail", []step{still(every, full), still(every, fewer)}},
		{fmt.Sprintf("%d backends come", k), "backends come", []step{still(every, fewer), still(every, full)}},
		{"a node fails", "node fails", []step{still(every, full), still(oneLess, full)}},
		{"a node comes", "node comes", []step{still(oneLess, full), {every, full, nodes / 2}}},
		{fmt.Sprintf("a node and %d backends fail", k), "both fail", []step{still(every, full), still(oneLess, fewer)}},
	}
	rolling := &scenario{name: "rolling upgrade, while backends fail and come", short: "rolling", steps: []step{still(every, full)}}
	for n := range nodes {
		away := all(nodes)
		away[n] = false
		rolling.steps = append(rolling.steps,
			still(away, without(backends, 1, random)),
			step{every, without(backends, 1, random), n})
	}
	return append(list, rolling)
}

// scenarios by the place in ways.
const (
	backendsFail = iota
	backendsCome
	nodeFails
	nodeComes
	bothFail
	rollingUpgrade
)
