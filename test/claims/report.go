package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// A report is what experiments find. They run one after another; within one,
// hold and need may be called from several goroutines.
type report struct {
	short   bool // the form that is part of every test
	claims  []claim
	tables  map[string]*table  // by name: that of its place in docs/claims.md
	figures map[string]drawing // likewise; and of its file

	mu     sync.Mutex
	faults []error // claims that do not hold
}

// A claim is a line of the summary.
type claim struct {
	number      int // in docs/claims.md
	what        string
	paper, ours string
	how         string
}

// A drawing is a figure of package plot.
type drawing interface{ SVG() []byte }

// A table is one of Markdown.
type table struct{ rows [][]string } // the first is the head

func newReport(short bool) *report {
	return &report{short: short, tables: map[string]*table{}, figures: map[string]drawing{}}
}

// pick returns how much to do.
func (r *report) pick(full, short int) int {
	if r.short {
		return short
	}
	return full
}

// claim adds a line to the summary.
func (r *report) claim(number int, what, paper, ours, how string) {
	r.claims = append(r.claims, claim{number, what, paper, ours, how})
}

// table begins a table.
func (r *report) table(name string, head ...string) *table {
	t := &table{rows: [][]string{head}}
	r.tables[name] = t
	return t
}

// hold notes a claim that does not hold.
func (r *report) hold(holds bool, format string, args ...any) {
	if !holds {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.faults = append(r.faults, fmt.Errorf(format, args...))
	}
}

// need notes what went wrong in an experiment, and tells whether nothing did.
func (r *report) need(err error, experiment string) bool {
	r.hold(err == nil, "%s: %v", experiment, err)
	return err == nil
}

// err joins the faults.
func (r *report) err() error { return errors.Join(r.faults...) }

// summary is the table of claims, in their order.
func (r *report) summary() *table {
	slices.SortStableFunc(r.claims, func(a, b claim) int { return cmp.Compare(a.number, b.number) })
	t := &table{rows: [][]string{{"", "claim", "the paper", "here", "how"}}}
	for _, c := range r.claims {
		t.add(fmt.Sprint(c.number), c.what, c.paper, c.ours, c.how)
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String is the table as Markdown.
func (t *table) String() string {
	var b strings.Builder
	for i, cells := range t.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
		}
	}
	return b.String()
}

// parallel runs do for 0..n-1 on all processors. What each does depends on its
// number alone, so the machine does not show.
func parallel(n int, do func(i int)) {
	var running sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for i := w; i < n; i += runtime.GOMAXPROCS(0) {
				do(i)
			}
		})
	}
	running.Wait()
}

// all returns a list of so many that all serve, or live.
func all(n int) []bool { return slices.Repeat([]bool{true}, n) }
