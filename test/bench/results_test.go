package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"guideway/cmd/guideway-load/engine"
)

// results are samples by port and contender, in the order of the first round.
type results []*row

type row struct {
	port      port
	contender contender
	samples   map[int]sample // by round
}

func (r *results) add(p port, c contender, round int, s sample) {
	if found := r.find(p, c); found != nil {
		found.samples[round] = s
		return
	}
	*r = append(*r, &row{p, c, map[int]sample{round: s}})
}

func (r *results) find(p port, c contender) *row {
	for _, row := range *r {
		if row.port.name == p.name && row.contender == c {
			return row
		}
	}
	return nil
}

// lines are the samples as benchstat reads them.
func (r *results) lines() string {
	var b strings.Builder
	for _, row := range *r {
		for _, round := range sortedKeys(row.samples) {
			s := row.samples[round]
			fmt.Fprintf(&b, "BenchmarkWhole/port=%s/%s 1", row.port.name, row.contender.name())
			if l := s.latency; row.contender.latency && l != nil {
				fmt.Fprintf(&b, " %.1f p50-us %.1f p99-us %.1f p99.9-us %.1f p99.99-us", us(l.P50), us(l.P99), us(l.P999), us(l.P9999))
			} else {
				fmt.Fprintf(&b, " %.2f ns/packet %.3f Mpps %.0f cpu-%%", s.perPacket, s.delivered/1e6, 100*s.share)
				if row.port.generator != "" {
					fmt.Fprintf(&b, " %.1f refused-%%", 100*s.refused)
				}
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// percentiles are those that tables show.
var percentiles = []func(*engine.Latency) int64{
	func(l *engine.Latency) int64 { return l.P50 },
	func(l *engine.Latency) int64 { return l.P99 },
	p999,
	func(l *engine.Latency) int64 { return l.P9999 },
}

func p999(l *engine.Latency) int64 { return l.P999 }

func us(ns int64) float64 { return float64(ns) / 1000 }

func sortedKeys(m map[int]sample) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// table is the figures beside each other: nanoseconds for each packet, of turns of the
// loop that found some, best round and median; what that is beyond the yardstick's best; packets on
// the wall, best round; the ratio of that to the yardstick's best, and the median of the ratios in
// the same round; the share of their CPUs that polling threads had; and how much of what the
// generator had to give its port refused: much, where the contender is what limits.
// Where a polling thread had less than nine tenths of its CPU the round does not
// count, unless there is no other. Below that, percentiles of the latency, and what the
// 99.9th is beyond the yardstick's.
func (r *results) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "port\tcontender\tns/packet\tmedian\tbeyond\tMpps\tratio\tmedian\tof CPU\trefused")
	for _, row := range *r {
		if row.contender.latency {
			continue
		}
		yard := r.find(row.port, row.port.yard(row.contender))
		if yard == nil { // left out by -run
			yard = row
		}
		perPacket := row.each(func(s sample) float64 { return s.perPacket })
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%+.1f\t%.2f\t%s\t%.0f %%", row.port.name, row.contender.name(), slices.Min(perPacket), median(perPacket),
			slices.Min(perPacket)-slices.Min(yard.each(func(s sample) float64 { return s.perPacket })),
			slices.Max(row.each(func(s sample) float64 { return s.delivered / 1e6 })),
			ratios(row, yard, func(s sample) float64 { return s.delivered }),
			100*median(row.each(func(s sample) float64 { return s.share })))
		if row.port.generator != "" {
			fmt.Fprintf(w, "\t%.0f %%", 100*median(row.each(func(s sample) float64 { return s.refused })))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "\nport\tlatency at half load, us: best, median\tp50\tp99\tp99.9\tp99.99\tp99.9 beyond")
	for _, row := range *r {
		if !row.contender.latency {
			continue
		}
		yard := r.find(row.port, contender{testpmd: row.port.yardstick, latency: true})
		if yard == nil { // left out by -run
			yard = row
		}
		fmt.Fprintf(w, "%s\t%s", row.port.name, row.contender.name())
		for _, percentile := range percentiles {
			best, middle := row.latency(percentile)
			fmt.Fprintf(w, "\t%.1f, %.1f", best, middle)
		}
		best, middle := row.latency(p999)
		bestYard, middleYard := yard.latency(p999)
		fmt.Fprintf(w, "\t%+.1f, %+.1f\n", best-bestYard, middle-middleYard)
	}
	w.Flush()
	return b.String()
}

// each returns a figure of every round that counts.
func (r *row) each(figure func(sample) float64) (list []float64) {
	for _, s := range r.counting() {
		list = append(list, figure(s))
	}
	return list
}

// latency returns the best of a percentile and its median.
func (r *row) latency(percentile func(*engine.Latency) int64) (best, middle float64) {
	all := r.each(func(s sample) float64 { return us(percentile(s.latency)) })
	return slices.Min(all), median(all)
}

// counting returns the samples by round that were hardly disturbed; all, where there
// are none such.
func (r *row) counting() map[int]sample {
	quiet := maps.Clone(r.samples)
	maps.DeleteFunc(quiet, func(_ int, s sample) bool { return s.share < hardlyDisturbed })
	if len(quiet) == 0 {
		return r.samples
	}
	return quiet
}

// hardlyDisturbed is the share of their CPUs that polling threads had.
const hardlyDisturbed = 0.9

// ratios returns the ratio of the best to the yardstick's best, and the median of the
// ratios in the same round.
func ratios(r, yard *row, figure func(sample) float64) string {
	var list []float64
	for round, s := range r.counting() {
		if y, ok := yard.counting()[round]; ok && figure(y) > 0 {
			list = append(list, figure(s)/figure(y))
		}
	}
	if len(list) == 0 { // no round in which both count
		return "-\t-"
	}
	return fmt.Sprintf("%.2f\t%.2f", slices.Max(r.each(figure))/slices.Max(yard.each(figure)), median(list))
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	if n == 0 {
		return 0
	}
	return (list[(n-1)/2] + list[n/2]) / 2
}
