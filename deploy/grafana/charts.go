package main

// A row is a headline with charts under it.
type row struct {
	title  string
	charts []chart
}

// A chart is one panel. Its queries name the chosen nodes by {@}.
type chart struct {
	kind     kind
	width    int
	title    string
	about    string // what to think of it; a tooltip
	unit     string
	queries  []query
	stacked  bool
	min, max *float64
	mappings []mapping
	limits   *thresholds
}

type query struct{ expr, legend string }

// A kind is a visualization with the options that all of it have here.
type kind struct {
	name    string
	height  int
	instant bool // shows the last value, not a course of time
	color   string
	options map[string]any
	custom  map[string]any
}

var (
	legend = map[string]any{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}}

	lines = kind{name: "timeseries", height: 8, color: "palette-classic",
		options: map[string]any{"legend": legend, "tooltip": map[string]any{"mode": "multi", "sort": "desc"}},
		custom:  map[string]any{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": false},
	}
	states = kind{name: "state-timeline", height: 8, color: "thresholds",
		options: map[string]any{"mergeValues": true, "showValue": "never", "rowHeight": 0.8, "legend": map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": []string{}}},
		custom:  map[string]any{"fillOpacity": 80, "lineWidth": 0},
	}
	number = kind{name: "stat", height: 4, instant: true, color: "thresholds",
		options: map[string]any{"colorMode": "background", "graphMode": "none", "textMode": "value", "reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}},
	}
	table = kind{name: "table", height: 8, instant: true, color: "thresholds",
		options: map[string]any{"showHeader": true, "cellHeight": "sm"},
	}

	stackedLines = map[string]any{"drawStyle": "line", "lineWidth": 0, "fillOpacity": 60, "showPoints": "never", "spanNulls": false,
		"stacking": map[string]any{"mode": "normal", "group": "A"}}
)

// plot is a course of time; of is a query with its legend.
func plot(width int, title, unit, about string, queries ...query) chart {
	return chart{kind: lines, width: width, title: title, unit: unit, about: about, queries: queries, min: value(0)}
}

func stack(width int, title, unit, about string, queries ...query) chart {
	c := plot(width, title, unit, about, queries...)
	c.stacked = true
	return c
}

// ratio is a plot of shares, 0 to 1.
func ratio(width int, title, about string, queries ...query) chart {
	c := plot(width, title, "percentunit", about, queries...)
	c.max = value(1)
	return c
}

// good is a band for each series: green at 1, red at 0.
func good(width int, title, about string, queries ...query) chart {
	return chart{kind: states, width: width, title: title, about: about, queries: queries,
		limits: &thresholds{"absolute", []step{{"red", nil}, {"green", value(1)}}}, mappings: words("no", "red", "yes", "green")}
}

// bad is the same, the other way round.
func bad(width int, title, about string, queries ...query) chart {
	return chart{kind: states, width: width, title: title, about: about, queries: queries,
		limits: &thresholds{"absolute", []step{{"green", nil}, {"red", value(1)}}}, mappings: words("no", "green", "yes", "red")}
}

// faults is a number that should be 0.
func faults(width int, title, about, expr string) chart {
	return chart{kind: number, width: width, title: title, about: about, queries: []query{{expr, ""}},
		limits: &thresholds{"absolute", []step{{"green", nil}, {"red", value(1)}}}}
}

// count is a number that is neither good nor bad.
func count(width int, title, unit, about, expr string) chart {
	return chart{kind: number, width: width, title: title, unit: unit, about: about, queries: []query{{expr, ""}},
		limits: &thresholds{"absolute", []step{{"blue", nil}}}}
}

func list(width int, title, unit, about, expr string) chart {
	return chart{kind: table, width: width, title: title, unit: unit, about: about, queries: []query{{expr, ""}}}
}

func of(expr, legend string) query { return query{expr, legend} }

func value(v float64) *float64 { return &v }

func words(zero, zeroColor, one, oneColor string) []mapping {
	return []mapping{{"value", map[string]result{"0": {zero, zeroColor, 0}, "1": {one, oneColor, 1}}}}
}

// signed lets the chart go below 0.
func (c chart) signed() chart {
	c.min = nil
	return c
}
