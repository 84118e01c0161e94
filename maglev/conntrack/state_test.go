package conntrack

import "testing"

// Every arrow of the diagram, and that there are no others.
func TestStep(t *testing.T) {
	want := map[State]map[Event]State{
		Free:        {Data: Unconfirmed, Syn: Unconfirmed, Fin: Closing},
		Unconfirmed: {Data: Established, Syn: Unconfirmed, Fin: Closing},
		Established: {Data: Established, Syn: Established, Fin: Closing},
		Closing:     {Data: Closing, Syn: Unconfirmed, Fin: Closing},
	}
	for s := Free; s <= Closing; s++ {
		for e := Data; e <= Fin; e++ {
			if got := step(s, e); got != want[s][e] {
				t.Errorf("state %d, event %d: %d, want %d", s, e, got, want[s][e])
			}
		}
	}
}

// What Touch does to an entry in a table is step, and leaves its class and its
// neighbours in the line alone.
func TestTouchSteps(t *testing.T) {
	const late = 1 << 28 // any stamp is to be renewed
	for s := Unconfirmed; s <= Closing; s++ {
		for e := Data; e <= Fin; e++ {
			for i := range uint32(slots) {
				for c := tcp; c <= other; c++ {
					tb := mustNew(t, Config{Flows: 1})
					const neighbours = 0b01001_01001_01001 | 0x55<<farShift | 1<<nearShift
					shift := markBits * i
					mark := func(s State) uint32 { return uint32(c)<<classShift | uint32(s) }
					around := uint32(neighbours &^ (markMask << shift))
					tb.lines[0][meta] = around | mark(s)<<shift
					tb.Touch(slotAt(0, i), late, e)
					if got, want := tb.lines[0][meta], around|mark(step(s, e))<<shift; got != want {
						t.Fatalf("state %d, event %d, slot %d: meta %#x, want %#x", s, e, i, got, want)
					}
					if got := tb.lines[0][stamps+i]; got != late {
						t.Fatalf("stamp %d", got)
					}
				}
			}
		}
	}
}
