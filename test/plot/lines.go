package plot

import "fmt"

// Lines is a figure of one value over another.
type Lines struct {
	Title  string
	X, Y   Axis
	Series []Series
}

// A Series is a line of a figure.
type Series struct {
	Name string
	X, Y []float64 // of the same length, at least one
	Dots bool      // points alone: what was read off somebody else's figure
}

// SVG draws the figure.
func (l *Lines) SVG() []byte {
	c := newCanvas(l.Title, len(l.Series))
	var xs, ys []float64
	for _, s := range l.Series {
		xs, ys = append(xs, s.X...), append(ys, s.Y...)
	}
	x, y := newScale(l.X, left, width-right, xs), c.vertical(l.Y, ys)
	c.values(y)
	c.base(l.X.Label)
	for _, v := range x.ticks() {
		c.line(x.at(v), height-bottom, x.at(v), height-bottom+5, "#000000")
		c.text(x.at(v), height-bottom+20, "middle", number(v), "")
	}
	for i, s := range l.Series {
		if !s.Dots {
			c.WriteString(`<polyline fill="none" stroke-width="2" stroke="` + colour(i) + `" points="`)
			for j := range s.X {
				fmt.Fprintf(c, "%.1f,%.1f ", x.at(s.X[j]), y.at(s.Y[j]))
			}
			c.WriteString(`"/>` + "\n")
		}
		mark := func(x, y float64) {
			fill := colour(i)
			if s.Dots {
				fill = "#ffffff"
			}
			fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s" stroke="%s" stroke-width="2"/>`+"\n", x, y, fill, colour(i))
		}
		for j := range s.X {
			mark(x.at(s.X[j]), y.at(s.Y[j]))
		}
		c.entry(i, s.Name, mark)
	}
	return c.finish()
}
