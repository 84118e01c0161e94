package engine

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"guideway/cmd/guideway-load/traffic"
)

// A Report is what a test found. Times are in nanoseconds, rates per second.
type Report struct {
	Seconds  float64  `json:"seconds"` // of sending, or where nothing is sent, of receiving
	Sent     *Sent    `json:"sent,omitempty"`
	Received Received `json:"received"`

	// Lost is how many frames of flows were sent and have not come; negative
	// where more came. It is there if all that was sent is read again.
	Lost    *int64   `json:"lost,omitempty"`
	Latency *Latency `json:"latency,omitempty"`
	Flows   *Flows   `json:"flows,omitempty"`

	Backends []Share `json:"backends,omitempty"` // by frames, most first
}

// Sent is what was sent.
type Sent struct {
	Packets       uint64  `json:"packets"` // of flows
	Frames        uint64  `json:"frames"`  // that they were cut into
	Bytes         uint64  `json:"bytes"`   // of these, without checksum, preamble and gap
	PacketsPerSec float64 `json:"packets_per_second"`
	Flood         uint64  `json:"flood"`   // frames of floods
	Refused       uint64  `json:"refused"` // frames that the port did not take; flows' were sent again
	NoFrame       uint64  `json:"no_frame"`
	Lag           int64   `json:"longest_lag"` // behind the schedule
	Forgiven      uint64  `json:"forgiven"`    // packets that the schedule forgot, being late by more
}

// Received is what came back.
type Received struct {
	Frames       uint64  `json:"frames"` // of flows; unread, all that came
	Bytes        uint64  `json:"bytes"`
	FramesPerSec float64 `json:"frames_per_second"`
	Late         uint64  `json:"late"`     // packets behind later ones of their flow
	Repeated     uint64  `json:"repeated"` // packets that had come before
	Moved        uint64  `json:"moved"`    // packets that went to another backend than the one before in their connection
	Missing      int64   `json:"missing"`  // gaps in flows
	Reversed     uint64  `json:"reversed"` // frames from service to client
	Flood        uint64  `json:"flood"`
	Foreign      uint64  `json:"foreign"`
}

// Latency is from sending to receiving, by one clock. It is recorded to three
// digits.
type Latency struct {
	Packets int64   `json:"packets"`
	Min     int64   `json:"min"`
	Mean    float64 `json:"mean"`
	P50     int64   `json:"p50"`
	P90     int64   `json:"p90"`
	P99     int64   `json:"p99"`
	P999    int64   `json:"p99.9"`
	P9999   int64   `json:"p99.99"`
	Max     int64   `json:"max"`
}

// A Share is what one backend got.
type Share struct {
	Backend netip.Addr `json:"backend"`
	Frames  uint64     `json:"frames"`
}

// Latency sums up the latencies of a tally; nil where there are none.
func (t *Tally) Latency() *Latency {
	h := t.latency
	if h.TotalCount() == 0 {
		return nil
	}
	return &Latency{
		Packets: h.TotalCount(), Min: h.Min(), Mean: h.Mean(), Max: h.Max(),
		P50: h.ValueAtQuantile(50), P90: h.ValueAtQuantile(90), P99: h.ValueAtQuantile(99),
		P999: h.ValueAtQuantile(99.9), P9999: h.ValueAtQuantile(99.99),
	}
}

// NewReport reports on a test that has ended: all that was counted, the streams
// that were sent (none: nothing) and the sink that read what came (nil: nothing
// was read).
func NewReport(t *Tally, streams []*Paced, sink *Sink) *Report {
	r := &Report{
		Latency: t.Latency(),
		Received: Received{
			Frames: t.Received, Bytes: t.ReceivedBytes, Late: t.Late, Repeated: t.Repeated, Moved: t.Moved,
			Missing: t.Missing, Reversed: t.Reversed, Flood: t.Flooded, Foreign: t.Foreign,
		},
	}
	if t.From != 0 {
		r.Seconds = time.Duration(cmp.Or(t.Stopped, t.To) - t.From).Seconds()
	}
	if r.Seconds > 0 {
		r.Received.FramesPerSec = float64(t.Received) / r.Seconds
	}
	var after *traffic.Flows
	for _, s := range streams {
		if r.Sent == nil {
			r.Sent = &Sent{Packets: t.Sent, Frames: t.SentFrames, Bytes: t.SentBytes, Flood: t.FloodSent, Refused: t.Refused, NoFrame: t.NoFrame, Lag: t.Lag}
			if r.Seconds > 0 {
				r.Sent.PacketsPerSec = float64(t.Sent) / r.Seconds
			}
		}
		r.Sent.Forgiven += s.Pace.Forgiven
		if f, ok := s.Stream.(*traffic.Flows); ok {
			after = f
		}
	}
	if sink == nil {
		return r
	}
	if after != nil {
		lost := int64(t.SentFrames) - int64(t.Received-t.Repeated)
		r.Lost = &lost
	}
	r.Backends = sink.Backends()
	if sink.ledger != nil {
		flows := sink.ledger.sum(after)
		r.Flows = &flows
	}
	return r
}

// Backends returns what each end of a tunnel got.
func (s *Sink) Backends() []Share {
	var list []Share
	for t, number := range s.backends {
		if s.shares[number] == 0 { // nothing that counts
			continue
		}
		var a [16]byte
		binary.BigEndian.PutUint64(a[:], t.Hi)
		binary.BigEndian.PutUint64(a[8:], t.Lo)
		addr := netip.AddrFrom16(a)
		if !t.IPv6 {
			addr = netip.AddrFrom4([4]byte(a[12:]))
		}
		list = append(list, Share{addr, s.shares[number]})
	}
	slices.SortFunc(list, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Frames, a.Frames), a.Backend.Compare(b.Backend))
	})
	return list
}

// shownBackends is how many the text lists.
const shownBackends = 10

// Text writes the report for people.
func (r *Report) Text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, value any, note string, args ...any) {
		fmt.Fprintf(w, "%s\t%v\t", name, value)
		fmt.Fprintf(w, "  "+note+"\n", args...)
	}
	line("seconds", fmt.Sprintf("%.2f", r.Seconds), "")
	if s := r.Sent; s != nil {
		line("sent", s.Packets, "packets, %s/s, %s", Rate(s.PacketsPerSec), bits(s.Bytes, r.Seconds))
		if s.Frames != s.Packets {
			line("", s.Frames, "frames, cut from them")
		}
		if s.Flood > 0 {
			line("flood", s.Flood, "frames, %s/s; %d came back", Rate(float64(s.Flood)/max(r.Seconds, 1e-9)), r.Received.Flood)
		}
		line("refused", s.Refused, "frames, by the port; sent again")
		line("behind", time.Duration(s.Lag).Round(time.Microsecond), "the schedule at most; %d packets forgotten", s.Forgiven)
	}
	v := r.Received
	line("received", v.Frames, "frames, %s/s, %s", Rate(v.FramesPerSec), bits(v.Bytes, r.Seconds))
	if r.Lost != nil {
		line("lost", *r.Lost, "frames, %.4f %%", 100*float64(*r.Lost)/float64(max(r.Sent.Frames, 1)))
	}
	line("late", v.Late, "packets, behind later ones of their flow; %d came twice", v.Repeated)
	line("moved", v.Moved, "packets, to another backend than the one before")
	line("foreign", v.Foreign, "frames")
	if f := r.Flows; f != nil {
		line("flows", f.Total, "%d seen, %d lost packets, %d out of order, %d moved", f.Seen, f.Lossy, f.Late, f.Moved)
	}
	if l := r.Latency; l != nil {
		line("latency", micro(l.P50), "us p50; %s p90, %s p99, %s p99.9, %s p99.99, %s max", micro(l.P90), micro(l.P99), micro(l.P999), micro(l.P9999), micro(l.Max))
	}
	for i, b := range r.Backends {
		if i == shownBackends {
			line("", "...", "and %d more", len(r.Backends)-i)
			break
		}
		line("backend", b.Frames, "%v, %.2f %%", b.Backend, 100*float64(b.Frames)/float64(max(v.Frames, 1)))
	}
	return w.Flush()
}

// Progress is a line on what has been counted since the last one.
func (t *Tally) Progress() string {
	if t.From == 0 {
		return "warming up"
	}
	seconds := time.Duration(t.To - t.From).Seconds()
	per := func(n uint64) string { return Rate(float64(n) / max(seconds, 1e-9)) }
	text := fmt.Sprintf("sent %s/s received %s/s", per(t.Sent+t.FloodSent), per(t.Received+t.Flooded))
	if t.Refused > 0 {
		text += fmt.Sprintf(" refused %s/s", per(t.Refused))
	}
	if t.Missing != 0 || t.Late != 0 || t.Moved != 0 {
		text += fmt.Sprintf(" missing %d late %d moved %d", t.Missing, t.Late, t.Moved)
	}
	if l := t.Latency(); l != nil {
		text += fmt.Sprintf(" latency us p50 %s p99 %s max %s", micro(l.P50), micro(l.P99), micro(l.Max))
	}
	return text
}

func micro(ns int64) string { return fmt.Sprintf("%.1f", float64(ns)/1000) }

// Rate writes a number in three digits, with k, M or G behind it.
func Rate(v float64) string {
	unit := ""
	for _, next := range []string{"k", "M", "G"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, next
	}
	digits := 2
	if v >= 99.95 || v == math.Trunc(v) && unit == "" {
		digits = 0
	} else if v >= 9.995 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + unit
}

func bits(bytes uint64, seconds float64) string {
	return Rate(8*float64(bytes)/max(seconds, 1e-9)) + "bit/s"
}
