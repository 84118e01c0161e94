package main

import (
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"

	"guideway/control/config"
	"guideway/control/keep"
	"guideway/control/metrics"
	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/pmd/dpdk"
)

// makeTables makes a connection table for each lcore, on the NUMA node of the
// first port: where the next process finds it, or else in DPDK's memory. It goes
// on with those that the last process has left, if they fit.
func (n *node) makeTables() ([]*conntrack.Table, flow.Seed, error) {
	var seed [24]byte
	crand.Read(seed[:])
	word := binary.LittleEndian.Uint64
	ct := conntrack.Config{
		Flows:    n.cfg.Conntrack.FlowsPerCore,
		Timeouts: conntrack.Timeouts(n.cfg.Conntrack.Timeouts),
		Seed:     flow.Seed{A: word(seed[0:]), B: word(seed[8:]), C: word(seed[16:])},
	}
	if n.keep(ct) {
		return n.kept.Tables(), n.kept.Seed(), nil
	}
	var tables []*conntrack.Table
	size := conntrack.Bytes(ct.Flows)
	for _, cpu := range n.cfg.DPDK.Lcores {
		var err error
		if ct.Memory, err = n.eal.Alloc(size, n.ports[0].Info().Socket); err != nil {
			return nil, ct.Seed, fmt.Errorf("connection table of lcore %d: %d MiB do not fit [dpdk].memory: raise it, or lower [conntrack].flows_per_core: %w",
				cpu, size>>20, err)
		}
		table, err := conntrack.New(ct)
		if err != nil {
			return nil, ct.Seed, err
		}
		tables = append(tables, table)
	}
	return tables, ct.Seed, nil
}

// keep tells whether connection tables are kept for the next process.
func (n *node) keep(ct conntrack.Config) bool {
	dir := n.cfg.Conntrack.Keep
	n.unkept = keep.Off
	if dir == "" {
		return false
	}
	var err error
	n.kept, err = keep.Open(keep.Config{
		Dir: dir, Huge: n.cfg.DPDK.Huge, Node: n.ports[0].Info().Socket, Version: version, Spread: n.spreads(), Cores: len(n.cfg.DPDK.Lcores), Table: ct,
		Now: dpdk.Now(), Rate: dpdk.ClockRate(), Log: n.log,
	})
	if err == nil {
		return true
	}
	n.kept, n.unkept = nil, keep.Unusable
	if r := (*keep.Refusal)(nil); errors.As(err, &r) {
		n.unkept = r.Result
	}
	say := n.log.Warn
	if dir == config.UsualKeep(n.cfg.DPDK.Huge) && errors.Is(err, os.ErrNotExist) {
		say, n.unkept = n.log.Info, keep.Off // nobody has asked for it, and nobody has made it possible
	}
	say("connection tables end with this process", "error", err)
	return false
}

// spreads says in words what decides to which lcore a flow comes.
func (n *node) spreads() string {
	var b strings.Builder
	for i, p := range n.cfg.Ports {
		rss, steer := n.spread(i)
		fmt.Fprintf(&b, "%s: ", p.Name)
		switch {
		case steer:
			b.WriteString("by hash; ")
		case rss != nil:
			fmt.Fprintf(&b, "RSS of %v, key %08x, table %08x; ", rss.Kinds, crc32.ChecksumIEEE(rss.Key), crc32.ChecksumIEEE(fmt.Append(nil, rss.Table)))
		default:
			b.WriteString("as it comes; ")
		}
	}
	return b.String()
}

// takeover is what became of the tables that another process has left.
func (n *node) takeover() metrics.Takeover {
	t := metrics.Takeover{Tables: map[string]int{}, Kept: n.kept.Kept()}
	for _, result := range keep.Results() {
		t.Tables[result] = 0
	}
	if n.kept == nil {
		t.Tables[n.unkept] = len(n.cfg.DPDK.Lcores)
		return t
	}
	took := n.kept.Took()
	for result, tables := range took.Tables {
		t.Tables[result] = tables
	}
	t.Entries = map[string]uint64{"taken": took.Adoption.Taken, "expired": took.Adoption.Expired, "void": took.Adoption.Void, "dropped": took.Adoption.Dropped}
	return t
}
