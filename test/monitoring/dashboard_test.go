package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A board is what of Grafana's format the tests look at, read from the file as
// Grafana does.
type board struct {
	UID           string
	Title         string
	SchemaVersion int
	Templating    struct{ List []boardVariable }
	Annotations   struct {
		List []struct {
			Name   string
			Target struct{ Expr string }
		}
	}
	Panels []boardPanel
}

type boardVariable struct {
	Name, Type string
	Query      any
	Datasource *boardSource
}

type boardPanel struct {
	ID          int
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	Datasource  *boardSource
	Targets     []struct{ RefID, Expr, LegendFormat string }
}

type boardSource struct{ Type, UID string }

// kinds are the panels that come with every Grafana.
var kinds = []string{"row", "timeseries", "stat", "table", "state-timeline"}

// rowsWanted are the parts of the page, in this order.
var rowsWanted = []string{"Fleet", "VIPs and backends", "Cores", "Verdicts", "Fragments and ICMP", "Ports and memory", "Control plane and routers", "Process"}

var (
	usedVariable = regexp.MustCompile(`\$\{?(\w+)`)
	legendLabel  = regexp.MustCompile(`\{\{(\w+)\}\}`)
	labelValues  = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
)

// ours are the variables that Grafana sets.
var ours = []string{"__rate_interval", "__range", "__all"}

func readBoard(t *testing.T) (b board) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDashboardIsWhole: the page opens: its parts are there and have their
// place, and what they refer to is defined.
func TestDashboardIsWhole(t *testing.T) {
	b := readBoard(t)
	if b.UID == "" || b.Title == "" || b.SchemaVersion < 39 {
		t.Errorf("uid %q, title %q, schema %d", b.UID, b.Title, b.SchemaVersion)
	}
	known := slices.Clone(ours)
	for _, v := range b.Templating.List {
		known = append(known, v.Name)
	}
	for _, v := range []string{"datasource", "job", "instance", "vip"} {
		if !slices.Contains(known, v) {
			t.Errorf("no variable %s", v)
		}
	}
	defined := func(what, text string) {
		for _, m := range usedVariable.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s: no variable %s", what, m[1])
			}
		}
	}
	var rows []string
	ids, cells := map[int]string{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if other, taken := ids[p.ID]; taken || p.ID == 0 {
			t.Errorf("%s and %s have the number %d", p.Title, other, p.ID)
		}
		ids[p.ID] = p.Title
		if !slices.Contains(kinds, p.Type) || p.Title == "" {
			t.Errorf("panel %d %q is a %q", p.ID, p.Title, p.Type)
		}
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s is outside of the grid: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if len(p.Targets) == 0 || p.Datasource == nil || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s: %d queries of %+v", p.Title, len(p.Targets), p.Datasource)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.RefID == "" || refs[q.RefID] {
				t.Errorf("%s: query %q twice, or without a name", p.Title, q.RefID)
			}
			refs[q.RefID] = true
			defined(p.Title, q.Expr)
			if !strings.Contains(q.Expr, `job="$job"`) {
				t.Errorf("%s is about every fleet", p.Title)
			}
		}
	}
	if !slices.Equal(rows, rowsWanted) {
		t.Errorf("rows %q, want %q", rows, rowsWanted)
	}
}

// judgeDashboard: every query is about metrics and labels that exist, and
// Prometheus understands it; those about what the node shows have an answer.
func judgeDashboard(t *testing.T, known catalog, p *server) {
	b := readBoard(t)
	chosen := strings.NewReplacer("$job", "guideway", "$instance", ".*", "$vip", ".*", "$__rate_interval", "1m", "$__range", "1h")
	answered, queries := 0, 0
	ask := func(what, expr, legend string) {
		for _, fault := range known.judge(expr) {
			t.Errorf("%s: %s", what, fault)
		}
		got, err := p.query(chosen.Replace(expr))
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, expr)
		}
		queries++
		if len(got) == 0 {
			return
		}
		answered++
		for _, m := range legendLabel.FindAllStringSubmatch(legend, -1) {
			if got[0].Metric[m[1]] == "" {
				t.Errorf("%s: the legend's %s is not in %v", what, m[1], got[0].Metric)
			}
		}
	}
	for _, panel := range b.Panels {
		for _, q := range panel.Targets {
			ask(panel.Title, q.Expr, q.LegendFormat)
		}
	}
	for _, a := range b.Annotations.List {
		ask(a.Name, a.Target.Expr, "")
	}
	for _, v := range b.Templating.List {
		if v.Type != "query" {
			continue
		}
		text := fmt.Sprint(v.Query.(map[string]any)["query"])
		m := labelValues.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("variable %s: %q is no label_values", v.Name, text)
			continue
		}
		ask("variable "+v.Name, m[1], "{{"+m[2]+"}}")
	}
	// The node has neither routers nor checks nor other nodes, and nothing is
	// wrong: that leaves at least these.
	if answered < queries*2/3 {
		t.Errorf("only %d of %d queries have an answer", answered, queries)
	}
	t.Logf("%d of %d queries have an answer", answered, queries)
}
