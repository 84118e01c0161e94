package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const exposition = `# HELP guideway_packets_total Packets by what became of them.
# TYPE guideway_packets_total counter
guideway_packets_total{core="0",verdict="forwarded"} 10
guideway_packets_total{core="1",verdict="forwarded"} 1.5e+03
guideway_packets_total{verdict="odd \"name\", {here}\\",core="1",} 1

go_goroutines 12
with_timestamp{a="b"} 3 1700000000
`

func TestParseMetrics(t *testing.T) {
	samples, err := parseMetrics(strings.NewReader(exposition))
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) != 5 {
		t.Fatalf("%d samples, want 5", len(samples))
	}
	want := map[string]float64{"forwarded": 1510, `odd "name", {here}\`: 1}
	if diff := cmp.Diff(want, sum(samples, "guideway_packets_total", "verdict")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]float64{"b": 3}, sum(samples, "with_timestamp", "a")); diff != "" {
		t.Error(diff)
	}
}

func TestParseMetricsRefuses(t *testing.T) {
	for _, text := range []string{"name", "{a=\"b\"} 1", "name{a=\"b\" 1", "name{a=b} 1", "name{a=\"b\"}", "name{a", "name x"} {
		if got, err := parseMetrics(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
