package fragments

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"guideway/maglev/flow"
	"guideway/pmd"
	"guideway/pmd/memport"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A model says in plain words what a table does: a map of what was chosen, a
// list of who waits.
type model struct {
	config  Config
	chosen  map[flow.Key]*modelChoice
	made    int // choices in all
	waiting []*modelDatagram
	stats   Stats // but what is now
}

type modelChoice struct {
	value   uint32
	flow    [2]uint32 // ports, protocol
	front   uint16
	spoiled bool
	until   int64
	number  int // of all choices made, from 1
}

type modelDatagram struct {
	key    flow.Key
	until  int64
	frames []*pmd.Frame
	low    uint16
}

// known returns the choice for k: made less than the timeout and so many
// choices ago.
func (m *model) known(k flow.Key, now int64) *modelChoice {
	c := m.chosen[k]
	if c == nil || c.until <= now || m.made-c.number >= m.config.Datagrams {
		delete(m.chosen, k)
		return nil
	}
	return c
}

func (m *model) first(p Piece, value uint32, now int64) (_ uint32, d Decision, out []*pmd.Frame) {
	if c := m.known(p.Key, now); c != nil {
		if c.spoiled || c.flow != [2]uint32{p.Ports, uint32(p.Proto)} {
			c.spoiled = true
			m.stats.Overlapped++
			return 0, Overlap, nil
		}
		c.until = now + int64(m.config.Timeout)
		m.stats.Firsts++
		return c.value, Forward, nil
	}
	m.made++
	for k, c := range m.chosen {
		if m.made-c.number == m.config.Datagrams {
			if c.until > now {
				m.stats.Forgotten++
			}
			delete(m.chosen, k)
		}
	}
	c := &modelChoice{
		value: value, flow: [2]uint32{p.Ports, uint32(p.Proto)}, front: p.Length,
		until: now + int64(m.config.Timeout), number: m.made,
	}
	m.chosen[p.Key] = c
	if i := slices.IndexFunc(m.waiting, func(d *modelDatagram) bool { return d.key == p.Key }); i >= 0 {
		d := m.waiting[i]
		m.waiting = slices.Delete(m.waiting, i, i+1)
		if d.low < p.Length {
			c.spoiled = true
			m.stats.Overlapped++
			m.stats.Spoiled += uint64(len(d.frames))
			return 0, Overlap, d.frames
		}
		out = d.frames
		m.stats.Released += uint64(len(d.frames))
	}
	m.stats.Firsts++
	return value, Forward, out
}

func (m *model) later(p Piece, f *pmd.Frame, now int64, room int) (_ uint32, _ Decision, drops []*pmd.Frame) {
	if c := m.known(p.Key, now); c != nil {
		if c.spoiled || p.Offset < c.front {
			c.spoiled = true
			m.stats.Overlapped++
			return 0, Overlap, nil
		}
		m.stats.Followed++
		return c.value, Forward, nil
	}
	i := slices.IndexFunc(m.waiting, func(d *modelDatagram) bool { return d.key == p.Key })
	if i >= 0 && len(m.waiting[i].frames) == MaxPieces {
		m.stats.Refused++
		return 0, TooManyPieces, nil
	}
	for {
		lack := Held
		if frames, bytes := m.held(); frames == m.config.Held {
			lack = TooManyHeld
		} else if bytes+f.Len() > m.config.Bytes {
			lack = TooManyBytes
		}
		if lack == Held {
			break
		}
		if i == 0 || len(m.waiting) == 0 || len(m.waiting[0].frames) > room-len(drops) {
			m.stats.Refused++
			return 0, lack, drops
		}
		drops = append(drops, m.waiting[0].frames...)
		m.stats.PushedOut += uint64(len(m.waiting[0].frames))
		m.waiting = m.waiting[1:]
		i--
	}
	if i < 0 {
		m.waiting = append(m.waiting, &modelDatagram{key: p.Key, until: now + int64(m.config.Timeout), low: p.Offset})
		i = len(m.waiting) - 1
	}
	d := m.waiting[i]
	d.frames = append(d.frames, f)
	d.low = min(d.low, p.Offset)
	m.stats.Kept++
	return 0, Held, drops
}

// giveUp takes the oldest datagrams that fit, and are past their time or all.
func (m *model) giveUp(now int64, all bool, room int) (drops []*pmd.Frame) {
	for len(m.waiting) > 0 && (all || m.waiting[0].until <= now) && len(m.waiting[0].frames) <= room-len(drops) {
		drops = append(drops, m.waiting[0].frames...)
		m.waiting = m.waiting[1:]
	}
	return drops
}

func (m *model) held() (frames, bytes int) {
	for _, d := range m.waiting {
		frames += len(d.frames)
		for _, f := range d.frames {
			bytes += f.Len()
		}
	}
	return frames, bytes
}

// A run drives a table and a model side by side, with real frames.
type run struct {
	table *Table
	model *model
	port  *memport.Port
	now   int64
	drops pmd.Burst // as on the packet path: filled by many calls, now and then freed
	out   pmd.Burst
}

// pool is where the frames of all runs come from: each returns what it took.
var pool = memport.NewPool("fragments", 256, 13107, 0)

// frame returns a received frame.
func (r *run) frame(size int) *pmd.Frame {
	b := new(pmd.Burst)
	r.port.Inject(0, make([]byte, size))
	r.port.Queue(0).Rx(b, 1)
	return b.Frames[0]
}

func (r *run) free(frames ...*pmd.Frame) {
	b := new(pmd.Burst)
	b.N = copy(b.Frames[:], frames)
	r.port.Queue(0).Free(b)
}

// modelPiece is a piece of one of 16 datagrams that differ in little: by one
// bit in the identification, the address, the protocol or the family.
func modelPiece(i uint8) Piece {
	p := Piece{Key: key4(17, uint16(i&1)), More: true}
	if i&4 != 0 {
		p.Key = key6(uint32(i & 1))
	}
	p.Key.SrcLo ^= uint64(i >> 1 & 1)
	if i&8 != 0 {
		p.Key.Proto ^= 1
	}
	return p
}

// first has a first fragment go through both.
func (r *run) first(p Piece, value uint32) error {
	v, d := r.table.First(&p, value, r.now, &r.out)
	wantV, wantD, want := r.model.first(p, value, r.now)
	got := slices.Clone(r.out.Frames[:r.out.N])
	r.port.Queue(0).Free(&r.out)
	if v != wantV || d != wantD || !slices.Equal(got, want) {
		return fmt.Errorf("first: value %d, decision %d, %d frames, want %d, %d, %d", v, d, len(got), wantV, wantD, len(want))
	}
	return r.compare()
}

// later has another one go through both.
func (r *run) later(p Piece, size int) error {
	f := r.frame(size)
	if f == nil {
		return fmt.Errorf("frames have leaked")
	}
	before := r.drops.N
	v, d := r.table.Later(&p, f, r.now, &r.drops)
	wantV, wantD, want := r.model.later(p, f, r.now, pmd.MaxBurst-before)
	if got := r.drops.Frames[before:r.drops.N]; v != wantV || d != wantD || !slices.Equal(got, want) {
		return fmt.Errorf("later: value %d, decision %d, %d pushed out, want %d, %d, %d", v, d, len(got), wantV, wantD, len(want))
	}
	if d != Held {
		r.free(f)
	}
	return r.compare()
}

// giveUp calls Expire or Drain of both.
func (r *run) giveUp(all bool) error {
	before := r.drops.N
	want := r.model.giveUp(r.now, all, pmd.MaxBurst-before)
	n := 0
	if all {
		n = r.table.Drain(&r.drops)
		r.model.stats.Drained += uint64(len(want))
	} else {
		n = r.table.Expire(r.now, &r.drops)
		r.model.stats.Expired += uint64(len(want))
	}
	if got := r.drops.Frames[before:r.drops.N]; n != len(got) || !slices.Equal(got, want) {
		return fmt.Errorf("given up %d, %d frames, want %d", n, len(got), len(want))
	}
	return r.compare()
}

func (r *run) compare() error {
	want, got := r.model.stats, r.table.Stats()
	frames, bytes := r.model.held()
	want.Waiting, want.Held, want.HeldBytes = uint64(len(r.model.waiting)), uint64(frames), uint64(bytes)
	live := 0
	for k := range r.model.chosen {
		if r.model.known(k, r.now) != nil {
			live++
		}
	}
	if got.Datagrams < uint64(live) || got.Datagrams > uint64(r.model.config.Datagrams) {
		return fmt.Errorf("%d datagrams, of which %d live", got.Datagrams, live)
	}
	want.Datagrams = got.Datagrams
	if got.Kept != got.Held+got.Released+got.Spoiled+got.Expired+got.PushedOut+got.Drained {
		return fmt.Errorf("of the %d kept some are lost: %+v", got.Kept, got)
	}
	if held := r.port.Held() - r.drops.N; uint64(held) != got.Held {
		return fmt.Errorf("%d frames are out, the table says %d", held, got.Held)
	}
	if got != want {
		return fmt.Errorf("counters:\n%s", cmp.Diff(want, got))
	}
	return nil
}

// drive reads an operation string, three bytes each after a first for the
// caps, and returns the first law that broke.
func drive(ops []byte) (stats Stats, err error) {
	if len(ops) == 0 {
		ops = []byte{0}
	}
	config := Config{
		Datagrams: []int{1, 2, 5, 12}[ops[0]&3], Held: []int{1, 3, 66, 190}[ops[0]>>2&3], Bytes: MinBytes,
		Timeout: 100 * time.Nanosecond, Seed: flow.Seed{A: 1, B: 2, C: uint64(ops[0])},
	}
	table, err := New(config)
	if err != nil {
		return stats, err
	}
	r := &run{
		table: table, now: memport.Start, port: memport.New(memport.Config{Pool: pool}),
		model: &model{config: config, chosen: make(map[flow.Key]*modelChoice)},
	}
	defer func() { // nothing leaks into the next run
		r.out.N = 0
		for n := 1; n != 0; n = r.table.Drain(&r.drops) {
			r.port.Queue(0).Free(&r.drops)
		}
		stats = r.table.Stats()
		if c := pool.Count(); c.Free != c.Size && err == nil {
			err = fmt.Errorf("pool %+v", c)
		}
	}()
	for ops = ops[1:]; len(ops) >= 3; ops = ops[3:] {
		op, a, b := ops[0], ops[1], ops[2]
		p := modelPiece(a & 15)
		switch op & 7 {
		case 0:
			r.now += int64(b & 63)
			err = r.giveUp(false)
		case 1:
			r.port.Queue(0).Free(&r.drops)
			if b == 255 {
				err = r.giveUp(true)
			}
		case 2, 3:
			p.Length = 8 * (1 + uint16(a>>4&3))
			p.Ports, p.Proto = uint32(b>>7), 17+b>>6&1
			err = r.first(p, 1+uint32(b&63))
		default: // some pieces of a size; five of the largest are MinBytes
			p.Offset = 8 * (1 + uint16(a>>4))
			for range 1 + op>>5 {
				if err = r.later(p, []int{60, 1514, 13107, 60 + int(b)}[b&3]); err != nil {
					break
				}
			}
		}
		if err != nil {
			return stats, err
		}
	}
	// In the end all times out.
	r.now += int64(config.Timeout)
	for range config.Held {
		r.port.Queue(0).Free(&r.drops)
		if err := r.giveUp(false); err != nil {
			return stats, err
		}
	}
	if s := table.Stats(); s.Waiting+s.Held+s.HeldBytes+s.Datagrams != 0 {
		return stats, fmt.Errorf("something is left: %+v", s)
	}
	return stats, audit(table)
}

// audit checks that an empty table has all its places free again and no chain
// that leads anywhere.
func audit(t *Table) error {
	for _, head := range slices.Concat(t.choices.buckets, t.waiting.buckets) {
		if head != none {
			return fmt.Errorf("an empty table with a chain to %d", head)
		}
	}
	datagrams, frames := 0, 0
	for i := t.waiting.freeDatagram; i != none; i = t.waiting.datagrams[i].next {
		datagrams++
	}
	for i := t.waiting.freeHeld; i != none; i = t.waiting.held[i].next {
		if t.waiting.held[i].frame != nil {
			return fmt.Errorf("free place %d has a frame", i)
		}
		frames++
	}
	if n := len(t.waiting.held); datagrams != n || frames != n || t.waiting.oldest != none || t.waiting.newest != none {
		return fmt.Errorf("of %d places %d and %d are free; oldest %d, newest %d", n, datagrams, frames, t.waiting.oldest, t.waiting.newest)
	}
	return nil
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "operations")
		if _, err := drive(rapid.SliceOfN(rapid.Byte(), 1+3*n, 1+3*n).Draw(t, "ops")); err != nil {
			t.Fatal(err)
		}
	})
}

// TestModelAtLength is the same over long and even randomness, which fills what
// rapid's small cases leave empty.
func TestModelAtLength(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 3))
	var sum Stats
	for i := range 60 {
		ops := make([]byte, 1+3*500)
		for k := range ops {
			ops[k] = byte(r.Uint32())
		}
		s, err := drive(ops)
		if err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
		sum.Followed += s.Followed
		sum.Released += s.Released
		sum.Spoiled += s.Spoiled
		sum.Expired += s.Expired
		sum.PushedOut += s.PushedOut
		sum.Refused += s.Refused
		sum.Forgotten += s.Forgotten
	}
	if min(sum.Followed, sum.Released, sum.Spoiled, sum.Expired, sum.PushedOut, sum.Refused, sum.Forgotten) < 100 {
		t.Fatalf("not all of it came to pass: %+v", sum)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte{0})
	reversed, flood := []byte{14}, []byte{4}
	for i := range byte(40) {
		reversed = append(reversed, 0x84, i, 20, 2, i&15, 1, 1, 0, 0)
		flood = append(flood, 4, i, i, 2, i, i)
	}
	f.Add(reversed)
	f.Add(flood)
	f.Add(append(append([]byte{15}, bytes.Repeat([]byte{0xe4, 0xf3, 4}, 9)...), 2, 3, 1)) // 72 pieces, then the first
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 1000 {
			return
		}
		if _, err := drive(ops); err != nil {
			t.Fatal(err)
		}
	})
}
