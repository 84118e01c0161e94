package health

import "time"

// A checker does one kind of check. It is the seam at which further kinds are
// added: a kind that must block does so on goroutines of its own, and bounds
// their number.
type checker interface {
	// open makes the probe of t, and no more: it is called under the Monitor's
	// lock, which report takes, so it takes no lock under which report is
	// called. It cannot fail: what is wrong is told by the first round.
	// Results go to report, from any goroutine but not from within open, in
	// the order in which they come about.
	open(t Target, report func(result)) probe

	// renew says that files which checks name may have changed. It is called
	// under the Monitor's lock.
	renew()

	// settle reports everything that has come in but was not yet reported,
	// and returns when that is done. Only after it does silence count. It is
	// called in each turn of the loop, before rounds begin.
	settle()

	// close ends all probes. Nothing is reported once it has returned.
	close()
}

// A probe asks one target, one question at a time.
type probe interface {
	// start asks. It does not wait for the answer; once it has returned
	// without having reported the round untried or failed, silence until the
	// timeout is the target's failure. A new round gives up the last one.
	start(round uint64)

	// waits says that rounds may have to wait for their turn. Then they report
	// when they begin, see to the timeout themselves, and always report how
	// they ended; silence means nothing, and no round starts before the last
	// one is over. It never changes.
	waits() bool

	// close ends the probe: start does nothing any more.
	close()
}

// A result is what a probe has to say of a round.
type result struct {
	round   uint64
	kind    resultKind
	latency time.Duration // of an answer
	weight  Weight        // of an answer
	unclear string        // what is wrong with the weight of an answer
	err     error         // otherwise: what happened, in words
}

type resultKind uint8

const (
	answered resultKind = iota // the target is well
	refused                    // the target is not well, or there is no way to it
	rumoured                   // someone says that it is not well: no result, but words for silence, in any round
	untried                    // we could not ask: no result either way
	begun                      // a round that waited for its turn has it now: no result yet
)
