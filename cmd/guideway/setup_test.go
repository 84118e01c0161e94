package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guideway/control/machine"
)

// TestSetup asks of the machine that the test runs on. What it has is not known
// here; what must be said is.
func TestSetup(t *testing.T) {
	virtual := write(t, "virtual.toml", strings.Replace(good, "lcores = [2, 3]", "lcores = [0]\nhuge = false", 1))
	card := write(t, "card.toml", strings.Replace(good, "net_null0", "ffff:1f:1f.7", 1))
	bad := write(t, "bad.toml", bad)
	for _, c := range []struct {
		args string
		code int
		out  string // parts
		errs string
	}{
		{"--config " + virtual, 0, `This machine|For guidewayd (` + virtual + `)|port "wan": net_null0 is no card on the PCI bus: nothing to set up`, ""},
		{"--config " + card, 1, `port "wan": there is no network card ffff:1f:1f.7`, ""},
		{"--config " + virtual + " --nic 1f:1f.7", 1, `0000:1f:1f.7: there is no network card 0000:1f:1f.7`, ""},
		{"--config " + bad, 1, "", "there is no [[port]]|guideway check"},
		{"--config /nowhere.toml", 1, "", "/nowhere.toml"},
		{"--nic eth0", 1, "", `"eth0" is no PCI address`},
		{"--hugepages 3M", 2, "", "no size of a page"},
		{"--apply now", 2, "", `"now" is too much`},
		{"-h", 0, "", "--apply"},
	} {
		code, out, errs := do(strings.Fields("setup " + c.args)...)
		if code != c.code {
			t.Errorf("%s: exit %d\n%s\n%s", c.args, code, out, errs)
		}
		for part := range strings.SplitSeq(c.out, "|") {
			if !strings.Contains(out, part) {
				t.Errorf("%s: no %q in\n%s", c.args, part, out)
			}
		}
		for part := range strings.SplitSeq(c.errs, "|") {
			if !strings.Contains(errs, part) {
				t.Errorf("%s: no %q in\n%s", c.args, part, errs)
			}
		}
	}
	code, out, _ := do("setup", "--config", virtual, "--json")
	var said struct {
		Facts    machine.Facts
		Findings []struct{ Topic, Severity, Text string }
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil || code != 0 || len(said.Facts.CPUs.Online) == 0 || len(said.Findings) == 0 {
		t.Errorf("exit %d, %v: %+v", code, err, said)
	}
}

// TestSetupSaysWhatItDoes: first in words, then in deeds, and a fault in one
// step does not hide the others.
func TestSetupSaysWhatItDoes(t *testing.T) {
	var out, errs strings.Builder
	root := t.TempDir()
	file := filepath.Join(root, "etc/x.conf")
	steps := []machine.Step{{Kernel: "/sys/none", Value: "1"}, {File: "/etc/x.conf", Text: "one\n"}}
	s := setup{env: env{nil, &out, &errs}, doer: machine.Doer{Root: root}}
	if s.take(&out, steps) || !strings.Contains(out.String(), "would be done\n  echo 1 > /sys/none\n  cat > /etc/x.conf <<'END'\n  one\n  END\n") {
		t.Errorf("%s%s", &out, &errs)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Fatal("done, and not only said")
	}
	s.apply = true
	if !s.take(&out, steps) || !strings.Contains(errs.String(), "/sys/none") {
		t.Error(errs.String())
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "one\n" {
		t.Errorf("%q, %v", text, err)
	}
}
