package plot

import "fmt"

// Bars is a figure of values side by side, in groups.
type Bars struct {
	Title  string
	Groups []string
	Y      Axis
	Series []Bar
}

// A Bar is one bar in each group. It stands on zero, or hangs between Low and
// the value.
type Bar struct {
	Name   string
	Values []float64 // by group
	Low    []float64 // by group; nil: zero, or the lower end of a logarithmic axis
}

// SVG draws the figure.
func (b *Bars) SVG() []byte {
	c := newCanvas(b.Title, len(b.Series))
	var all []float64
	for _, s := range b.Series {
		all = append(append(all, s.Values...), s.Low...)
	}
	y := c.vertical(b.Y, all)
	c.values(y)
	c.base("")
	group := float64(width-left-right) / float64(len(b.Groups))
	bar := 0.8 * group / float64(len(b.Series))
	for g, name := range b.Groups {
		from := left + group*float64(g)
		c.text(from+group/2, height-bottom+20, "middle", name, "")
		for i, s := range b.Series {
			low := max(0, y.Min)
			if s.Low != nil {
				low = s.Low[g]
			}
			value := s.Values[g]
			if value < y.Min { // zero on a logarithmic axis: there is nothing to see
				continue
			}
			upper, lower := y.at(max(value, low)), y.at(min(value, low))
			x := from + 0.1*group + bar*float64(i)
			fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x+1, upper-0.5, bar-2, lower-upper+1, colour(i))
		}
	}
	for i, s := range b.Series {
		c.entry(i, s.Name, func(x, y float64) {
			fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="10" height="10" fill="%s"/>`+"\n", x-5, y-5, colour(i))
		})
	}
	return c.finish()
}
