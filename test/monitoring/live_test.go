package monitoring

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLive lets Prometheus scrape a node, and holds rules and dashboard against
// what both of them say.
func TestLive(t *testing.T) {
	d := start(t)
	address := d.WaitLog(`metrics=http://([^/ ]+)(\S*)`)
	shown := page(t, "http://"+address[1]+address[2])
	known := readCatalog(t, shown)

	t.Run("promtool takes the page", func(t *testing.T) {
		cmd := exec.Command("promtool", "check", "metrics")
		cmd.Stdin = bytes.NewReader(shown)
		// It fails on names and help texts that break Prometheus's conventions.
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	})
	t.Run("promtool takes rules and configuration", func(t *testing.T) {
		for _, args := range [][]string{{"check", "rules", "--lint-fatal", rulesFile}, {"check", "config", "--lint-fatal", scrapeFile}} {
			if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
	})

	p := scrape(t, "", func(rules string) string { return rules }, address[1])
	p.wait("scrapes of the node", func() bool {
		got, err := p.query(`sum_over_time(up{job="guideway"}[1m]) >= 3`)
		return err == nil && len(got) == 1
	})
	t.Run("Prometheus knows what the node counted", func(t *testing.T) {
		got, err := p.query(`sum by (vip) (guideway_vip_packets_total)`)
		if err != nil || len(got) != 1 || got[0].Metric["vip"] != "www" || got[0].Value[1] != fmt.Sprint(flows) {
			t.Errorf("packets of the VIPs: %v (%v), want %d of www", got, err, flows)
		}
	})
	t.Run("rules", func(t *testing.T) { judgeRules(t, known, p.rules()) })
	t.Run("dashboard", func(t *testing.T) { judgeDashboard(t, known, p) })
	d.Stop()
}

// quiet is what a machine that runs other tests beside this one cannot promise.
var quiet = []string{"GuidewayPollGap", "GuidewayCoreStalled", "GuidewayNothingAnnounced", "GuidewayCoreSaturated"}

func judgeRules(t *testing.T, known catalog, rules []rule) {
	runs := map[string]bool{}
	for _, c := range cases {
		for _, a := range c.alerts {
			runs[a] = true
		}
	}
	usual := map[string]bool{} // metrics of the healthy fleet
	for series := range healthy {
		for _, m := range metrics(series) {
			usual[m] = true
		}
		for _, fault := range known.judge(series) {
			t.Errorf("the healthy fleet of the alerts' tests: %s", fault)
		}
	}
	for _, r := range rules {
		if r.Type != "alerting" || r.Health != "ok" {
			t.Errorf("%s: %s rule, %s %s", r.Name, r.Type, r.Health, r.LastError)
		}
		if r.State != "inactive" && !slices.Contains(quiet, r.Name) { // pending: it would fire if this took longer
			t.Errorf("%s is %s on a node where all is well", r.Name, r.State)
		}
		if !runs[r.Name] {
			t.Errorf("%s: no case provokes it", r.Name)
		}
		delete(runs, r.Name)
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Name, r.Labels["severity"])
		}
		for _, a := range []string{"summary", "runbook"} {
			if r.Annotations[a] == "" {
				t.Errorf("%s has no %s", r.Name, a)
			}
		}
		for _, fault := range known.judge(r.Query) {
			t.Errorf("%s: %s", r.Name, fault)
		}
		for _, m := range metrics(r.Query) {
			if !usual[m] {
				t.Errorf("%s: the healthy fleet of the tests has no %s", r.Name, m)
			}
		}
		judgeRunbook(t, r)
	}
}

var (
	shownBy = regexp.MustCompile(`"((?:show|explain|reload)(?: [a-z]+)?)`)
	essay   = regexp.MustCompile(`docs/[a-z-]+\.md`)
)

// judgeRunbook: commands and essays that a runbook names are there.
func judgeRunbook(t *testing.T, r rule) {
	commands, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range shownBy.FindAllStringSubmatch(r.Annotations["runbook"], -1) {
		if !bytes.Contains(commands, []byte("`"+m[1])) {
			t.Errorf("%s: docs/console.md knows no %q", r.Name, m[1])
		}
	}
	for _, file := range essay.FindAllString(r.Annotations["runbook"], -1) {
		if _, err := os.Stat("../../" + file); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}
