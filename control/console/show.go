package console

import (
	"context"
	"errors"
	"slices"
	"time"

	"guideway/lcore"
)

// answerTime is how long cores may take to give their counters.
const answerTime = 500 * time.Millisecond

// seen is what most answers are made from: the cores' counters, and what is in
// effect, which is no older.
type seen struct {
	Status
	reports []*lcore.Report
	note    string // what of the counters is old; "": nothing
	silent  []int  // CPUs whose cores did not answer
}

func (c *call) look() seen {
	ctx, cancel := context.WithTimeout(c.ctx, answerTime)
	defer cancel()
	reports, err := c.node.Reports(ctx)
	s := seen{Status: c.node.Status(), reports: reports}
	if err != nil {
		s.note = "some counters are old: " + err.Error()
		var silent *lcore.SilentError
		if errors.As(err, &silent) {
			s.silent = silent.CPUs
		}
	}
	return s
}

// Noted is part of answers that have counters.
type Noted struct {
	Note string `json:"note"` // what of the counters is old; "": nothing
}

func (n Noted) text(p *page) {
	if n.Note != "" {
		p.line("%s\n", n.Note)
	}
}

// vipNames, poolNames and backendNames are what may be asked for.
func vipNames(n Node) (names []string) {
	for _, v := range n.Status().Plan.VIPs {
		names = append(names, v.Name)
	}
	return names
}

func poolNames(n Node) (names []string) {
	for _, p := range n.Status().Config.Pools {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

func backendNames(n Node) (names []string) {
	for _, v := range n.Status().Plan.VIPs {
		for _, b := range v.Backends {
			names = append(names, b.Address.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// then makes a completion of what may come at each place.
func then(places ...func(Node) []string) func(Node, []string) []string {
	return func(n Node, done []string) []string {
		if len(done) >= len(places) {
			return nil
		}
		return places[len(done)](n)
	}
}

// literally is a place for one of some words.
func literally(words ...string) func(Node) []string {
	return func(Node) []string { return words }
}
