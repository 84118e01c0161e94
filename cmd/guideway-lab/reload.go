package main

import (
	"context"
	"fmt"
	"time"
)

// A reloadReport is what came of adding a backend in the middle of transfers.
type reloadReport struct {
	Added     string        `json:"added"`
	Took      time.Duration `json:"took_ns"` // from SIGHUP to "reloaded"
	Across    int           `json:"across"`  // transfers that began before the reload and ended after
	Transfers *tally        `json:"transfers"`
	Fresh     *tally        `json:"fresh"` // connections opened after the reload
}

// transfersPerVIP run across the reload, half of them down, half up. A quarter of
// all table slots move to a fourth backend: without connection tracking, at least
// one of the 24 would break but for once in a thousand runs.
const transfersPerVIP = 6

// demonstrateReload starts slow transfers, adds the spare to every pool while all
// of them run, and opens new connections.
func demonstrateReload(ctx context.Context, t topology, lb *balancer, config string) (*reloadReport, error) {
	transfers := uniformPlan(transfersPerVIP, transfersPerVIP*len(vips),
		[]string{stepSlowDown}, []string{stepSlowUp, stepSlowReturn})
	c, err := startClient(ctx, t, transfers)
	if err != nil {
		return nil, err
	}
	conns, err := c.underway(len(transfers.Jobs))
	if err != nil {
		return nil, err
	}

	r := &reloadReport{Added: t.spare.name}
	before := time.Now()
	if err := lb.reload(ctx, config); err != nil {
		return nil, err
	}
	after := time.Now()
	r.Took = after.Sub(before)

	// Enough connections that the new backend's silence would mean something.
	r.Fresh, err = fetch(ctx, t, uniformPlan(spreadFloor*len(t.built()), parallel, []string{stepHello}))
	if err != nil {
		return nil, fmt.Errorf("after the reload: %w", err)
	}
	r.Fresh.spread(t.built())

	rest, err := c.finish()
	if err != nil {
		return nil, fmt.Errorf("transfers across the reload: %w", err)
	}
	conns = append(conns, rest...)
	r.Transfers = judge(conns)
	for _, c := range conns {
		// The first step is the slow transfer.
		if x := c.Exchanges[0]; x.Start.Before(before) && x.End.After(after) {
			r.Across++
		}
	}
	if r.Across < len(transfers.Jobs) {
		r.Transfers.fault("only %d of %d transfers ran across the reload", r.Across, len(transfers.Jobs))
	}
	return r, nil
}
