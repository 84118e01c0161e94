// Command grafana writes guideway.json, the Grafana dashboard, from the tables
// in rows.go. Change those, then run go generate in this folder.
//
//	rows.go    what the dashboard shows
//	charts.go  the kinds of charts, and how rows.go says them in a line
//	model.go   the JSON that Grafana reads
//	main.go    from the one to the other
package main

//go:generate go run . guideway.json

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: grafana FILE")
		os.Exit(2)
	}
	text, err := render()
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

// render makes the dashboard's file.
func render() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(build())
	return b.Bytes(), err
}

// Grafana's grid is so many columns wide.
const columns = 24

// build lays the panels out, row by row, from left to right.
func build() dashboard {
	d := frame
	id, y := 0, 0
	for _, r := range rows {
		id++
		d.Panels = append(d.Panels, panel{ID: id, Type: "row", Title: r.title, Grid: grid{H: 1, W: columns, Y: y}, Collapsed: new(bool), Panels: &[]panel{}})
		y++
		x, height := 0, 0
		for _, c := range r.charts {
			if x+c.width > columns {
				x, y, height = 0, y+height, 0
			}
			id++
			p := c.panel()
			p.ID, p.Grid = id, grid{H: c.kind.height, W: c.width, X: x, Y: y}
			d.Panels = append(d.Panels, p)
			x, height = x+c.width, max(height, c.kind.height)
		}
		y += height
	}
	return d
}

// panel is the chart as Grafana wants it, without its place.
func (c chart) panel() panel {
	p := panel{
		Type: c.kind.name, Title: c.title, Description: c.about, Source: &prometheus,
		Options: c.kind.options,
		Fields: &fields{Overrides: []any{}, Defaults: defaults{
			Unit: c.unit, Min: c.min, Max: c.max, Custom: c.kind.custom, Mappings: c.mappings, Thresholds: c.limits,
			Color: &color{Mode: c.kind.color},
		}},
	}
	if c.stacked {
		p.Fields.Defaults.Custom = stackedLines
	}
	for i, q := range c.queries {
		t := target{RefID: string(rune('A' + i)), Source: &prometheus, Expr: selected(q.expr), Legend: q.legend}
		if c.kind.instant {
			t.Instant = true
		} else {
			t.Range = true
		}
		if c.kind.name == "table" {
			t.Format = "table"
		}
		p.Targets = append(p.Targets, t)
	}
	if c.kind.name == "table" {
		hide := map[string]bool{"Time": true, "__name__": true, "job": true}
		p.Transformations = []transformation{{ID: "organize", Options: map[string]any{"excludeByName": hide}}}
	}
	return p
}

// selected puts the nodes that are chosen at the top of the page into an
// expression: {@} and {@,label="value"} are their series.
func selected(expr string) string {
	return strings.ReplaceAll(expr, "{@", `{job="$job",instance=~"$instance"`)
}
