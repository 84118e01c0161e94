package main

import (
	"encoding/json"
	"strings"
	"testing"

	"guideway/control/plan"
)

func TestPlan(t *testing.T) {
	old := write(t, "old.toml", good)
	more := write(t, "more.toml", strings.Replace(good, `"10.0.0.2" }`, `"10.0.0.2" }, { address = "10.0.0.3" }`, 1))
	restart := write(t, "restart.toml", strings.Replace(good, "lcores = [2, 3]", "lcores = [2]", 1))
	bad := write(t, "bad.toml", bad)
	for _, c := range []struct {
		args string
		code int
		out  string // parts
		errs string
	}{
		{old + " " + old, 0, "nothing changes: 1 VIP\n", ""},
		{old + " " + more, 0, "changed VIP www, 203.0.113.10 tcp 80\n  of 65,537 slots 33.38 % move, 0 % lose their backend\n|  10.0.0.3                            serving     100  33.33 %\n|1 VIP changed, 0 VIPs as before\n", ""},
		{more + " " + old, 0, "33.33 % lose their backend\n", ""},
		{old + " " + restart, 1, "a reload would be refused and change nothing:\n  dpdk.lcores is now [2], it was [2 3]: this needs a restart\n|after a restart:", ""},
		{old + " " + bad, 1, "", "there is no [[port]]"},
		{old, 2, "", "which two files?"},
		{"-h", 0, "OLD NEW", ""},
	} {
		code, out, errs := do(strings.Fields("plan " + c.args)...)
		if code != c.code || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: exit %d\n%s\n%s", c.args, code, out, errs)
		}
		for part := range strings.SplitSeq(c.out, "|") {
			if !strings.Contains(out, part) {
				t.Errorf("%s: no %q in\n%s", c.args, part, out)
			}
		}
	}
	code, out, _ := do("plan", old, more, "--json")
	var d plan.Diff
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 0 || len(d.VIPs) != 1 || d.VIPs[0].Moved < 0.3 || len(d.VIPs[0].Backends) != 3 {
		t.Errorf("exit %d, %v: %+v", code, err, d)
	}
}
