package health

import (
	"testing"

	"pgregory.net/rapid"
)

// TestArrows takes every arrow of the diagram, and every way not to.
func TestArrows(t *testing.T) {
	const rise, fall = 2, 3
	for _, c := range []struct {
		from verdict
		in   input
		to   verdict
		why  Reason
	}{
		{verdict{Unknown, 0}, passed, verdict{Unknown, 1}, Unchanged},
		{verdict{Unknown, 1}, passed, verdict{Up, 2}, Passed},
		{verdict{Unknown, -2}, passed, verdict{Unknown, 1}, Unchanged},
		{verdict{Unknown, 0}, failed, verdict{Unknown, -1}, Unchanged},
		{verdict{Unknown, -2}, failed, verdict{Down, -3}, Failed},
		{verdict{Unknown, 1}, failed, verdict{Unknown, -1}, Unchanged},
		{verdict{Unknown, 0}, expired, verdict{Unknown, 0}, Unchanged},
		{verdict{Unknown, 1}, expired, verdict{Unknown, 0}, Unchanged},

		{verdict{Up, 7}, passed, verdict{Up, 8}, Unchanged},
		{verdict{Up, -2}, passed, verdict{Up, 1}, Unchanged},
		{verdict{Up, 7}, failed, verdict{Up, -1}, Unchanged},
		{verdict{Up, -2}, failed, verdict{Down, -3}, Failed},
		{verdict{Up, -2}, expired, verdict{Unknown, 0}, Expired},

		{verdict{Down, -7}, failed, verdict{Down, -8}, Unchanged},
		{verdict{Down, 1}, failed, verdict{Down, -1}, Unchanged},
		{verdict{Down, -7}, passed, verdict{Down, 1}, Unchanged},
		{verdict{Down, 1}, passed, verdict{Up, 2}, Passed},
		{verdict{Down, 1}, expired, verdict{Unknown, 0}, Expired},

		// Rise and fall may have become less than what was counted before.
		{verdict{Unknown, 5}, passed, verdict{Up, 6}, Passed},
		{verdict{Up, -5}, failed, verdict{Down, -6}, Failed},
	} {
		to, why := c.from.step(c.in, rise, fall)
		if to != c.to || why != c.why {
			t.Errorf("%v with input %d: %v, %q; want %v, %q", c.from, c.in, to, why, c.to, c.why)
		}
	}
}

// TestStepsAgainstHistory: the state is that of the last time when rise passes
// or fall failures stood in a row, since anything last expired.
func TestStepsAgainstHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 4).Draw(t, "rise"), rapid.IntRange(1, 4).Draw(t, "fall")
		var v verdict
		var history []input
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			in := rapid.SampledFrom([]input{passed, passed, passed, failed, failed, failed, expired}).Draw(t, "input")
			before := v.state
			var why Reason
			v, why = v.step(in, rise, fall)
			if history = append(history, in); in == expired {
				history = nil
			}
			if want := lastRun(history, rise, fall); v.state != want {
				t.Fatalf("%v after %v, want %v", v.state, history, want)
			}
			if (why == Unchanged) != (v.state == before) {
				t.Fatalf("from %v to %v by %q", before, v.state, why)
			}
		}
	})
}

func lastRun(history []input, rise, fall int) State {
	for end := len(history); end > 0; end-- {
		same := 1
		for same < end && history[end-1-same] == history[end-1] {
			same++
		}
		switch {
		case history[end-1] == passed && same >= rise:
			return Up
		case history[end-1] == failed && same >= fall:
			return Down
		}
	}
	return Unknown
}

func TestNames(t *testing.T) {
	for s, want := range map[State]string{Unknown: "unknown", Up: "up", Down: "down"} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
	for r := Unchanged; r <= Expired; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no words", r)
		}
	}
}
