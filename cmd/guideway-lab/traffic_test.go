package main

import (
	"slices"
	"testing"
)

func TestMainPlan(t *testing.T) {
	for _, requests := range []int{0, 1, 4, 5, 1000} {
		p := mainPlan(requests)
		steps, ids := map[string]int{}, map[int]bool{}
		perVIP := map[string]int{}
		for _, j := range p.Jobs {
			ids[j.ID] = true
			perVIP[j.VIP]++
			for i, s := range j.Steps {
				steps[s]++
				if s == stepReadBack && !slices.Contains(j.Steps[:i], stepUpload) {
					t.Errorf("job %d reads back what it has not sent", j.ID)
				}
			}
		}
		total := 0
		for _, n := range steps {
			total += n
		}
		if total != requests || len(ids) != len(p.Jobs) {
			t.Errorf("%d requests planned, %d ids for %d jobs; want %d requests", total, len(ids), len(p.Jobs), requests)
		}
		if requests == 1000 {
			if steps[stepLarge] < 90 || steps[stepUpload] < 45 || steps[stepUpload] != steps[stepReadBack] {
				t.Errorf("steps %v", steps)
			}
			for _, v := range vips {
				if perVIP[v.name] < 60 {
					t.Errorf("%d connections to %s", perVIP[v.name], v.name)
				}
			}
		}
	}
}

func TestUniformPlan(t *testing.T) {
	p := uniformPlan(6, 24, []string{stepSlowDown}, []string{stepSlowUp})
	count := map[string]int{}
	for _, j := range p.Jobs {
		count[j.VIP+" "+j.Steps[0]]++
	}
	for _, v := range vips {
		if count[v.name+" "+stepSlowDown] != 3 || count[v.name+" "+stepSlowUp] != 3 {
			t.Errorf("%v; want three of each for %s", count, v.name)
		}
	}
}
