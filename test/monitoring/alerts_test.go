package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The promtool tests: half an hour of a fleet of two nodes, a sample each 30
// seconds. Until minute 10 all is well; then a case changes something.
const (
	samples = 61
	change  = 20 // the sample of minute 10
)

// A course is the values of a series over that time, "_" where it has none.
type course []string

func draw(value func(i int) (v float64, there bool)) course {
	var c course
	for i := range samples {
		if v, there := value(i); there {
			c = append(c, fmt.Sprint(v))
		} else {
			c = append(c, "_")
		}
	}
	return c
}

// always is a gauge.
func always(v float64) course { return draw(func(int) (float64, bool) { return v, true }) }

// grows is a counter that grows by n a sample.
func grows(n float64) course {
	return draw(func(i int) (float64, bool) { return n * float64(i), true })
}

// turns is a gauge that changes.
func turns(before, after float64) course {
	return draw(func(i int) (float64, bool) {
		if i > change {
			return after, true
		}
		return before, true
	})
}

// speeds is a counter that grows by another number from then on.
func speeds(before, after float64) course {
	return draw(func(i int) (float64, bool) {
		return before*float64(min(i, change)) + after*float64(max(i-change, 0)), true
	})
}

// comes is a gauge that was not there before, ends one that is there no more.
func comes(v float64) course {
	return draw(func(i int) (float64, bool) { return v, i > change })
}

func ends(v float64) course {
	return draw(func(i int) (float64, bool) { return v, i <= change })
}

// steps is a gauge that is 1 higher after each of some samples.
func steps(v float64, at ...int) course {
	return draw(func(i int) (float64, bool) {
		n := v
		for _, s := range at {
			if i >= s {
				n++
			}
		}
		return n, true
	})
}

// spike is 0 but for one sample.
func spike(v float64, at int) course {
	return draw(func(i int) (float64, bool) {
		if i == at {
			return v, true
		}
		return 0, true
	})
}

// promtool's files are YAML, of which JSON is a part.
type (
	unitTests struct {
		Rules    []string   `json:"rule_files"`
		Interval string     `json:"evaluation_interval"`
		Tests    []unitTest `json:"tests"`
	}
	unitTest struct {
		Interval string       `json:"interval"`
		Series   []input      `json:"input_series"`
		Exprs    []expression `json:"promql_expr_test"`
	}
	input struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	expression struct {
		Expr    string     `json:"expr"`
		At      string     `json:"eval_time"`
		Samples []expected `json:"exp_samples"`
	}
	expected struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}
)

// firing expects these alerts of a fleet at a minute, and no others.
func firing(job string, minute int, alerts ...string) expression {
	e := expression{Expr: fmt.Sprintf(`group by (alertname) (ALERTS{alertstate="firing",job=%q})`, job), At: fmt.Sprint(minute, "m")}
	for _, a := range alerts {
		e.Samples = append(e.Samples, expected{fmt.Sprintf("{alertname=%q}", a), 1})
	}
	return e
}

// fleet adds the fleet of a case, which is healthy but for what the case changes,
// to a test, as a job of its own, and what fires of it.
func (u *unitTest) fleet(c provoked) {
	job := "guideway: " + c.name
	for _, node := range []string{"lb1", "lb2"} {
		all := maps.Clone(healthy)
		if node == "lb1" || c.everywhere {
			maps.Copy(all, c.changes)
		}
		for series, values := range all {
			if c.gone {
				values = values[:change+1]
			}
			name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
			if labels != "" {
				labels += ","
			}
			u.Series = append(u.Series, input{fmt.Sprintf(`%s{%sjob=%q,instance="%s:9150"}`, name, labels, job, node), strings.Join(values, " ")})
		}
	}
	if c.gone {
		job = "" // there is nothing that could tell it
	}
	u.Exprs = append(u.Exprs, firing(job, 9), firing(job, c.minute(), c.alerts...))
}

// minute is when a case is looked at.
func (c provoked) minute() int {
	if c.at != 0 {
		return c.at
	}
	return 30
}

// TestAlertsFire: each alert fires, alone or with what comes with it, on data
// that provokes it, and was silent on the same data before.
func TestAlertsFire(t *testing.T) {
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	// All fleets that answer are scraped by one Prometheus.
	var together, gone unitTest
	together.fleet(provoked{name: "all is well"})
	for minute := range 31 {
		together.Exprs = append(together.Exprs, firing("guideway: all is well", minute))
	}
	for _, c := range cases {
		if c.gone {
			gone.fleet(c)
		} else {
			together.fleet(c)
		}
		for series, values := range c.changes {
			if _, there := healthy[series]; !there && !slices.Contains(values, "_") {
				t.Errorf("%s: the healthy fleet has no %s", c.name, series)
			}
		}
	}
	together.Interval, gone.Interval = "30s", "30s"
	tests := unitTests{Rules: []string{rules}, Interval: "30s", Tests: []unitTest{together, gone}}
	text, err := json.MarshalIndent(tests, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "guideway_test.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
