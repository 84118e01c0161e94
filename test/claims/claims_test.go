package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The short form of everything: the claims hold, and what docs/claims.md shows
// is what this program makes.
func TestClaims(t *testing.T) {
	r, ran := newReport(true), 0
	for _, e := range experiments {
		t.Run(e.name, func(t *testing.T) {
			ran++
			known := len(r.faults)
			e.show(r)
			for _, fault := range r.faults[known:] {
				t.Error(fault)
			}
		})
	}
	r.tables["claims"] = r.summary()
	t.Logf("\n%v", r.tables["claims"])
	if ran < len(experiments) {
		return // some of them, by -run: they do not make a page
	}
	docs := filepath.Join("..", "..", "docs")
	text, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fill(text, r.tables); err != nil {
		t.Error(err)
	}
	for _, c := range r.claims {
		if cells := strings.Join([]string{c.what, c.paper}, " | "); !strings.Contains(string(text), cells) {
			t.Errorf("%s has no line for %q: make claims", page, cells)
		}
	}
	for name := range r.figures {
		path := filepath.Join(figures, name+".svg")
		if !strings.Contains(string(text), "!["+name+"]("+path+")") {
			t.Errorf("%s does not show %s", page, path)
		}
		if _, err := os.Stat(filepath.Join(docs, path)); err != nil {
			t.Error(err)
		}
	}
}

// What is compared in breakages is seen to break: a fleet whose nodes disagree
// about the backends.
func TestBreakageIsSeen(t *testing.T) {
	s := site{nodes: 2, backends: 20, size: 2003, cores: 1, rxQueues: 1, flows: 1 << 12}
	f, err := newRealFleet(s, false)
	if err != nil {
		t.Fatal(err)
	}
	way := ways(s.nodes, s.backends, 1)[nodeFails]
	disagree := &disagreeing{realFleet: f}
	o, err := way.run(disagree, plain, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if o.broken < 500/20 || o.broken > 500 {
		t.Errorf("%d of 1000 connections broken", o.broken)
	}
}

// disagreeing tells its last node that it has one backend less.
type disagreeing struct{ *realFleet }

func (d *disagreeing) configure(serves []bool) error {
	if err := d.realFleet.configure(serves); err != nil {
		return err
	}
	fewer := append([]bool{false}, serves[1:]...)
	return d.nodes[len(d.nodes)-1].configure(fewer)
}

// A core without a memory moves established connections under a flood, and the
// judge sees it.
func TestFloodIsSeen(t *testing.T) {
	core, err := newTarget(1<<12, 1000, forgetful)
	if err != nil {
		t.Fatal(err)
	}
	f, err := core.suffer(newFlows(), 50_000)
	if err != nil {
		t.Fatal(err)
	}
	if f.moved < f.honest/4 {
		t.Errorf("%d of %d packets moved", f.moved, f.honest)
	}
	if f.canaries < 250 || f.lost != 0 {
		t.Errorf("%d canaries, %d packets lost", f.canaries, f.lost)
	}
}

func TestFill(t *testing.T) {
	tables := map[string]*table{"one": {rows: [][]string{{"a", "b"}, {"1", "2"}}}}
	text := "before\n" + begin("one") + "old\n" + end + "after\n"
	got, err := fill([]byte(text), tables)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n" + begin("one") + "\n| a | b |\n|---|---|\n| 1 | 2 |\n\n" + end + "after\n"
	if string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	if again, err := fill(got, tables); err != nil || string(again) != want {
		t.Errorf("a second time: %v, %q", err, again)
	}
	for name, bad := range map[string]string{
		"no place": "before\n", "no end": begin("one"), "a place too many": text + begin("two") + end,
	} {
		if _, err := fill([]byte(bad), tables); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
