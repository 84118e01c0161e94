package conntrack

import (
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"guideway/maglev/flow"
)

func TestNewRefuses(t *testing.T) {
	good := Config{Flows: 100, Timeouts: timeouts}
	for _, c := range []struct {
		name   string
		change func(*Config)
		say    string
	}{
		{"no flows", func(c *Config) { c.Flows = 0 }, "0 flows"},
		{"too many flows", func(c *Config) { c.Flows = MaxFlows + 1 }, "flows"},
		{"no timeout", func(c *Config) { c.Timeouts.UDP = 0 }, "UDP"},
		{"a timeout that wraps", func(c *Config) { c.Timeouts.TCPClosing = MaxTimeout + 1 }, "TCP closing"},
		{"little memory", func(c *Config) { c.Memory = newMemory(Bytes(100)/lineBytes - 1) }, "memory"},
		{"crooked memory", func(c *Config) { c.Memory = newMemory(Bytes(100)/lineBytes + 1)[8:] }, "aligned"},
	} {
		bad := good
		c.change(&bad)
		if _, err := New(bad); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want a word on %q", c.name, err, c.say)
		}
	}
	good.Memory = newMemory(Bytes(100) / lineBytes)
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
}

// Every bit of the key counts: a flow that differs in one is another flow.
func TestFullKeyIsCompared(t *testing.T) {
	for _, proto := range []uint8{6, 17, 132, 47} {
		for _, ipv6 := range []bool{false, true} {
			base := flowKey(12345, ipv6)
			base.Proto = proto
			words := []*uint64{&base.SrcLo, &base.DstLo}
			width := 32
			if ipv6 {
				words, width = append(words, &base.SrcHi, &base.DstHi), 64
			}
			if proto == 47 {
				base.Ports = 0
			}
			tb := mustNew(t, Config{Flows: 1})
			h := tb.Hash(&base)
			// Fill the home line but for its last slot, so that all of them are compared.
			at := 0
			f := &tb.v4
			if ipv6 {
				f = &tb.v6
			}
			for i := uint32(0); at < 2; i++ {
				k := flowKey(i, ipv6)
				if f.home(tb.Hash(&k)) == f.home(h) {
					tb.Insert(&k, tb.Hash(&k), i, 0, Data)
					at++
				}
			}
			stored := base
			tb.Insert(&stored, h, 99, 0, Data)
			absent := func(what string, bit int) {
				h := h
				if ipv6 { // all that is compared of its addresses is the hash
					h = tb.Hash(&base)
				}
				if _, ok := tb.Find(&base, h, 0); ok {
					t.Errorf("protocol %d, IPv6 %v: found with bit %d of %s flipped", proto, ipv6, bit, what)
				}
			}
			for w, p := range words {
				for bit := range width {
					*p ^= 1 << bit
					absent([]string{"SrcLo", "DstLo", "SrcHi", "DstHi"}[w], bit)
					*p ^= 1 << bit
				}
			}
			for bit := 0; proto != 47 && bit < 32; bit++ {
				base.Ports ^= 1 << bit
				absent("Ports", bit)
				base.Ports ^= 1 << bit
			}
			for bit := range 8 {
				base.Proto ^= 1 << bit
				absent("Proto", bit)
				base.Proto ^= 1 << bit
			}
			if found, ok := tb.Find(&base, h, 0); !ok || tb.Value(found) != 99 {
				t.Errorf("protocol %d, IPv6 %v: not found as it is", proto, ipv6)
			}
		}
	}
}

// The documentation's figure holds, and a table of that size takes the flows
// that it is made for.
func TestMillionFlowsFitWhatTheDocsState(t *testing.T) {
	text, err := os.ReadFile("../../docs/conntrack.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`a million flows of each family take (\d+) MB: (\d+) bytes a\s+flow`).FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/conntrack.md does not state the memory")
	}
	var stated [3]int
	for i := 1; i < len(m); i++ {
		stated[i], _ = strconv.Atoi(string(m[i]))
	}
	const flows = 1_000_000
	if n := lineCount(flows); Bytes(flows) > stated[1]*1_000_000 || n*lineBytes > stated[2]*flows {
		t.Fatalf("%d bytes for %d flows of each family: %d lines; stated %v", Bytes(flows), flows, n, stated[1:])
	}
	tb := mustNew(t, Config{Flows: flows})
	random := rand.New(rand.NewPCG(1, 2))
	lost := 0
	for range flows {
		for _, ipv6 := range []bool{false, true} {
			k := flowKey(random.Uint32(), ipv6)
			k.SrcLo ^= uint64(random.Uint32() >> 16)
			h := tb.Hash(&k)
			if _, known := tb.Find(&k, h, 0); known {
				lost-- // no second flow; as good as random ones get
				continue
			}
			if tb.Insert(&k, h, 1, 0, Data) != Inserted {
				lost++
			}
		}
	}
	if lost > 2*flows/10_000 {
		t.Errorf("%d of %d flows got no place or another's", lost, 2*flows)
	}
	if lines := tb.Stats().Moves; lines == 0 || lines > flows/20 {
		t.Errorf("%d moves", lines)
	}
}

// A flood of new flows takes no place from a confirmed one.
func TestFloodLeavesConfirmedFlows(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		const n = 4096
		tb := mustNew(t, Config{Flows: n})
		for i := range uint32(n) {
			k := flowKey(i, ipv6)
			h := tb.Hash(&k)
			tb.Insert(&k, h, i, 0, Syn)
			at, ok := tb.Find(&k, h, 0)
			if !ok {
				t.Fatalf("flow %d is not there", i)
			}
			tb.Touch(at, 0, Data)
		}
		f, moves := &tb.v4, uint64(0)
		if ipv6 {
			f = &tb.v6
		}
		for i := uint32(n); i < 50*n; i++ {
			if moves == 0 && f.taken >= f.roomy {
				moves = tb.Stats().Moves
			}
			k := flowKey(i, ipv6)
			tb.Insert(&k, tb.Hash(&k), i, Tick(i/n), Syn)
		}
		if s := tb.Stats(); s.Evictions == 0 || s.Full == 0 {
			t.Fatalf("no flood: %+v", s)
		} else if s.Moves != moves {
			t.Errorf("a flood on a nearly full table costs %d moves", s.Moves-moves)
		}
		for i := range uint32(n) {
			k := flowKey(i, ipv6)
			if at, ok := tb.Find(&k, tb.Hash(&k), 50); !ok || tb.Value(at) != i {
				t.Fatalf("IPv6 %v: flow %d is lost", ipv6, i)
			}
		}
		if _, err := audit(tb); err != nil {
			t.Fatal(err)
		}
	}
}

// The oldest of the unconfirmed goes first: of all that are in the way, or in
// a crowded table of those in the first line that has one.
func TestEvictsTheOldest(t *testing.T) {
	for _, crowded := range []bool{false, true} {
		tb := mustNew(t, Config{Flows: 1})
		if crowded {
			tb.v4.roomy = 0
		} else {
			tb.v4.roomy = 1 << 20
		}
		var keys []flow.Key // fill all places
		for i := uint32(0); tb.v4.taken < tb.v4.count*slots; i++ {
			k := flowKey(i, false)
			h := tb.Hash(&k)
			if at, free := tb.freeIn(tb.v4.home(h)); free {
				tb.put(&tb.v4, tb.v4.home(h), at, tagOf(&k, h), 0, Tick(1000-7*i%500), Unconfirmed)
				keys = append(keys, k)
			}
		}
		k := flowKey(1<<20, false)
		h := tb.Hash(&k)
		var victim flow.Key
		oldest := Tick(1 << 20)
		for _, in := range keys {
			line := tb.v4.home(tb.Hash(&in))
			home, away := tb.v4.home(h), tb.v4.away(h)
			inTheWay := line == home || !crowded && (line^home < group || line^away < group)
			at, _ := tb.Find(&in, tb.Hash(&in), 1000)
			if stamp := Tick(tb.lines[at.line()][stamps+at.index()]); inTheWay && stamp < oldest {
				victim, oldest = in, stamp
			}
		}
		if got := tb.Insert(&k, h, 0, 1000, Syn); got != InsertedEvicting {
			t.Fatalf("outcome %d", got)
		}
		for _, in := range keys {
			if _, ok := tb.Find(&in, tb.Hash(&in), 1000); ok != (in != victim) {
				t.Errorf("crowded %v: %v found: %v", crowded, in, ok)
			}
		}
	}
}

// Keys made by someone who knows the seed: all of one home line. The table
// stays right, and forgets the abuse; but for the line that lost count.
func TestKeysOfOneLine(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		tb := mustNew(t, Config{Flows: 2000})
		f := &tb.v4
		if ipv6 {
			f = &tb.v6
		}
		var keys []flow.Key
		home := f.first + 4
		for i := uint32(0); len(keys) < 2000; i++ {
			if k := flowKey(i, ipv6); f.home(tb.Hash(&k)) == home {
				keys = append(keys, k)
			}
		}
		in := make(map[int]bool)
		for i := range keys {
			h := tb.Hash(&keys[i])
			if got := tb.Insert(&keys[i], h, uint32(i), 0, Fin); got == Inserted {
				in[i] = true
			} else if got != Full {
				t.Fatalf("outcome %d, but nobody may be evicted", got)
			}
		}
		if tb.lines[home][meta]&farMask != farMask || len(in) < 300 {
			t.Fatalf("%d keys do not saturate the count: %#x", len(in), tb.lines[home][meta])
		}
		for i := range keys {
			at, ok := tb.Find(&keys[i], tb.Hash(&keys[i]), 0)
			if ok != in[i] || ok && tb.Value(at) != uint32(i) {
				t.Fatalf("IPv6 %v: key %d found %v, want %v", ipv6, i, ok, in[i])
			}
		}
		if _, err := audit(tb); err != nil {
			t.Fatal(err)
		}
		tb.Age(tb.marks[uint32(tcp)<<classShift|uint32(Closing)].timeout, tb.Lines())
		for line, l := range tb.lines {
			if want := uint32(line) == home; (l[meta] != 0) != want || want && l[meta] != farMask {
				t.Errorf("line %d of an empty table has meta %#x", line, l[meta])
			}
		}
	}
}

func TestTimeoutsAndTheClock(t *testing.T) {
	if got := Ticks(5<<tickShift - 1); got != 4 {
		t.Errorf("%d ticks", got)
	}
	if got := Ticks(1 << (32 + tickShift)); got != 0 {
		t.Errorf("52 days are %d ticks: no wrap", got)
	}
	const start = ^Tick(2) // two before the wrap
	for _, c := range []struct {
		proto   uint8
		events  []Event
		timeout time.Duration
	}{
		{6, []Event{Syn}, timeouts.TCPNew},
		{6, []Event{Syn, Data}, timeouts.TCPEstablished},
		{6, []Event{Syn, Data, Fin}, timeouts.TCPClosing},
		{17, []Event{Data}, timeouts.UDP},
		{17, []Event{Data, Data}, timeouts.UDP},
		{132, []Event{Data, Data}, timeouts.Other},
		{47, []Event{Data}, timeouts.Other},
	} {
		tb := mustNew(t, Config{Flows: 1})
		k := flowKey(1, false)
		if k.Proto = c.proto; c.proto == 47 {
			k.Ports = 0
		}
		h := tb.Hash(&k)
		tb.Insert(&k, h, 1, start, c.events[0])
		for _, e := range c.events[1:] {
			at, _ := tb.Find(&k, h, start)
			tb.Touch(at, start, e)
		}
		// Rounded up to whole ticks, and one tick and a 64th long: never early.
		last := start + Ticks(int64(c.timeout))
		last += (last - start + 1) / renewals
		if _, ok := tb.Find(&k, h, start-1); !ok {
			t.Errorf("%d %v: a clock that steps back ends it", c.proto, c.events)
		}
		if _, ok := tb.Find(&k, h, last); !ok {
			t.Errorf("%d %v: gone before %v", c.proto, c.events, c.timeout)
		}
		if _, ok := tb.Find(&k, h, last+1); ok {
			t.Errorf("%d %v: there after %v", c.proto, c.events, c.timeout)
		}
		if s := tb.Stats(); s.Entries != 0 || s.Expiries != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// Age goes through the table by as many lines as it is told.
func TestAgeGoesOn(t *testing.T) {
	tb := mustNew(t, Config{Flows: 64})
	for i := range uint32(64) {
		k := flowKey(i, i&1 != 0)
		tb.Insert(&k, tb.Hash(&k), i, 0, Data)
	}
	const late = 1 << 20
	before := tb.Len()
	tb.Age(late, tb.Lines()/2)
	half := tb.Len()
	tb.Age(late, tb.Lines()-tb.Lines()/2)
	if before != 64 || half == 0 || half == before || tb.Len() != 0 {
		t.Fatalf("%d, %d, %d entries", before, half, tb.Len())
	}
}

// However packets come, an entry outlives its last by the timeout, and by a 64th of
// that at most; and most packets write nothing.
func TestRenewal(t *testing.T) {
	const timeout = 1000
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		tb := mustNew(t, Config{Flows: 1, Timeouts: Timeouts{TCPNew: tick, TCPEstablished: timeout * tick, TCPClosing: tick, UDP: tick, Other: tick}})
		k := flowKey(1, false)
		h := tb.Hash(&k)
		now := ^Tick(0) - Tick(random.IntN(500))
		tb.Insert(&k, h, 1, now, Data)
		tb.Hit(&k, h, now, Data)
		at, _ := tb.Find(&k, h, now)
		l := &tb.lines[at.line()]
		written := 0
		for range 1000 {
			now += Tick(random.IntN(4))
			before := *l
			if _, known := tb.Hit(&k, h, now, Data); !known {
				t.Fatal("gone while packets come")
			}
			if before != *l {
				written++
			}
		}
		if written < 50 || written > 110 { // 1500 ticks, of which 15 may pass in between
			t.Fatalf("%d of 1000 packets wrote", written)
		}
		if _, idle := tb.Look(at, now); idle > timeout/64*tick {
			t.Fatalf("idle for %v when a packet has just come", idle)
		}
		if _, known := tb.Find(&k, h, now+timeout); !known {
			t.Fatal("gone before its timeout")
		}
		if _, known := tb.Find(&k, h, now+timeout+timeout/64+1); known {
			t.Fatal("there long after its timeout")
		}
	}
}
