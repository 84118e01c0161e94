package conntrack

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"guideway/maglev/flow"

	"pgregory.net/rapid"
)

const tick = 1 << tickShift * time.Nanosecond

// In ticks, and all different.
var shortTimeouts = Timeouts{TCPNew: 64 * tick, TCPEstablished: 512 * tick, TCPClosing: 128 * tick, UDP: 256 * tick, Other: 192 * tick}

// modelTimeout says again, in other words than the table's, what a timeout is.
func modelTimeout(proto uint8, s State) Tick {
	switch {
	case proto == 17:
		return 256
	case proto != 6:
		return 192
	case s == Unconfirmed:
		return 64
	case s == Closing:
		return 128
	}
	return 512
}

// modelKey is one of 256 flows that differ in little: in the protocol, the
// family, and five bits of a port or an address.
func modelKey(i uint8) flow.Key {
	k := flow.Key{Proto: [4]uint8{6, 17, 132, 47}[i&3], IPv6: i&4 != 0, SrcLo: 1, DstLo: 2}
	if k.Proto == 47 {
		k.DstLo ^= uint64(i >> 3)
	} else {
		k.Ports = uint32(i >> 3)
	}
	return k
}

// A run drives a table and a plain map side by side.
type run struct {
	table *Table
	model map[flow.Key]entry // may lag: expired flows stay until the table is seen without
	flows map[place]flow.Key // that were seen, as the table tells them apart
	now   Tick
	stats Stats
}

func (r *run) live(k flow.Key, e entry) bool {
	timeout := modelTimeout(k.Proto, e.state)
	return r.now-e.stamp < timeout+timeout/64
}

// touched is an entry after a packet of its flow.
func (r *run) touched(k flow.Key, e entry, ev Event) entry {
	state := step(e.state, ev)
	if state != e.state || state == Unconfirmed || r.now-e.stamp >= modelTimeout(k.Proto, state)/64 {
		e.stamp = r.now
	}
	e.state = state
	return e
}

// packet does what the packet path does: find, then touch, replace or insert.
func (r *run) packet(k flow.Key, value uint32, ev Event, replace bool) error {
	h := r.table.Hash(&k)
	r.flows[place{tagOf(&k, h), k.IPv6}] = k
	e, known := r.model[k]
	known = known && r.live(k, e)
	at, ok := r.table.Find(&k, h, r.now)
	switch {
	case ok != known:
		return fmt.Errorf("%v: found %v, want %v", k, ok, known)
	case !ok:
		return r.insert(k, h, value, ev)
	case r.table.Value(at) != e.value:
		return fmt.Errorf("%v: value %d, want %d", k, r.table.Value(at), e.value)
	case replace:
		r.table.Replace(at, value, r.now, ev)
		r.model[k] = entry{value, r.now, step(Free, ev)}
	default:
		r.table.Touch(at, r.now, ev)
		r.model[k] = r.touched(k, e, ev)
	}
	return nil // whatever inserts or ages next compares
}

func (r *run) insert(k flow.Key, h uint64, value uint32, ev Event) error {
	delete(r.model, k) // Find freed it if it was there
	evicted := 0
	switch r.table.Insert(&k, h, value, r.now, ev) {
	case Full:
		r.stats.Full++
		return r.crowded(k, h)
	case InsertedEvicting:
		r.stats.Evictions++
		evicted = 1
	}
	r.stats.Inserts++
	r.model[k] = entry{value, r.now, step(Free, ev)}
	return r.compare(evicted)
}

// crowded checks that a flow that got no place had none: where it may be, all
// is taken by live and confirmed flows.
func (r *run) crowded(k flow.Key, h uint64) error {
	f := &r.table.v4
	if k.IPv6 {
		f = &r.table.v6
	}
	for d := range uint32(group) {
		for _, line := range []uint32{f.home(h) ^ d, f.away(h) ^ d} {
			l := &r.table.lines[line]
			for i := range uint32(slots) {
				in := r.flows[place{l.tag(i), k.IPv6}]
				if e, ok := r.model[in]; !ok || !r.live(in, e) || e.state == Unconfirmed {
					return fmt.Errorf("no place for %v, but line %d slot %d has one", k, line, i)
				}
			}
		}
	}
	return r.compare(0)
}

// compare takes from the model what the table has let go, and that may only be
// what is past its timeout and so many evicted flows, which were unconfirmed.
func (r *run) compare(evicted int) error {
	places, err := audit(r.table)
	if err != nil {
		return err
	}
	flows := map[flow.Key]entry{}
	for p, e := range places {
		flows[r.flows[p]] = e
	}
	for k, e := range flows {
		if r.model[k] != e {
			return fmt.Errorf("%v is %+v, want %+v", k, e, r.model[k])
		}
	}
	for k, e := range r.model {
		if _, ok := flows[k]; ok {
			continue
		}
		if r.live(k, e) {
			if evicted--; e.state != Unconfirmed || evicted < 0 {
				return fmt.Errorf("at %d: %v %+v is lost", r.now, k, e)
			}
		}
		delete(r.model, k)
	}
	if evicted > 0 {
		return fmt.Errorf("evicted nothing that lived")
	}
	s := r.table.Stats()
	if s.Inserts-s.Expiries-s.Evictions != s.Entries || s.Inserts != r.stats.Inserts || s.Evictions != r.stats.Evictions || s.Full != r.stats.Full {
		return fmt.Errorf("counters %+v, want %+v", s, r.stats)
	}
	return nil
}

// drive reads an operation string, three bytes each after a first for the size
// of the table, and returns the first law that broke.
func drive(tb testing.TB, ops []byte) (*run, error) {
	if len(ops) == 0 {
		ops = []byte{0}
	}
	r := &run{
		table: mustNew(tb, Config{Flows: []int{1, 8, 12, 16}[ops[0]&3], Timeouts: shortTimeouts}),
		model: make(map[flow.Key]entry),
		flows: make(map[place]flow.Key),
		now:   ^Tick(99), // soon to wrap
	}
	for ops = ops[1:]; len(ops) >= 3; ops = ops[3:] {
		op, a, b := ops[0], ops[1], ops[2]
		var err error
		switch op & 15 {
		case 0:
			r.now += Tick(a & 63)
		case 1:
			r.table.Age(r.now, int(a&15))
			err = r.compare(0)
		default:
			events := [4]Event{Data, Data, Syn, Fin}
			err = r.packet(modelKey(a), uint32(b)|uint32(op)<<24, events[op>>4&3], op>>6 == 3)
		}
		if err != nil {
			return r, err
		}
	}
	// In the end all times out, and no line remembers anything.
	r.now += 520
	r.table.Age(r.now, r.table.Lines())
	if err := r.compare(0); err != nil {
		return r, err
	}
	for line, l := range r.table.lines {
		if l[meta]&farMask != farMask && l[meta] != 0 {
			return r, fmt.Errorf("line %d of an empty table has meta %#x", line, l[meta])
		}
	}
	if r.table.Len() != 0 {
		return r, fmt.Errorf("%d entries after all timed out", r.table.Len())
	}
	return r, nil
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 600).Draw(t, "operations")
		if _, err := drive(nilTB{}, rapid.SliceOfN(rapid.Byte(), 1+3*n, 1+3*n).Draw(t, "ops")); err != nil {
			t.Fatal(err)
		}
	})
}

// The same over one long string that never changes, of which we know that it
// fills the table in every way there is.
func TestModelFillsTheTable(t *testing.T) {
	ops := make([]byte, 1+3*20_000)
	rand.NewChaCha8([32]byte{}).Read(ops)
	ops[0] = 2
	for i := 1; i < len(ops); i += 3 {
		if ops[i]&15 <= 1 && i > len(ops)/2 {
			ops[i] |= 2 // time stands still for the second half
		}
	}
	r, err := drive(t, ops)
	if err != nil {
		t.Fatal(err)
	}
	if s := r.table.Stats(); min(s.Full, s.Evictions, s.Expiries, s.Moves) < 20 {
		t.Fatalf("not all of it came to pass: %+v", s)
	}
}

// nilTB is for mustNew where it cannot fail.
type nilTB struct{ testing.TB }

func (nilTB) Helper() {}

func FuzzTable(f *testing.F) {
	f.Add([]byte{0})
	fill := []byte{0}
	for i := range 96 {
		fill = append(fill, byte(2+i&0x30), byte(i), byte(i))
	}
	f.Add(fill)
	f.Add(append(append(fill, fill[1:]...), 0, 7, 0, 1, 15, 0))
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 600)] // the whole table is read after most
		if _, err := drive(t, ops); err != nil {
			t.Fatal(err)
		}
	})
}
