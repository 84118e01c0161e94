package bench

import (
	"os"
	"path/filepath"
	"slices"

	"guideway/test/plot"
)

// figures are SVGs of results, by file name.
func (r *results) figures() map[string][]byte {
	all := map[string][]byte{}
	if f := r.byFlows("memif"); len(f.Series) > 0 {
		all["flows.svg"] = f.SVG()
	}
	if f := r.byLcores("cores"); len(f.Series) > 0 {
		all["cores.svg"] = f.SVG()
	}
	for _, port := range []string{"memif", "af_xdp"} {
		if f := r.latencies(port); len(f.Series) > 0 {
			all["latency-"+port+".svg"] = f.SVG()
		}
	}
	return all
}

// write puts the figures into dir, which it makes.
func (r *results) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, svg := range r.figures() {
		if err := os.WriteFile(filepath.Join(dir, name), svg, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// byFlows is what a packet costs over the number of flows, beside the yardstick, which
// knows none.
func (r *results) byFlows(port string) *plot.Lines {
	f := &plot.Lines{
		Title: "Time of a packet on " + port + ", best round",
		X:     plot.Axis{Label: "flows", Log: true}, Y: plot.Axis{Label: "ns"},
	}
	best := func(row *row) float64 { return slices.Min(row.each(func(s sample) float64 { return s.perPacket })) }
	families := []plot.Series{{Name: "guidewayd, IPv4"}, {Name: "guidewayd, IPv6"}}
	for _, row := range *r {
		if c := row.contender; row.port.name == port && c.testpmd == "" && !c.latency {
			s := &families[0]
			if c.ipv6 {
				s = &families[1]
			}
			s.X, s.Y = append(s.X, float64(c.flows)), append(s.Y, best(row))
		}
	}
	families = slices.DeleteFunc(families, func(s plot.Series) bool { return len(s.X) == 0 })
	if len(families) == 0 {
		return f
	}
	f.Series = append(f.Series, families...)
	flows := families[0].X
	for _, row := range *r {
		if c := row.contender; row.port.name == port && c == row.port.yard(contender{}) {
			y := best(row)
			f.Series = append(f.Series, plot.Series{Name: "testpmd " + c.testpmd, X: []float64{slices.Min(flows), slices.Max(flows)}, Y: []float64{y, y}})
		}
	}
	return f
}

// byLcores is what lcores carry together, beside so many times what one does.
func (r *results) byLcores(port string) *plot.Lines {
	f := &plot.Lines{
		Title: "Packets a second by lcores, best round", X: plot.Axis{Label: "lcores"}, Y: plot.Axis{Label: "Mpps"},
	}
	device, software := plot.Series{Name: "a queue for each"}, plot.Series{Name: "one receives for both"}
	linear := plot.Series{Name: "so many times one", Dots: true}
	for _, row := range *r {
		if row.port.name != port || row.contender.testpmd != "" {
			continue
		}
		n, y := float64(row.contender.lcores), slices.Max(row.each(func(s sample) float64 { return s.delivered / 1e6 }))
		switch {
		case row.contender.steered:
			software.X, software.Y = append(software.X, n), append(software.Y, y)
			continue
		case n == 1:
			software.X, software.Y = append(software.X, n), append(software.Y, y)
		}
		device.X, device.Y = append(device.X, n), append(device.Y, y)
		linear.X, linear.Y = append(linear.X, n), append(linear.Y, n*device.Y[0])
	}
	if len(device.X) > 1 { // -run left out some
		f.Series = []plot.Series{device, software, linear}
	}
	return f
}

// latencies are the percentiles at half load.
func (r *results) latencies(port string) *plot.Bars {
	f := &plot.Bars{
		Title: "Latency at half of what testpmd carries on " + port + ", best round", Groups: []string{"p50", "p90", "p99", "p99.9", "p99.99"},
		Y: plot.Axis{Label: "us", Log: true},
	}
	for _, row := range *r {
		if row.port.name != port || !row.contender.latency {
			continue
		}
		bar := plot.Bar{Name: row.contender.name()}
		for _, at := range []func(sample) float64{
			func(s sample) float64 { return us(s.latency.P50) }, func(s sample) float64 { return us(s.latency.P90) },
			func(s sample) float64 { return us(s.latency.P99) }, func(s sample) float64 { return us(s.latency.P999) },
			func(s sample) float64 { return us(s.latency.P9999) },
		} {
			bar.Values = append(bar.Values, slices.Min(row.each(at)))
		}
		f.Series = append(f.Series, bar)
	}
	return f
}
