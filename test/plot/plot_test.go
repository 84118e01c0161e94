package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

var lines = Lines{
	Title: "a <title> & more", X: Axis{Label: "x", Log: true}, Y: Axis{Label: "y"},
	Series: []Series{
		{Name: "line", X: []float64{1, 10, 1000}, Y: []float64{1, 2, 4}},
		{Name: "dots", X: []float64{10}, Y: []float64{3}, Dots: true},
	},
}

var bars = Bars{
	Title: "bars", Groups: []string{"g", "h"}, Y: Axis{Label: "y"},
	Series: []Bar{{Name: "a", Values: []float64{1, 2}}, {Name: "b", Values: []float64{3, 4}, Low: []float64{2, 2}}},
}

// What is drawn is XML, the same each time, and says what it was given.
func TestSVG(t *testing.T) {
	for name, draw := range map[string]func() []byte{"lines": lines.SVG, "bars": bars.SVG} {
		svg := draw()
		if !bytes.Equal(svg, draw()) {
			t.Errorf("%s: two figures of the same data differ", name)
		}
		count := map[string]int{}
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, svg)
			}
			if e, ok := token.(xml.StartElement); ok {
				count[e.Name.Local]++
			}
		}
		want := map[string]map[string]int{
			"lines": {"svg": 1, "polyline": 1, "circle": 3 + 1 + 2}, // and two in the legend
			"bars":  {"svg": 1, "rect": 1 + 4 + 2},                  // the ground, and two in the legend
		}[name]
		for element, n := range want {
			if count[element] != n {
				t.Errorf("%s: %d elements %s, want %d", name, count[element], element, n)
			}
		}
	}
	none := Bars{Title: "none", Groups: []string{"g"}, Y: Axis{Log: true, Min: 0.1, Max: 10}, Series: []Bar{{Name: "a", Values: []float64{0}}}}
	if n := bytes.Count(none.SVG(), []byte("<rect")); n != 2 { // the ground, and one in the legend
		t.Errorf("zero on a logarithmic axis: %d rectangles, want 2", n)
	}
	if s := string(lines.SVG()); !strings.Contains(s, "a &lt;title&gt; &amp; more") || !strings.Contains(s, "dots") {
		t.Error("names are missing")
	}
}

// Values stand where the axis says.
func TestScale(t *testing.T) {
	for _, c := range []struct {
		axis     Axis
		values   []float64
		min, max float64
		ticks    int
		v, at    float64
	}{
		{Axis{}, []float64{1, 7.3}, 0, 8, 9, 4, 50},
		{Axis{}, []float64{0.1, 0.19}, 0, 0.2, 5, 0.05, 25}, // 0, 0.05 ... 0.2
		{Axis{}, []float64{-1, 1}, -1, 1, 5, 0, 50},
		{Axis{Log: true}, []float64{3, 700}, 1, 1000, 4, 10, 100. / 3},
		{Axis{Min: 10, Max: 20}, []float64{1}, 10, 20, 6, 15, 50},
		{Axis{}, []float64{0}, 0, 1, 6, 1, 100},
	} {
		s := newScale(c.axis, 0, 100, c.values)
		if s.Min != c.min || s.Max < c.max-1e-9 || s.Max > c.max+1e-9 {
			t.Errorf("%v: from %g to %g, want %g to %g", c.values, s.Min, s.Max, c.min, c.max)
		}
		if n := len(s.ticks()); n != c.ticks {
			t.Errorf("%v: ticks %v, want %d", c.values, s.ticks(), c.ticks)
		}
		if first := s.ticks()[0]; math.Signbit(first) && first == 0 {
			t.Errorf("%v: the first tick is minus zero", c.values)
		}
		if at := s.at(c.v); at < c.at-1e-6 || at > c.at+1e-6 {
			t.Errorf("%v: %g stands at %g, want %g", c.values, c.v, at, c.at)
		}
	}
	for v, want := range map[float64]string{0.30000000000000004: "0.3", 1e5: "10^5", 20000: "20000", 5: "5", 0: "0"} {
		if got := number(v); got != want {
			t.Errorf("%g is written %q, want %q", v, got, want)
		}
	}
}
