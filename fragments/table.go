package fragments

import (
	"errors"
	"fmt"
	"time"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// Limits of a Config.
const (
	MaxDatagrams = 1 << 24
	MaxHeld      = 1 << 20
	MinBytes     = packet.MaxFrame // any one frame can be held
)

// Config is what a table is made from. Its caps are for one core.
type Config struct {
	Datagrams int           // whose choice is remembered, the latest: 1..MaxDatagrams
	Held      int           // fragments that wait for their first: 1..MaxHeld
	Bytes     int           // of those fragments' frames, at least MinBytes
	Timeout   time.Duration // for which a choice is remembered, and a fragment waits: more than 0
	Seed      flow.Seed     // secret and random, so that nobody outside can aim datagrams at one chain
}

// A Decision is what becomes of a fragment. All but Forward and Held mean that
// it is to be dropped.
type Decision uint8

// The decisions.
const (
	Undecided     Decision = iota // the zero value: nothing looked at it
	Forward                       // to what was chosen for its datagram
	Held                          // the frame is the table's until its first fragment comes
	Overlap                       // the first fragment's data is there twice: the datagram is spoiled (RFC 5722, 4)
	TooManyPieces                 // its datagram waits with MaxPieces already
	TooManyHeld                   // no place for one more frame
	TooManyBytes                  // no room for its bytes
	Decisions                     // how many there are
)

// A Table is the fragment table of one core. Its methods are for that core
// alone.
type Table struct {
	_       [64]byte // keeps the next core's table off these cache lines, as does the last
	seed    flow.Seed
	timeout int64
	choices choices
	waiting waiting
	stats   Stats // but what is now, which the others count
	_       [64]byte
}

// Stats are a table's counters since New, in fragments where nothing else is
// said; the first four are now. Every fragment that was ever held is held now
// or counted once under Released, Spoiled, Expired, PushedOut or Drained.
type Stats struct {
	Datagrams uint64 // remembered; some may be past their time
	Waiting   uint64 // datagrams whose first fragment is awaited
	Held      uint64
	HeldBytes uint64

	Firsts     uint64 // first fragments that were forwarded
	Followed   uint64 // later ones that were forwarded at once
	Kept       uint64 // later ones that were held
	Released   uint64 // held ones that were forwarded after their first
	Spoiled    uint64 // held ones that overlap their first, or wait with one that does
	Expired    uint64 // held ones that waited too long
	PushedOut  uint64 // held ones that gave way to newer ones
	Drained    uint64 // held ones given back by Drain
	Refused    uint64 // later ones that were not held
	Overlapped uint64 // fragments that were refused because their datagram is spoiled
	Forgotten  uint64 // datagrams that were forgotten before their time, for newer ones
}

// New makes an empty table.
func New(c Config) (*Table, error) {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("fragments: "+format, args...))
		}
	}
	check(c.Datagrams >= 1 && c.Datagrams <= MaxDatagrams, "%d datagrams, want 1..%d", c.Datagrams, MaxDatagrams)
	check(c.Held >= 1 && c.Held <= MaxHeld, "%d held, want 1..%d", c.Held, MaxHeld)
	check(c.Bytes >= MinBytes, "%d bytes held, want at least %d", c.Bytes, MinBytes)
	check(c.Timeout > 0, "timeout is %v, want more than 0", c.Timeout)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	t := &Table{seed: c.Seed, timeout: int64(c.Timeout)}
	t.choices = newChoices(c.Datagrams, &t.seed)
	t.waiting = newWaiting(c.Held, c.Bytes, &t.seed)
	return t, nil
}

// Memory returns the bytes that a table takes, without the frames it holds.
func Memory(datagrams, held int) int {
	const choiceBytes, datagramBytes, heldBytes, bucketBytes = 64, 72, 16, 4
	return datagrams*choiceBytes + held*(datagramBytes+heldBytes) +
		(bucketCount(datagrams)+bucketCount(held))*bucketBytes
}

// First decides about the first fragment of a datagram, for which the caller
// chose value, as it chooses for any packet of the flow. Forward comes with the
// value to use: that of the datagram's earlier first fragment if this one
// repeats it, else the caller's, which is remembered from then on.
//
// Fragments that were held for it are added to out in order of arrival, and
// are the caller's again. They share the first one's fate: they go where it
// goes, behind it, or they are dropped with it. out must come empty.
//
// A datagram of which two first fragments differ in ports or protocol, or of
// which another fragment overlaps the first, is spoiled: nothing more of it is
// forwarded until it is forgotten.
func (t *Table) First(p *Piece, value uint32, now int64, out *pmd.Burst) (uint32, Decision) {
	h := p.Key.Hash(&t.seed)
	if e := t.choices.find(&p.Key, h, now); e != nil {
		if e.front == spoiled || e.ports != p.Ports || e.proto != p.Proto {
			return t.spoil(e)
		}
		e.until = now + t.timeout
		t.stats.Firsts++
		return e.value, Forward
	}
	e, early := t.choices.add(&p.Key, h, now)
	if early {
		t.stats.Forgotten++
	}
	e.value, e.until = value, now+t.timeout
	e.ports, e.proto, e.front = p.Ports, p.Proto, p.Length
	if i := t.waiting.find(&p.Key, h); i != none {
		d := &t.waiting.datagrams[i]
		low, n := d.low, uint64(d.pieces)
		t.waiting.release(i, out)
		if low < e.front {
			t.stats.Spoiled += n
			return t.spoil(e)
		}
		t.stats.Released += n
	}
	t.stats.Firsts++
	return value, Forward
}

// Later decides about any other fragment, which is the whole of frame f. With
// Held the table takes f and keeps it until First, Expire or Drain hands it
// back. Forward comes with the value of the datagram's choice.
//
// To hold it, older ones may have to go: all that wait with the oldest
// datagrams. They are added to drops as long as there is room, to be freed by
// the caller; where there is none, it is f that is refused.
func (t *Table) Later(p *Piece, f *pmd.Frame, now int64, drops *pmd.Burst) (uint32, Decision) {
	h := p.Key.Hash(&t.seed)
	if e := t.choices.find(&p.Key, h, now); e != nil {
		if p.Offset < e.front {
			return t.spoil(e)
		}
		t.stats.Followed++
		return e.value, Forward
	}
	w := &t.waiting
	i := w.find(&p.Key, h)
	if i != none && w.datagrams[i].pieces == MaxPieces {
		t.stats.Refused++
		return 0, TooManyPieces
	}
	for {
		lack, short := w.short(f.Len())
		if !short {
			break
		}
		n := 0
		if i == none || i != w.oldest { // a datagram does not give way to itself
			n = w.giveUp(drops)
		}
		if n == 0 {
			t.stats.Refused++
			return 0, lack
		}
		t.stats.PushedOut += uint64(n)
	}
	w.hold(i, p, h, f, now+t.timeout)
	t.stats.Kept++
	return 0, Held
}

// spoil makes a datagram one of which nothing is forwarded.
func (t *Table) spoil(e *choice) (uint32, Decision) {
	e.front = spoiled
	t.stats.Overlapped++
	return 0, Overlap
}

// Expire adds to drops what has been held for the timeout, oldest first, as
// far as there is room for whole datagrams, and returns how many frames. It
// also forgets some choices past their time.
func (t *Table) Expire(now int64, drops *pmd.Burst) int {
	t.choices.expire(now, pmd.MaxBurst)
	frames := 0
	for w := &t.waiting; w.oldest != none && w.datagrams[w.oldest].until <= now; {
		n := w.giveUp(drops)
		if n == 0 {
			break
		}
		frames += n
	}
	t.stats.Expired += uint64(frames)
	return frames
}

// Drain adds to drops what is held, as Expire does, whatever the time. Called
// with an empty burst until it returns zero, it leaves nothing behind.
func (t *Table) Drain(drops *pmd.Burst) int {
	frames := 0
	for n := t.waiting.giveUp(drops); n != 0; n = t.waiting.giveUp(drops) {
		frames += n
	}
	t.stats.Drained += uint64(frames)
	return frames
}

// Stats returns the counters.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Datagrams, s.Waiting = uint64(t.choices.count), uint64(t.waiting.count)
	s.Held, s.HeldBytes = uint64(t.waiting.frames), uint64(t.waiting.bytes)
	return s
}
