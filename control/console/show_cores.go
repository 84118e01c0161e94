package console

import (
	"slices"
	"strconv"

	"guideway/lcore"
)

func showCores() *command {
	return &command{
		name: "show cores", watched: true,
		short: "poll loops: whether they run, by which snapshot, and how busy they are",
		long: `A core that does not answer is stalled, and what stands beside it is old. One that is
behind works by an older snapshot than the last.
BUSY is the share of its time in turns that found packets, since the start. GAP
is the longest time between two polls since somebody asked before.`,
		example: "watch show cores",
		run: func(c *call) (answer, error) {
			if err := showCores().most(0, c.args); err != nil {
				return nil, err
			}
			s := c.look()
			a := &coreList{Generation: s.Plan.Snapshot.Generation, Cores: []coreRow{}}
			a.Note = s.note
			for i, r := range s.reports {
				a.Cores = append(a.Cores, s.coreRow(i, r))
			}
			return a, nil
		},
	}
}

type coreRow struct {
	CPU        int     `json:"cpu"`
	Known      bool    `json:"known"`   // it has given its counters at least once
	Answers    bool    `json:"answers"` // it has done so just now
	Generation uint64  `json:"generation"`
	Busy       float64 `json:"busy"` // 0..1
	Gap        Seconds `json:"gap_seconds"`
	Turns      uint64  `json:"turns"`
	Empty      uint64  `json:"empty_turns"`
	Received   uint64  `json:"received"`
	Bytes      uint64  `json:"received_bytes"`
	Taken      uint64  `json:"taken"` // from other cores
	Forwarded  uint64  `json:"forwarded"`
	Dropped    uint64  `json:"dropped"`
	Misspread  uint64  `json:"misspread"` // of the packets looked at, those that came to another core than the device says
}

type coreList struct {
	Noted
	Generation uint64    `json:"generation"` // that all should have
	Cores      []coreRow `json:"cores"`
}

// delivered are the verdicts of frames that went where they should, or to
// another core that goes on with them. All others are drops.
var delivered = map[lcore.Verdict]bool{
	lcore.Forwarded: true, lcore.Redirected: true, lcore.Relayed: true, lcore.EchoAnswered: true, lcore.PortRefused: true,
	lcore.VIPUnreachable: true, lcore.TooBigAnswered: true, lcore.ToKernel: true, lcore.FromKernel: true, lcore.HandedOver: true,
}

// cpu names a core that may never have answered.
func (s *seen) cpu(i int, r *lcore.Report) int {
	switch {
	case r != nil:
		return r.CPU
	case i < len(s.Config.DPDK.Lcores):
		return s.Config.DPDK.Lcores[i]
	}
	return -1
}

func (s *seen) coreRow(i int, r *lcore.Report) coreRow {
	row := coreRow{CPU: s.cpu(i, r)}
	row.Answers = !slices.Contains(s.silent, row.CPU)
	if r == nil {
		return row
	}
	row.Known, row.Generation, row.Gap, row.Turns, row.Empty = true, r.Generation, Seconds(r.Gap), r.Turns, r.EmptyTurns
	row.Received, row.Bytes, row.Taken, row.Misspread = r.Received, r.ReceivedBytes, r.Taken, r.SpreadMisses
	if all := r.Busy + r.Free; all > 0 {
		row.Busy = float64(r.Busy) / float64(all)
	}
	for v, n := range r.Verdicts {
		switch verdict := lcore.Verdict(v); {
		case verdict == lcore.Forwarded:
			row.Forwarded = n
		case !delivered[verdict]:
			row.Dropped += n
		}
	}
	return row
}

func (a *coreList) text(p *page) {
	a.Noted.text(p)
	p.line("generation %d", a.Generation)
	t := newTable(">CPU", "STATE", ">GENERATION", ">BUSY", ">GAP", ">TURNS", ">EMPTY", ">RECEIVED", ">BYTES", ">TAKEN", ">FORWARDED", ">DROPPED", ">MISSPREAD")
	for _, r := range a.Cores {
		if !r.Known {
			t.row(r.CPU, "never answered", "", "", "", "", "", "", "", "", "", "", "")
			continue
		}
		state := "current"
		switch {
		case !r.Answers:
			state = "stalled"
		case r.Generation < a.Generation:
			state = "behind"
		}
		t.row(r.CPU, state, r.Generation, percent(r.Busy), r.Gap, count(r.Turns), count(r.Empty), count(r.Received), size(r.Bytes), count(r.Taken),
			count(r.Forwarded), count(r.Dropped), count(r.Misspread))
	}
	p.table(t, "there is no core")
}

func showCounters() *command {
	return &command{
		name: "show counters", args: "[all]", watched: true,
		short:    "how every frame ended, by core; with all, also what never happened",
		long:     "What each verdict means is in docs/metrics.md. OUTCOMES and HELD are together\nwhat was received, taken from other cores and made here: every frame ends once.",
		example:  "show counters",
		complete: then(literally("all")),
		run: func(c *call) (answer, error) {
			if len(c.args) > 1 || len(c.args) == 1 && c.args[0] != "all" {
				return nil, showCounters().usage("%q is not understood", c.args[0])
			}
			s := c.look()
			a := &counterList{CPUs: []int{}, Sources: []counterRow{}, Outcomes: []counterRow{}}
			a.Note = s.note
			for i, r := range s.reports {
				a.CPUs = append(a.CPUs, s.cpu(i, r))
			}
			a.source("received", s.reports, func(r *lcore.Report) uint64 { return r.Received })
			a.source("taken", s.reports, func(r *lcore.Report) uint64 { return r.Taken })
			a.source("made", s.reports, func(r *lcore.Report) uint64 { return r.Made })
			for v := range lcore.Verdicts {
				row := newCounterRow(v.String(), s.reports, func(r *lcore.Report) uint64 { return r.Verdicts[v] })
				if row.Sum > 0 || len(c.args) == 1 {
					a.Outcomes = append(a.Outcomes, row)
				}
			}
			a.Outcomes = append(a.Outcomes, newCounterRow("held", s.reports, func(r *lcore.Report) uint64 { return r.Fragments.Held }))
			return a, nil
		},
	}
}

type counterRow struct {
	Name  string   `json:"name"`
	Sum   uint64   `json:"sum"`
	Cores []uint64 `json:"cores"` // as counterList.CPUs
}

func newCounterRow(name string, reports []*lcore.Report, of func(*lcore.Report) uint64) counterRow {
	row := counterRow{Name: name, Cores: []uint64{}}
	for _, r := range reports {
		n := uint64(0)
		if r != nil {
			n = of(r)
		}
		row.Cores, row.Sum = append(row.Cores, n), row.Sum+n
	}
	return row
}

type counterList struct {
	Noted
	CPUs     []int        `json:"cpus"`
	Sources  []counterRow `json:"sources"`
	Outcomes []counterRow `json:"outcomes"`
}

func (a *counterList) source(name string, reports []*lcore.Report, of func(*lcore.Report) uint64) {
	a.Sources = append(a.Sources, newCounterRow(name, reports, of))
}

func (a *counterList) text(p *page) {
	a.Noted.text(p)
	for i, part := range []struct {
		title string
		rows  []counterRow
	}{{"FRAMES", a.Sources}, {"OUTCOMES", a.Outcomes}} {
		if i > 0 {
			p.line("")
		}
		heads := []string{part.title, ">ALL"}
		for _, cpu := range a.CPUs {
			heads = append(heads, ">CPU "+strconv.Itoa(cpu))
		}
		t := newTable(heads...)
		for _, r := range part.rows {
			cells := []any{r.Name, count(r.Sum)}
			for _, n := range r.Cores {
				cells = append(cells, count(n))
			}
			t.row(cells...)
		}
		p.table(t, "nothing")
	}
}

// A perCore is one core's part of an answer, with nothing where it never
// answered.
type perCore[T any] struct {
	CPU   int  `json:"cpu"`
	Known bool `json:"known"`
	Stats T    `json:"stats"`
}

func perCores[T any](s *seen, of func(*lcore.Report) T) []perCore[T] {
	all := []perCore[T]{}
	for i, r := range s.reports {
		one := perCore[T]{CPU: s.cpu(i, r), Known: r != nil}
		if r != nil {
			one.Stats = of(r)
		}
		all = append(all, one)
	}
	return all
}

func showConntrack() *command {
	return &command{
		name: "show conntrack", watched: true,
		short: "connection tables: how full, and what happened in them",
		long: `EVICTED are connections of one packet that gave way to others, FULL are those that
got no entry: both are forwarded by the lookup table.`,
		example: "show conntrack",
		run: func(c *call) (answer, error) {
			if err := showConntrack().most(0, c.args); err != nil {
				return nil, err
			}
			s := c.look()
			a := &conntrackList{Flows: s.Config.Conntrack.FlowsPerCore, Kept: s.Kept, TakenOver: s.TakenOver, Cores: perCores(&s, func(r *lcore.Report) conntrackStats { return conntrackStats(r.Conntrack) })}
			a.Note = s.note
			return a, nil
		},
	}
}

// conntrackStats is conntrack.Stats with names for JSON.
type conntrackStats struct {
	Entries   uint64 `json:"entries"`
	Inserts   uint64 `json:"inserts"`
	Moves     uint64 `json:"moves"`
	Expiries  uint64 `json:"expiries"`
	Evictions uint64 `json:"evictions"`
	Full      uint64 `json:"full"`
}

type conntrackList struct {
	Noted
	Flows     int                       `json:"flows_per_core"`
	Kept      bool                      `json:"kept"`
	TakenOver uint64                    `json:"taken_over"`
	Cores     []perCore[conntrackStats] `json:"cores"`
}

func (a *conntrackList) text(p *page) {
	a.Noted.text(p)
	if a.Kept {
		p.line("the next process goes on with these tables; this one has taken over %s flows", count(a.TakenOver))
	} else {
		p.line("these tables end with the process; see [conntrack].keep")
	}
	t := newTable(">CPU", ">ENTRIES", ">OF", ">FULL TO", ">INSERTED", ">MOVED", ">EXPIRED", ">EVICTED", ">FULL")
	for _, c := range a.Cores {
		s := c.Stats
		t.row(c.CPU, count(s.Entries), count(a.Flows), percent(float64(s.Entries)/float64(max(a.Flows, 1))), count(s.Inserts), count(s.Moves), count(s.Expiries),
			count(s.Evictions), count(s.Full))
	}
	p.table(t, "there is no core")
}

func showFragments() *command {
	return &command{
		name: "show fragments", watched: true,
		short: "fragments: whose backend is known, who waits for a first one, what was lost",
		long: `DATAGRAMS is of how many the backend is remembered, WAITING of how many the first
fragment is awaited. Which node owns what is in show nodes.`,
		example: "show fragments",
		run: func(c *call) (answer, error) {
			if err := showFragments().most(0, c.args); err != nil {
				return nil, err
			}
			s := c.look()
			a := &fragmentList{Limit: s.Config.Fragments.Held, Cores: perCores(&s, func(r *lcore.Report) fragmentStats { return fragmentStats(r.Fragments) })}
			a.Note = s.note
			return a, nil
		},
	}
}

// fragmentStats is fragments.Stats with names for JSON.
type fragmentStats struct {
	Datagrams  uint64 `json:"datagrams"`
	Waiting    uint64 `json:"waiting"`
	Held       uint64 `json:"held"`
	HeldBytes  uint64 `json:"held_bytes"`
	Firsts     uint64 `json:"firsts"`
	Followed   uint64 `json:"followed"`
	Kept       uint64 `json:"kept"`
	Released   uint64 `json:"released"`
	Spoiled    uint64 `json:"spoiled"`
	Expired    uint64 `json:"expired"`
	PushedOut  uint64 `json:"pushed_out"`
	Drained    uint64 `json:"drained"`
	Refused    uint64 `json:"refused"`
	Overlapped uint64 `json:"overlapped"`
	Forgotten  uint64 `json:"forgotten"`
}

type fragmentList struct {
	Noted
	Limit int                      `json:"held_per_core"`
	Cores []perCore[fragmentStats] `json:"cores"`
}

func (a *fragmentList) text(p *page) {
	a.Noted.text(p)
	p.line("at most %s fragments are held by a core", count(a.Limit))
	now := newTable(">CPU", ">DATAGRAMS", ">WAITING", ">HELD", ">HELD BYTES", ">FIRST", ">FOLLOWED", ">KEPT", ">RELEASED")
	lost := newTable(">CPU", ">EXPIRED", ">PUSHED OUT", ">REFUSED", ">SPOILED", ">OVERLAPPED", ">DRAINED", ">FORGOTTEN")
	for _, c := range a.Cores {
		s := c.Stats
		now.row(c.CPU, count(s.Datagrams), count(s.Waiting), count(s.Held), size(s.HeldBytes), count(s.Firsts), count(s.Followed), count(s.Kept), count(s.Released))
		lost.row(c.CPU, count(s.Expired), count(s.PushedOut), count(s.Refused), count(s.Spoiled), count(s.Overlapped), count(s.Drained), count(s.Forgotten))
	}
	p.table(now, "there is no core")
	p.line("\nLOST")
	p.table(lost, "there is no core")
}
