package monitoring

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A catalog is what series there are: labels by the metric's name, and for each
// label the values that are known, none if anything may stand there.
type catalog map[string]map[string][]string

var (
	listed  = regexp.MustCompile("(?m)^\\| `(guideway_[a-z_]+)` \\| (\\w+) \\|([^|]*)\\|(.*)\\|$")
	quoted  = regexp.MustCompile("`([^` ]+)`")
	series  = regexp.MustCompile(`(?m)^([a-z0-9_]+)(?:\{(.*)\})? \S+$`)
	label   = regexp.MustCompile(`(\w+)="([^"]*)"`)
	name    = regexp.MustCompile(`\b(guideway_\w+|process_\w+|go_\w+|up|ALERTS)\b(?:\{([^}]*)\})?`)
	matcher = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	clause  = regexp.MustCompile(`\b(?:by|on|group_left|group_right|ignoring|without) ?\(([^)]*)\)`)
)

// closed are the labels whose values are a closed set.
var closed = []string{"verdict", "event", "result", "condition", "found", "arrived", "alertstate"}

// readCatalog reads docs/metrics.md, which a test of control/metrics holds to
// the code, and a live page, which has the process's own metrics and the values
// of labels.
func readCatalog(t *testing.T, page []byte) catalog {
	t.Helper()
	text, err := os.ReadFile(metricsFile)
	if err != nil {
		t.Fatal(err)
	}
	c := catalog{"up": {}, "ALERTS": {"alertname": nil, "alertstate": {"firing", "pending"}}}
	for _, row := range listed.FindAllStringSubmatch(string(text), -1) {
		labels := map[string][]string{}
		for _, l := range quoted.FindAllStringSubmatch(row[3], -1) {
			labels[l[1]] = nil
			if slices.Contains(closed, l[1]) {
				for _, v := range quoted.FindAllStringSubmatch(row[4], -1) {
					labels[l[1]] = append(labels[l[1]], v[1])
				}
			}
		}
		if row[2] != "histogram" {
			c[row[1]] = labels
			continue
		}
		c[row[1]+"_sum"], c[row[1]+"_count"] = labels, labels
		buckets := maps.Clone(labels)
		buckets["le"] = nil
		c[row[1]+"_bucket"] = buckets
	}
	for _, s := range series.FindAllStringSubmatch(string(page), -1) {
		labels, there := c[s[1]]
		if !there {
			labels = map[string][]string{}
			c[s[1]] = labels
		}
		for _, l := range label.FindAllStringSubmatch(s[2], -1) {
			if labels[l[1]] = append(labels[l[1]], l[2]); !slices.Contains(closed, l[1]) {
				labels[l[1]] = nil
			}
		}
	}
	return c
}

// judge says what of an expression is about nothing that there is.
func (c catalog) judge(expr string) (faults []string) {
	used := map[string]bool{"job": true, "instance": true}
	names := name.FindAllStringSubmatch(expr, -1)
	if len(names) == 0 {
		return []string{"no metric in " + expr}
	}
	for _, m := range names {
		labels, there := c[m[1]]
		if !there {
			faults = append(faults, "no metric "+m[1])
			continue
		}
		for l := range labels {
			used[l] = true
		}
		for _, by := range matcher.FindAllStringSubmatch(m[2], -1) {
			faults = append(faults, matches(m[1], labels, by[1], by[2], by[3])...)
		}
	}
	for _, m := range clause.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			if l = strings.TrimSpace(l); l != "" && !used[l] && !strings.Contains(expr, `("`+l+`"`) {
				faults = append(faults, fmt.Sprintf("no label %s in %s", l, expr))
			}
		}
	}
	return faults
}

// matches says what is wrong with one matcher of a selector.
func matches(metric string, labels map[string][]string, label, operator, want string) (faults []string) {
	values, there := labels[label]
	if !there {
		if label != "job" && label != "instance" {
			faults = append(faults, fmt.Sprintf("%s has no label %s", metric, label))
		}
		return faults
	}
	if values == nil || strings.Contains(want, "$") {
		return nil
	}
	alternatives := []string{regexp.QuoteMeta(want)}
	if strings.HasSuffix(operator, "~") {
		alternatives = strings.Split(want, "|")
	}
	for _, a := range alternatives {
		re, err := regexp.Compile("^(?:" + a + ")$")
		if err != nil || !slices.ContainsFunc(values, re.MatchString) {
			faults = append(faults, fmt.Sprintf("%s{%s} is never %s", metric, label, a))
		}
	}
	return faults
}

// metrics lists the names of an expression, each once.
func metrics(expr string) []string {
	found := map[string]bool{}
	for _, m := range name.FindAllStringSubmatch(expr, -1) {
		found[m[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// TestJudge: the test of names would notice.
func TestJudge(t *testing.T) {
	c := readCatalog(t, []byte("go_goroutines 7\nguideway_packets_total{core=\"1\",verdict=\"unset\"} 0\nguideway_packets_total{core=\"1\",verdict=\"forwarded\"} 0\n"))
	for expr, fault := range map[string]string{
		`rate(guideway_packets_total{verdict=~"unset|for.*"}[5m])`: "",
		`sum by (job, verdict) (guideway_packets_total)`:           "",
		`guideway_vip_condition{condition="withdrawn"}`:            "",
		`go_goroutines`: "",
		`sum by (le) (guideway_check_duration_seconds_bucket{check="web"})`: "",
		`guideway_check_duration_seconds`:                                   "no metric guideway_check_duration_seconds",
		`guideway_packet_total`:                                             "no metric guideway_packet_total",
		`go_routines`:                                                       "no metric go_routines",
		`guideway_packets_total{verdict="unset",vip="www"}`:                 "guideway_packets_total has no label vip",
		`guideway_packets_total{verdict=~"unset|lost"}`:                     "guideway_packets_total{verdict} is never lost",
		`guideway_vip_condition{condition="down"}`:                          "guideway_vip_condition{condition} is never down",
		`guideway_config_reload_total{result="accepted"}`:                   "guideway_config_reload_total{result} is never accepted",
		`sum by (vip) (guideway_packets_total)`:                             "no label vip in sum by (vip) (guideway_packets_total)",
		`1 + 1`:                                                             "no metric in 1 + 1",
	} {
		if got := strings.Join(c.judge(expr), "; "); got != fault {
			t.Errorf("%s: %q, want %q", expr, got, fault)
		}
	}
}
