package main

import (
	"fmt"
	"math"
	"slices"

	"guideway/test/plot"
)

// A bench is what scenarios are played on: as many backends as in the paper's
// figures, eight nodes.
type bench struct {
	*report
	site
	connections int
	own         method // Maglev hashing
}

func newBench(r *report) *bench {
	s := site{nodes: 8, backends: backends, size: small, cores: 1, rxQueues: 1, flows: 1 << 16}
	if r.short { // as many slots a backend
		s.backends, s.size, s.flows = backends/10, 6553, 1<<14
	}
	return &bench{r, s, r.pick(100_000, 6_000), cached(maglevMethod(0))}
}

// real plays a scenario with the product, and holds every connection to where
// the model of it has it.
func (b *bench) real(way *scenario, tracks bool, route router) outcome {
	name := fmt.Sprintf("%s (tracked: %t)", way.name, tracks)
	f, err := newRealFleet(b.site, tracks)
	if !b.need(err, name) {
		return outcome{all: b.connections}
	}
	o, err := way.run(f, route, b.connections)
	if b.need(err, name) {
		b.need(f.books(), name)
		want, _ := way.run(newModelFleet(b.own, b.site, tracks), route, b.connections)
		b.hold(o.lost == want.lost && o.broken == want.broken && slices.Equal(o.to, want.to),
			"%s: %d of %d broken, by the model %d, or at another backend", name, o.broken, o.all, want.broken)
	}
	return o
}

// showBreakage is claims 11 to 13: which connections break when backends
// change, when nodes change, and when both do.
func showBreakage(r *report) {
	b := newBench(r)
	list := ways(b.nodes, b.backends, b.backends/100)
	figure := &plot.Bars{Title: "Connections that break though their backend serves: 8 nodes, 1 % of backends",
		Y: plot.Axis{Label: "% of connections (no bar: none)", Log: true, Min: 0.01, Max: 100}}
	head := []string{"% of connections broken"}
	for _, way := range list {
		head = append(head, way.name)
		figure.Groups = append(figure.Groups, way.short)
	}
	t := r.table("breakage", head...)
	contestants := b.contestants()
	outcomes := make([]outcome, len(contestants)*len(list))
	parallel(len(outcomes), func(i int) { outcomes[i] = contestants[i/len(list)].play(list[i%len(list)]) })
	for at, c := range contestants {
		cells, bar := []string{"**" + c.name + "**"}, plot.Bar{Name: c.name}
		if !c.product {
			cells[0] = c.name
		}
		for i := range list {
			o := outcomes[at*len(list)+i]
			cells = append(cells, o.String())
			bar.Values = append(bar.Values, o.percent())
			b.judge(i, c, o)
		}
		t.add(cells...)
		if c.drawn {
			figure.Series = append(figure.Series, bar)
		}
	}
	r.figures["breakage"] = figure
	r.claim(11, "backends change, nodes stay: connections of backends that serve", "kept by the connection table", "none breaks (without the table as many as slots move)", "figure [breakage](claims/breakage.svg)")
	r.claim(12, "nodes change, backends stay", "kept by consistent hashing", "none breaks, with the table or without", "the same")
}

// A contestant is who plays a scenario.
type contestant struct {
	name    string
	method  string
	product bool // and not a model
	drawn   bool
	tracks  bool
	play    func(*scenario) outcome
}

func (b *bench) contestants() (list []contestant) {
	list = []contestant{
		{name: "Maglev, tracked", product: true, drawn: true, tracks: true, play: func(s *scenario) outcome { return b.real(s, true, plain) }},
		{name: "Maglev, tracked, resilient ECMP", product: true, drawn: true, tracks: true, play: func(s *scenario) outcome { return b.real(s, true, resilient) }},
		{name: "Maglev, not tracked", product: true, drawn: true, play: func(s *scenario) outcome { return b.real(s, false, plain) }},
	}
	for i := range list {
		list[i].method = "Maglev"
	}
	for _, m := range []method{cached(karger(1, b.backends)), cached(rendezvous(1)), modulo()} {
		for _, tracks := range []bool{true, false} {
			name := m.name + ", tracked"
			if !tracks {
				name = m.name + ", not tracked"
			}
			list = append(list, contestant{name: name, method: m.name, tracks: tracks, drawn: tracks && m.name != "rendezvous", play: func(s *scenario) outcome {
				o, err := s.run(newModelFleet(m, b.site, tracks), plain, b.connections)
				b.need(err, name)
				return o
			}})
		}
	}
	return list
}

// judge holds an outcome to what must be so.
func (b *bench) judge(way int, c contestant, o outcome) {
	share := o.percent()
	switch {
	case way == nodeFails || way == nodeComes:
		b.hold(o.broken == 0, "%s: %d broken though backends stayed", c.name, o.broken)
	case (way == backendsFail || way == backendsCome) && c.tracks:
		b.hold(o.broken == 0, "%s: %d broken though nodes stayed", c.name, o.broken)
	case c.method == "modulo" && way != rollingUpgrade: // untracked, or moved to other nodes
		b.hold(share > 50, "%s, %d: only %.1f %% broken", c.name, way, share)
	case c.method == "Maglev" && way != rollingUpgrade:
		b.hold(share > 0 && share < 5, "%s, %d: %.2f %% broken", c.name, way, share)
	case way == backendsFail || way == bothFail: // Karger's and rendezvous tables move nothing
		b.hold(o.broken == 0, "%s: %d broken though no slot moved", c.name, o.broken)
	}
	if way == rollingUpgrade && c.method == "modulo" {
		b.hold(share > 25, "%s: only %.1f %% broken in a rolling upgrade", c.name, share)
	}
}

// showBoth is claim 13: where both change, connections break in proportion to
// the slots that move and to the connections that come to another node.
func showBoth(r *report) {
	b := newBench(r)
	figure := &plot.Lines{Title: "A node of 8 and backends of 1000 fail at once: connections of the others that break",
		X: plot.Axis{Label: "backends that fail, %"}, Y: plot.Axis{Label: "% of connections"}}
	kinds := []struct {
		name   string
		route  router
		tracks bool
	}{
		{"not tracked", plain, false},
		{"tracked, plain ECMP", plain, true},
		{"tracked, resilient ECMP", resilient, true},
	}
	failing := gone
	if r.short {
		failing = []int{1, 2}
	}
	head := []string{"backends that fail, %"}
	for _, k := range failing {
		head = append(head, fmt.Sprintf("%.1f", b.percent(k)))
	}
	t := r.table("both", head...)
	var product, worst float64
	outcomes := make([]outcome, len(kinds)*len(failing))
	parallel(len(outcomes), func(i int) {
		kind := kinds[i/len(failing)]
		outcomes[i] = b.real(ways(b.nodes, b.backends, failing[i%len(failing)])[bothFail], kind.tracks, kind.route)
	})
	for at, kind := range kinds {
		line, cells := plot.Series{Name: kind.name}, []string{"% broken, " + kind.name}
		for i, k := range failing {
			way := ways(b.nodes, b.backends, k)[bothFail]
			o := outcomes[at*len(failing)+i]
			from, to := way.steps[0], way.steps[1]
			shuffled := 1.0
			if kind.tracks {
				shuffled = b.shuffled(kind.route, from.nodes, to.nodes)
			}
			m := b.own
			slots := moved(m.fill(from.serves, b.size), m.fill(to.serves, b.size), to.serves) / (1 - float64(k)/float64(b.backends))
			want, margin := slots*shuffled, 100*4*math.Sqrt(slots/100*shuffled/float64(b.connections))
			b.hold(math.Abs(o.percent()-want) < margin, "%s, %d backends fail: %.3f %% broken, want %.3f +- %.3f", kind.name, k, o.percent(), want, margin)
			worst = max(worst, math.Abs(o.percent()-want))
			line.X, line.Y = append(line.X, b.percent(k)), append(line.Y, o.percent())
			cells = append(cells, fmt.Sprintf("%.2f", o.percent()))
			if kind.tracks && k == b.backends/100 {
				product = max(product, o.percent())
			}
		}
		figure.Series = append(figure.Series, line)
		t.add(cells...)
	}
	r.figures["both"] = figure
	r.claim(13, "nodes and backends change at once", "not said", fmt.Sprintf("breaks = slots moved × connections that change nodes, within %.2f points; at 1 %% of backends and one of 8 nodes at most %.2f %%", worst, product), "figure [both](claims/both.svg)")
}

// percent is so many backends of all.
func (b *bench) percent(k int) float64 { return 100 * float64(k) / float64(b.backends) }

// shuffled is the part of the connections that come to another node.
func (b *bench) shuffled(route router, before, after []bool) float64 {
	n := 0
	for c := range b.connections {
		if route(c, before) != route(c, after) {
			n++
		}
	}
	return float64(n) / float64(b.connections)
}
