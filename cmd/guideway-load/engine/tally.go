package engine

import (
	"github.com/HdrHistogram/hdrhistogram-go"
)

// longestLatency is what longer ones are counted as, in nanoseconds.
const longestLatency = 60_000_000_000

// A Tally is what a loop has counted in some time. Packets of the warm-up are not
// in it.
type Tally struct {
	From, To int64 // nanoseconds; To is that of the last look
	Stopped  int64 // when sending ended; 0: it goes on

	Sent, SentFrames, SentBytes uint64 // flows: packets, the frames they were cut into, their bytes
	FloodSent                   uint64 // frames
	Refused                     uint64 // frames that the port did not take; flows' are sent again
	NoFrame                     uint64 // bursts for which the pool had no frames
	Lag                         int64  // the longest that a packet was behind its schedule

	Received, ReceivedBytes uint64 // frames of flows; without a sink all frames, of which bytes are not counted
	Late, Repeated, Moved   uint64 // packets; see ledger.note
	Missing                 int64  // gaps in flows that nothing has filled
	Reversed                uint64 // frames from service to client
	Flooded, Foreign        uint64 // frames of floods, frames not of the plan
	EmptyPolls              uint64

	latency *hdrhistogram.Histogram
}

// NewTally returns an empty tally.
func NewTally() *Tally {
	return &Tally{latency: hdrhistogram.New(1, longestLatency, 3)}
}

// record enters a latency.
func (t *Tally) record(ns int64) {
	t.latency.RecordValue(min(max(ns, 1), longestLatency)) // in range: no error
}

// Add adds what o counted, which may have been at the same time or at another.
func (t *Tally) Add(o *Tally) {
	if t.From == 0 || o.From != 0 && o.From < t.From {
		t.From = o.From
	}
	t.To, t.Stopped = max(t.To, o.To), max(t.Stopped, o.Stopped)
	t.Sent += o.Sent
	t.SentFrames += o.SentFrames
	t.SentBytes += o.SentBytes
	t.FloodSent += o.FloodSent
	t.Refused += o.Refused
	t.NoFrame += o.NoFrame
	t.Lag = max(t.Lag, o.Lag)
	t.Received += o.Received
	t.ReceivedBytes += o.ReceivedBytes
	t.Late += o.Late
	t.Repeated += o.Repeated
	t.Moved += o.Moved
	t.Missing += o.Missing
	t.Reversed += o.Reversed
	t.Flooded += o.Flooded
	t.Foreign += o.Foreign
	t.EmptyPolls += o.EmptyPolls
	t.latency.Merge(o.latency)
}

// Reset makes t empty, to be used again.
func (t *Tally) Reset() {
	h := t.latency
	h.Reset()
	*t = Tally{latency: h}
}
