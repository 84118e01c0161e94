package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A tally is what came of a set of connections.
type tally struct {
	Requests    int                       `json:"requests"` // complete, to the last byte
	Failed      int                       `json:"failed"`
	Connections int                       `json:"connections"`
	Strayed     int                       `json:"strayed"`  // connections that were not on one backend
	Resent      int                       `json:"resent"`   // TCP segments from the client
	Answered    map[string]map[string]int `json:"answered"` // connections by VIP and backend
	Latency     []latency                 `json:"latency"`
	Faults      []string                  `json:"faults,omitempty"` // in words, at most maxFaults
}

// latency is how long one kind of step took, from asking to the last byte.
type latency struct {
	Step  string        `json:"step"`
	Count int           `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

// maxFaults bounds what is told in words; all are counted.
const maxFaults = 10

func (t *tally) fault(format string, a ...any) {
	if len(t.Faults) < maxFaults {
		t.Faults = append(t.Faults, fmt.Sprintf(format, a...))
	}
}

// judge counts and finds what is wrong: requests that are not complete, and
// connections whose requests did not all reach one backend.
func judge(conns []connection) *tally {
	t := &tally{Connections: len(conns), Answered: map[string]map[string]int{}}
	took := map[string][]time.Duration{}
	for _, c := range conns {
		var backends []string
		for _, x := range c.Exchanges {
			if x.Backend != "" && !slices.Contains(backends, x.Backend) {
				backends = append(backends, x.Backend)
			}
			if x.Fault != "" {
				t.Failed++
				t.fault("%s, %s: %s", c.VIP, x.Step, x.Fault)
				continue
			}
			t.Requests++
			took[x.Step] = append(took[x.Step], x.End.Sub(x.Start))
		}
		switch {
		case len(backends) > 1:
			t.Strayed++
			t.fault("%s: one connection was answered by %s", c.VIP, strings.Join(backends, " and "))
		case c.Dials > 1:
			t.Strayed++
			t.fault("%s: a connection broke and was opened %d times", c.VIP, c.Dials)
		}
		if len(backends) > 0 {
			if t.Answered[c.VIP] == nil {
				t.Answered[c.VIP] = map[string]int{}
			}
			t.Answered[c.VIP][backends[0]]++
		}
	}
	for step, d := range took {
		t.Latency = append(t.Latency, percentiles(step, d))
	}
	slices.SortFunc(t.Latency, func(a, b latency) int { return strings.Compare(a.Step, b.Step) })
	return t
}

// percentiles by nearest rank. It sorts d, which must not be empty.
func percentiles(step string, d []time.Duration) latency {
	slices.Sort(d)
	rank := func(percent int) time.Duration { return d[(len(d)*percent+99)/100-1] }
	return latency{Step: step, Count: len(d), P50: rank(50), P90: rank(90), P99: rank(99), Max: d[len(d)-1]}
}

// spreadFloor is the expected number of connections above which a backend without
// any is a fault: by chance that comes about once in e^20.
const spreadFloor = 20

// spread reports backends that a VIP should have reached and did not, and answers
// from backends that it should not have.
func (t *tally) spread(backends []backend) {
	for _, v := range vips {
		answered := t.Answered[v.name]
		total := 0
		for name, n := range answered {
			total += n
			if !slices.ContainsFunc(backends, func(b backend) bool { return b.name == name }) {
				t.fault("%s: answered by %s, which is in no pool", v.name, name)
			}
		}
		for _, b := range backends {
			if answered[b.name] == 0 && total/len(backends) >= spreadFloor {
				t.fault("%s: %s answered none of %d connections", v.name, b.name, total)
			}
		}
	}
}

// families reports an address family of which no request was complete.
func (t *tally) families() {
	for _, family := range []struct {
		name string
		is6  bool
	}{{"IPv4", false}, {"IPv6", true}} {
		answered := 0
		for _, v := range vips {
			if v.addr.Is6() == family.is6 {
				for _, n := range t.Answered[v.name] {
					answered += n
				}
			}
		}
		if answered == 0 {
			t.fault("no connection over %s was answered", family.name)
		}
	}
}
