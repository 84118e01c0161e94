package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is the outcome of a run: what the tables show, and what --report
// writes as JSON.
type report struct {
	Main    *tally             `json:"main"`
	Reload  *reloadReport      `json:"reload,omitempty"`
	Verdict map[string]float64 `json:"verdicts"` // packets, over all cores, since the start
	Tunnel  tunnelCounts       `json:"tunnel"`   // of all backends together
	Stop    string             `json:"stop"`     // how guidewayd ended; empty: exit code 0
}

// faults is all that is wrong, in words. A run without any is a good one.
func (r *report) faults() []string {
	faults := slices.Clone(r.Main.Faults)
	if r.Reload != nil {
		faults = append(faults, r.Reload.Transfers.Faults...)
		faults = append(faults, r.Reload.Fresh.Faults...)
	}
	for reason, n := range r.Tunnel.Refused {
		faults = append(faults, fmt.Sprintf("the backends refused %d packets: %s", n, reason))
	}
	if r.Stop != "" {
		faults = append(faults, "guidewayd: "+r.Stop)
	}
	return faults
}

func (r *report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// answeredTable shows how many connections each backend answered, by VIP, and the
// share that each should have. Backends have equal weights.
func answeredTable(t *tally, backends []backend) string {
	return table(func(w io.Writer) {
		fmt.Fprint(w, "vip\tGRE over\tconnections")
		for _, b := range backends {
			fmt.Fprintf(w, "\t%s", b.name)
		}
		fmt.Fprint(w, "\texpected\t\n")
		for _, v := range vips {
			over := "IPv6"
			if v.pool.over.Addr().Is4() {
				over = "IPv4"
			}
			total := 0
			for _, n := range t.Answered[v.name] {
				total += n
			}
			fmt.Fprintf(w, "%s\t%s\t%d", v.addr, over, total)
			for _, b := range backends {
				n := t.Answered[v.name][b.name]
				fmt.Fprintf(w, "\t%d (%.0f %%)", n, 100*float64(n)/float64(max(1, total)))
			}
			fmt.Fprintf(w, "\t%.0f %%\t\n", 100/float64(len(backends)))
		}
	})
}

func latencyTable(t *tally) string {
	return table(func(w io.Writer) {
		fmt.Fprint(w, "request\tcount\tp50\tp90\tp99\tmax\t\n")
		for _, l := range t.Latency {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t\n", l.Step, l.Count, ms(l.P50), ms(l.P90), ms(l.P99), ms(l.Max))
		}
	})
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

// verdictTable shows what became of the packets, most frequent first.
func verdictTable(verdicts map[string]float64) string {
	var names []string
	for name, n := range verdicts {
		if n > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if verdicts[a] != verdicts[b] {
			return int(verdicts[b] - verdicts[a])
		}
		return strings.Compare(a, b)
	})
	return table(func(w io.Writer) {
		fmt.Fprint(w, "verdict\tpackets\t\n")
		for _, name := range names {
			fmt.Fprintf(w, "%s\t%.0f\t\n", name, verdicts[name])
		}
	})
}

// table lines up tab-separated cells, indented under the step that they belong to.
func table(fill func(io.Writer)) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fill(w)
	w.Flush()
	return "          " + strings.ReplaceAll(strings.TrimSuffix(out.String(), "\n"), "\n", "\n          ") + "\n"
}
