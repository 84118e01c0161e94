package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"guideway/test/plot"
)

// gone are the numbers of backends of 1000 that figure 12 takes away.
var gone = []int{1, 5, 10, 15, 20, 25, 29}

// figure12 is the paper's: read off its plot, and by an independent run of the
// algorithm; in percent of the table, by gone.
var figure12 = []struct {
	size       int
	read, run  []float64
	within     float64 // of the independent run
	runs, test int     // how often; enough that the mean is settled within that
}{
	{small, []float64{0.60, 1.79, 2.30, 2.29, 2.62, 2.8, 2.77}, []float64{0.58, 1.81, 2.34, 2.27, 2.63, 2.83, 2.76}, 0.10, 200, 60},
	{large, []float64{0.33, 0.46, 0.57, 0.63, 0.70, 0.74, 0.78}, []float64{0.33, 0.47, 0.58, 0.63, 0.70, 0.75, 0.79}, 0.05, 24, 4},
}

// without returns the backends of which k at random do not serve.
func without(backends, k int, random *rand.Rand) []bool {
	serves := all(backends)
	for _, b := range random.Perm(backends)[:k] {
		serves[b] = false
	}
	return serves
}

// disruption takes k random backends away, so many times, and tells what part
// of the table changes hands although its backend stays, in percent.
func disruption(m method, size, k, runs int) sample {
	before := m.fill(all(backends), size)
	results := make([]float64, runs)
	parallel(runs, func(run int) {
		serves := without(backends, k, rand.New(rand.NewPCG(uint64(run), uint64(k))))
		results[run] = moved(before, m.fill(serves, size), serves)
	})
	return summary(results)
}

// moved returns how much of a table has another backend than before though
// that one serves, in percent.
func moved(before, after []uint16, serves []bool) float64 {
	n := 0
	for i, b := range before {
		if serves[b] && after[i] != b {
			n++
		}
	}
	return 100 * float64(n) / float64(len(before))
}

// showDisruption is claim 4: figure 12 of the paper.
func showDisruption(r *report) {
	figure := &plot.Lines{Title: "Slots that change hands although their backend stays, 1000 backends", X: plot.Axis{Label: "backends that fail, %"}, Y: plot.Axis{Label: "% of the table"}}
	var percent []float64
	head := []string{"backends gone, %"}
	for _, k := range gone {
		percent = append(percent, 100*float64(k)/backends)
		head = append(head, fmt.Sprintf("%.1f", 100*float64(k)/backends))
	}
	t := r.table("disruption", head...)
	worst := map[int]float64{}
	for _, f := range figure12 {
		runs := r.pick(f.runs, f.test)
		read, ours := []string{fmt.Sprintf("%d slots, the paper (read off its plot)", f.size)}, []string{fmt.Sprintf("%d slots, here (mean of %d)", f.size, runs)}
		var means []float64
		for i, k := range gone {
			s := disruption(maglevMethod(0), f.size, k, runs)
			off := math.Abs(s.mean - f.run[i])
			r.hold(off <= f.within, "%d slots, %d of 1000 gone: %.3f %% of slots moved, want %.2f +- %.2f", f.size, k, s.mean, f.run[i], f.within)
			r.hold(s.sigma < f.within/2, "%d slots, %d of 1000 gone: a standard error of %.3f settles nothing within %.2f", f.size, k, s.sigma, f.within)
			read, ours = append(read, fmt.Sprintf("%.2f", f.read[i])), append(ours, fmt.Sprintf("%.2f", s.mean))
			means = append(means, s.mean)
			worst[f.size] = max(worst[f.size], off)
		}
		t.add(read...)
		t.add(ours...)
		figure.Series = append(figure.Series,
			plot.Series{Name: fmt.Sprintf("%d slots", f.size), X: percent, Y: means},
			plot.Series{Name: fmt.Sprintf("%d slots, read off the paper's figure 12", f.size), X: percent, Y: f.read, Dots: true})
	}
	r.figures["disruption"] = figure
	r.claim(4, "slots that change hands, of backends that stay", "figure 12: 0.6 to 2.8 % and 0.3 to 0.8 % of 65537 and 655373 slots",
		fmt.Sprintf("within %.2f and %.2f points of an independent run of the algorithm", worst[small], worst[large]), "figure [disruption](claims/disruption.svg)")

	const one = 10 // of 1000
	others := []string{}
	for _, m := range []method{karger(1, backends), rendezvous(1), modulo()} {
		s := disruption(m, small, one, 2)
		if m.name == "modulo" {
			r.hold(s.least > 95, "modulo: only %.1f %% of slots moved", s.least)
		} else {
			r.hold(s.most == 0, "%s: %.3f %% of slots moved", m.name, s.most)
		}
		others = append(others, fmt.Sprintf("%s %.2g %%", m.name, s.mean))
	}
	r.claim(4, "the same for other methods, 1 % gone, 65537 slots", "Karger and rendezvous none, by construction", strings.Join(others, ", "), "2 runs each")
}
