package health

// State is what is known of a target.
//
//	         .----------- expired ------------.
//	         v                                |
//	       Unknown ----- rise passes -------> Up
//	        ^   |                             | ^
//	expired |   | fall failures               | |
//	        |   v                             | |
//	        Down <------ fall failures -------' |
//	         |                                  |
//	         '--------- rise passes ------------'
//
// Passes and failures are in a row. Fewer change nothing: no state is entered,
// and not the first one either, on the word of one probe (unless rise or fall
// is 1).
type State uint8

// The states.
const (
	Unknown State = iota // not enough is known, or not any more
	Up
	Down
)

var stateNames = [...]string{"unknown", "up", "down"}

// String is for logs, the console and metrics.
func (s State) String() string { return stateNames[s] }

// Reason is why a state was entered.
type Reason uint8

// The reasons.
const (
	Unchanged Reason = iota // it is as it was, at the beginning Unknown
	Passed                  // Rise probes in a row were answered
	Failed                  // Fall probes in a row were not
	Expired                 // there was no result for too long
)

var reasonNames = [...]string{"no verdict yet", "answers", "does not answer", "no result for too long"}

// String is for logs and the console.
func (r Reason) String() string { return reasonNames[r] }

// An input is what can happen to a verdict.
type input uint8

const (
	passed input = iota
	failed
	expired
)

// A verdict is a state and how far it is from the next.
type verdict struct {
	state State
	run   int // results alike in a row: passes if positive, failures if negative
}

// step is the whole state machine. The reason is Unchanged if the state is.
func (v verdict) step(in input, rise, fall int) (verdict, Reason) {
	switch in {
	case passed:
		v.run = max(v.run, 0) + 1
		if v.state != Up && v.run >= rise {
			v.state = Up
			return v, Passed
		}
	case failed:
		v.run = min(v.run, 0) - 1
		if v.state != Down && -v.run >= fall {
			v.state = Down
			return v, Failed
		}
	case expired:
		// Results from before do not count with those from after.
		v.run = 0
		if v.state != Unknown {
			v.state = Unknown
			return v, Expired
		}
	}
	return v, Unchanged
}
