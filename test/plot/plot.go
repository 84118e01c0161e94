// Package plot draws the figures of docs/: lines and bars, as SVG. The same
// data give the same bytes, so that a figure can be kept beside the text and
// made again to see what has changed.
package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
)

// An Axis is one of a figure's two.
type Axis struct {
	Label string
	Log   bool // by powers of ten; all values are more than zero

	// Min and Max are the ends of the axis. Both zero: what the data need, from
	// zero on where it is not logarithmic.
	Min, Max float64
}

// Sizes of a figure, in its own units, which are pixels at its natural size.
const (
	width, height            = 720, 400
	left, right, top, bottom = 70, 20, 36, 50
	lineHeight               = 16
)

// colours are Okabe and Ito's, which people with any colour vision tell apart.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

func colour(i int) string { return colours[i%len(colours)] }

// A canvas is a figure being drawn.
type canvas struct {
	bytes.Buffer
	bottom int // of the picture, without the legend under it
}

// newCanvas begins a figure with so many entries of a legend.
func newCanvas(title string, legend int) *canvas {
	c := &canvas{bottom: height}
	total := height + lineHeight*(legend+1)
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12">`+"\n", width, total)
	fmt.Fprintf(c, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, total)
	c.text(width/2, 20, "middle", title, `font-size="14" font-weight="bold"`)
	return c
}

// finish ends the figure.
func (c *canvas) finish() []byte {
	c.WriteString("</svg>\n")
	return c.Bytes()
}

func (c *canvas) text(x, y float64, anchor, s, more string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>`, x, y, anchor, more)
	xml.EscapeText(c, []byte(s))
	c.WriteString("</text>\n")
}

func (c *canvas) line(x1, y1, x2, y2 float64, stroke string) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, stroke)
}

// entry writes a line of the legend; mark draws its sign at a place.
func (c *canvas) entry(i int, name string, mark func(x, y float64)) {
	y := float64(height + lineHeight*i)
	mark(left+10, y)
	c.text(left+30, y+4, "start", name, "")
}

// A scale maps values to places on the canvas.
type scale struct {
	Axis
	from, to float64 // places of Min and Max
}

// newScale fits an axis to its values.
func newScale(a Axis, from, to float64, values []float64) scale {
	if a.Min == 0 && a.Max == 0 {
		least, most := math.Inf(1), math.Inf(-1)
		for _, v := range values {
			least, most = min(least, v), max(most, v)
		}
		if a.Log {
			a.Min, a.Max = math.Pow(10, math.Floor(math.Log10(least))), math.Pow(10, math.Ceil(math.Log10(most)))
		} else {
			step := stepOf(most - min(0, least))
			a.Min, a.Max = step*math.Floor(min(0, least)/step), step*math.Ceil(most/step)
		}
	}
	if a.Max <= a.Min { // all values are one
		a.Max = a.Min + 1
	}
	return scale{a, from, to}
}

// at returns the place of a value.
func (s scale) at(v float64) float64 {
	lo, hi := s.Min, s.Max
	if s.Log {
		v, lo, hi = math.Log10(v), math.Log10(lo), math.Log10(hi)
	}
	return s.from + (s.to-s.from)*(v-lo)/(hi-lo)
}

// ticks returns the values that the axis names.
func (s scale) ticks() (list []float64) {
	if s.Log {
		for v := s.Min; v <= s.Max*1.0001; v *= 10 {
			list = append(list, v)
		}
		return list
	}
	step := stepOf(s.Max - s.Min)
	for i := math.Ceil(s.Min/step - 1e-9); i*step <= s.Max+1e-9*step; i++ {
		list = append(list, i*step+0) // never minus zero
	}
	return list
}

// stepOf returns a round distance of which some five to ten fit a span.
func stepOf(span float64) float64 {
	if span <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(span)))
	switch lead := span / unit; {
	case lead < 2:
		return unit / 5
	case lead < 5:
		return unit / 2
	}
	return unit
}

// number writes the value of a tick.
func number(v float64) string {
	if v >= 1e4 {
		exponent := math.Floor(math.Log10(v) + 1e-9)
		if lead := v / math.Pow(10, exponent); math.Abs(lead-1) < 1e-9 {
			return fmt.Sprintf("10^%.0f", exponent)
		}
	}
	return strconv.FormatFloat(math.Round(v*1e9)/1e9, 'g', -1, 64)
}

// values draws the vertical axis, with lines across.
func (c *canvas) values(y scale) {
	for _, v := range y.ticks() {
		at := y.at(v)
		c.line(left, at, width-right, at, "#dddddd")
		c.text(left-6, at+4, "end", number(v), "")
	}
	c.line(left, top, left, float64(c.bottom-bottom), "#000000")
	middle := float64(top+c.bottom-bottom) / 2
	c.text(18, middle, "middle", y.Label, fmt.Sprintf(`transform="rotate(-90 18 %.1f)"`, middle))
}

// base draws the line under the picture, and what the horizontal axis means.
func (c *canvas) base(label string) {
	y := float64(c.bottom - bottom)
	c.line(left, y, width-right, y, "#000000")
	c.text((left+width-right)/2, y+38, "middle", label, "")
}

func (c *canvas) vertical(a Axis, values []float64) scale {
	return newScale(a, float64(c.bottom-bottom), top, values)
}
