package machine

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestProcess(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	tree := fstest.MapFS{
		"proc/812/comm":            file("guidewayd\n"),
		"proc/812/limits":          file("Limit                     Soft Limit           Hard Limit           Units\nMax locked memory         67108864             67108864             bytes\n"),
		"proc/812/task/812/status": file("Name:\tguidewayd\nCpus_allowed_list:\t0-1\n"),
		"proc/812/task/813/status": file("Name:\tguidewayd\nCpus_allowed_list:\t2\n"),
		"proc/900/comm":            file("sh\n"),
	}
	s := Source{Files: tree}
	if _, ok := LookProcess(s, 900); ok {
		t.Error("another program is guidewayd")
	}
	p, ok := LookProcess(s, 812)
	if !ok || p.Locked != 64<<20 || len(p.Threads) != 2 {
		t.Fatalf("%+v", p)
	}
	tree["proc/812/status"] = file("Name:\tguidewayd\nCapEff:\t000001ffffffffff\n")
	if free, _ := LookProcess(s, 812); free.Locked != Unlimited {
		t.Errorf("locks %d with CAP_IPC_LOCK", free.Locked)
	}
	card := []Port{{Name: "wan", Device: "0000:3b:00.0", PCI: true}}
	for _, c := range []struct {
		name string
		want Want
		says string
	}{
		{"well", Want{Lcores: []int{2}, Memory: 1 << 30}, "ok lcores: each poll loop is bound to its CPU (2)|ok memlock: it may lock 64 MiB of memory, and no card needs more"},
		{"moved", Want{Lcores: []int{2, 3}}, "MISSING lcores: no thread of guidewayd is bound to CPU 3: somebody moved its poll loop|ok memlock: it may lock 64 MiB of memory, and no card needs more"},
		{"locked", Want{Lcores: []int{2}, Memory: 1 << 30, Ports: card}, "ok lcores: each poll loop is bound to its CPU (2)|MISSING memlock: it may lock 64 MiB of memory: vfio counts what cards can reach against that, 1 GiB"},
	} {
		var got []string
		for _, f := range JudgeProcess(p, c.want) {
			got = append(got, f.Severity.String()+" "+f.Topic+": "+f.Text)
		}
		if strings.Join(got, "|") != c.says {
			t.Errorf("%s: %s", c.name, strings.Join(got, "|"))
		}
	}
}
