package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"guideway/cmd/guideway-load/traffic"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

func spec() traffic.Spec {
	return traffic.Spec{
		DstMAC: [6]byte{2, 0, 0, 0, 0, 1}, SrcMAC: [6]byte{2, 0, 0, 0, 0, 2},
		Services: []traffic.Service{
			{Addr: netip.MustParseAddr("203.0.113.10"), Port: 80, Proto: packet.ProtoTCP},
			{Addr: netip.MustParseAddr("2001:db8:cafe::10"), Port: 7001, Proto: packet.ProtoUDP},
		},
		Sources4: netip.MustParsePrefix("10.0.0.0/16"), Sources6: netip.MustParsePrefix("2001:db8:a::/64"),
		LowPort: 1024, TopPort: 2048, Flows: 50, Sizes: []int{64},
	}
}

func plan(t testing.TB, s traffic.Spec) *traffic.Plan {
	t.Helper()
	p, err := traffic.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A bench is a loop, its port, and a device behind it that the test plays.
type bench struct {
	port   *memport.Port
	plan   *traffic.Plan
	stream *Paced
	sink   *Sink
	loop   *Loop
}

func newBench(t testing.TB, s traffic.Spec, port memport.Config, cfg Config) *bench {
	t.Helper()
	b := &bench{port: memport.New(port), plan: plan(t, s)}
	b.stream = &Paced{Stream: b.plan.Stream()}
	b.sink = NewSink(b.plan, true)
	q := b.port.Queue(0)
	cfg.Tx, cfg.Rx, cfg.Sink, cfg.Start, cfg.Lead = q, []pmd.Queue{q}, b.sink, new(Start), true
	cfg.Streams = append(cfg.Streams, b.stream)
	b.loop = New(cfg)
	return b
}

// turn has the loop go round once, a microsecond later, and returns what it sent.
func (b *bench) turn() (frames [][]byte, more bool) {
	b.port.Advance(1000)
	more = b.loop.Turn()
	return b.port.Sent(0), more
}

func (b *bench) report() *Report {
	total := NewTally()
	for _, t := range b.loop.Rest() {
		total.Add(t)
	}
	return NewReport(total, []*Paced{b.stream}, b.sink)
}

// wrap returns a frame's packet in GRE over IPv4 to a backend, as guidewayd sends
// it.
func wrap(frame []byte, backend byte) []byte {
	inner := frame[packet.EthernetLen:]
	out := make([]byte, packet.EthernetLen+packet.IPv4Len+packet.GRELen)
	n := packet.PutEthernet(out, [6]byte{}, [6]byte{}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(out[n:], 64, packet.ProtoGRE, 0xc00002fe, 0xc0000200|uint32(backend))
	packet.SetIPv4(out[n:], 0, uint16(packet.IPv4Len+packet.GRELen+len(inner)), packet.IPv4Rest(out[n:]))
	packet.PutGRE(out[n+packet.IPv4Len:], binary.BigEndian.Uint16(frame[12:]))
	return append(out, inner...)
}

// run turns the loop round until it ends; the device gives what it makes of the
// frames sent in one turn back for the next.
func (b *bench) run(t testing.TB, device func(seen *traffic.Seen, frame []byte) [][]byte) *Report {
	t.Helper()
	for turns := 0; ; turns++ {
		frames, more := b.turn()
		if !more {
			break
		}
		if turns > 100_000 {
			t.Fatal("the loop does not end")
		}
		for _, frame := range frames {
			var seen traffic.Seen
			if b.plan.Read(frame, &seen); seen.Kind == traffic.Foreign {
				t.Fatalf("it sent %x", frame)
			}
			b.port.Inject(0, device(&seen, frame)...)
		}
	}
	if held := b.port.Held(); held != 0 {
		t.Errorf("%d frames have not come back", held)
	}
	return b.report()
}

func backend(flow uint32) byte { return byte(1 + flow%5) }

func through(seen *traffic.Seen, frame []byte) [][]byte {
	return [][]byte{wrap(frame, backend(seen.Flow))}
}

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// The device loses, repeats, delays and misdirects packets, and the report says
// how many of each, and of how many flows.
func TestFaultsAreFound(t *testing.T) {
	b := newBench(t, spec(), memport.Config{}, Config{Packets: 50 * 128, Quiet: 100_000})
	var held []byte
	r := b.run(t, func(seen *traffic.Seen, frame []byte) [][]byte {
		good := wrap(frame, backend(seen.Flow))
		switch seq := seen.Sequence; seen.Flow {
		case 3: // loses its first and one more
			if seq == 0 || seq == 10 {
				return nil
			}
		case 4: // loses its last two
			if seq >= 126 {
				return nil
			}
		case 5: // two come twice
			if seq%64 == 7 {
				return [][]byte{good, good}
			}
		case 6: // moves, and moves back
			if seq >= 100 && seq < 110 {
				return [][]byte{wrap(frame, 99)}
			}
		case 7: // one comes behind its successor
			if seq == 20 {
				held = good
				return [][]byte{frame[:30]} // and something else in its place
			} else if seq == 21 {
				return [][]byte{good, held}
			}
		case 8: // never comes
			return nil
		}
		return [][]byte{good}
	})
	check(t, "sent", r.Sent.Packets, 50*128)
	check(t, "lost", *r.Lost, 2+2+128)
	check(t, "received", r.Received.Frames, 50*128-132+2)
	check(t, "missing", r.Received.Missing, 2) // what is behind the last that came is no gap
	check(t, "repeated", r.Received.Repeated, 2)
	check(t, "late", r.Received.Late, 1)
	check(t, "moved", r.Received.Moved, 2)
	check(t, "foreign", r.Received.Foreign, 1)
	check(t, "flows", *r.Flows, Flows{Total: 50, Seen: 49, Lossy: 3, Late: 1, Moved: 1})
	check(t, "latencies", r.Latency.Packets, int64(r.Received.Frames))
	check(t, "backends", len(r.Backends), 6)
	check(t, "the least backend", r.Backends[5], Share{netip.MustParseAddr("192.0.2.99"), 10})
}

// What happens in the warm-up is not counted, and what was sent in it is not when
// it comes.
func TestWarmup(t *testing.T) {
	const warmup = 50_000
	b := newBench(t, spec(), memport.Config{}, Config{Packets: 5000, Warmup: warmup, Quiet: 100_000})
	began, n := b.port.Now(), 0
	r := b.run(t, func(seen *traffic.Seen, frame []byte) [][]byte {
		if n++; n < 4 { // somebody asks before there is anything
			b.loop.Collect(NewTally())
			b.loop.Turn()
		}
		if b.port.Now() < began+warmup-5000 && n%3 == 0 {
			return nil
		}
		return through(seen, frame)
	})
	check(t, "seconds", r.Seconds, float64(b.loop.stopped-b.loop.cfg.Start.at.Load())/1e9)
	if n < 5000+40*pmd.MaxBurst {
		t.Errorf("%d packets were sent in all", n)
	}
	check(t, "sent", r.Sent.Packets, 5000)
	check(t, "lost", *r.Lost, 0)
	check(t, "received", r.Received.Frames, 5000)
	check(t, "missing", r.Received.Missing, 0)
	check(t, "flows", *r.Flows, Flows{Total: 50, Seen: 50})
}

// A flow of which nothing was sent since the warm-up has lost nothing, and one that
// lost the first packet since then has.
func TestFirstsAfterWarmup(t *testing.T) {
	s := spec()
	b := newBench(t, s, memport.Config{}, Config{Packets: 20, Warmup: 20_000, Quiet: 100_000})
	lost := false
	r := b.run(t, func(seen *traffic.Seen, frame []byte) [][]byte {
		if at := b.loop.cfg.Start.at.Load(); at != 0 && !lost && traffic.Age(seen.Stamp, b.port.Now()) <= b.port.Now()-at {
			lost = true
			return nil
		}
		return through(seen, frame)
	})
	check(t, "lost", *r.Lost, 1)
	check(t, "flows", *r.Flows, Flows{Total: 50, Seen: 19, Lossy: 1})
}

// A port that takes a part of each burst makes no gaps in flows: the rest is sent
// again.
func TestRefused(t *testing.T) {
	s := spec()
	s.Life = 7
	b := newBench(t, s, memport.Config{TxRing: 13}, Config{Packets: 5000, Quiet: 100_000})
	r := b.run(t, through)
	check(t, "sent", r.Sent.Packets, 5000)
	check(t, "lost", *r.Lost, 0)
	check(t, "flows", *r.Flows, Flows{Total: 50, Seen: 50})
	if r.Sent.Refused < 5000 {
		t.Errorf("%d frames refused", r.Sent.Refused)
	}
}

// Latency is the time from one turn's sending to the receiving in a later one.
func TestLatency(t *testing.T) {
	b := newBench(t, spec(), memport.Config{}, Config{Packets: 10_000, Quiet: 100_000})
	var waiting [][]byte
	n := 0
	r := b.run(t, func(seen *traffic.Seen, frame []byte) [][]byte {
		n++
		waiting = append(waiting, wrap(frame, 1))
		if n%pmd.MaxBurst != 0 && n < 10_000 {
			return nil
		}
		if n/pmd.MaxBurst == 50 { // 64 of 10,000 take ten microseconds
			b.port.Advance(9000)
		}
		list := waiting
		waiting = nil
		return list
	})
	l := r.Latency
	check(t, "packets", l.Packets, 10_000)
	check(t, "p50", l.P50/10, 100) // three digits are exact
	check(t, "p99", l.P99/10, 100)
	if l.P999 < 9990 || l.P999 > 10_010 || l.Max < 9990 || l.Min != 1000 {
		t.Errorf("%+v", l)
	}
}

// Datagrams in fragments: each frame is counted, and the flow by its first.
func TestFragments(t *testing.T) {
	s := spec()
	s.Services = s.Services[1:]
	s.Sizes, s.Cut = []int{64, 3000}, 1280
	b := newBench(t, s, memport.Config{TxRing: 30}, Config{Packets: 1000, Quiet: 100_000})
	strayed := false
	r := b.run(t, func(seen *traffic.Seen, frame []byte) [][]byte {
		if seen.Kind == traffic.Later && seen.Flow == 9 && seen.Sequence > 4 && !strayed {
			strayed = true
			return [][]byte{wrap(frame, 77)}
		}
		return through(seen, frame)
	})
	check(t, "packets", r.Sent.Packets, 1000)
	if r.Sent.Frames < 1800 || r.Sent.Frames > 2200 {
		t.Errorf("%d frames", r.Sent.Frames)
	}
	check(t, "lost", *r.Lost, 0)
	check(t, "latencies", r.Latency.Packets, 1000)
	check(t, "moved", r.Received.Moved, 1)
	check(t, "flows", *r.Flows, Flows{Total: 50, Seen: 50, Moved: 1})
}

// A flood is counted apart, and takes turns with the flows.
func TestFlood(t *testing.T) {
	s := spec()
	p := plan(t, s)
	flood, err := p.Flood(traffic.FloodSpec{Kind: traffic.FloodSYN, Sources4: netip.MustParsePrefix("198.18.0.0/15"), LowPort: 1, TopPort: 9, Size: 64})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, s, memport.Config{}, Config{Packets: 3200, Quiet: 100_000, Streams: []*Paced{{Stream: flood, Flood: true}}})
	r := b.run(t, func(seen *traffic.Seen, frame []byte) [][]byte {
		if seen.Kind == traffic.Flooded && seen.Sequence%2 == 0 {
			return nil
		}
		return through(seen, frame)
	})
	check(t, "sent", r.Sent.Packets, 3200)
	check(t, "lost", *r.Lost, 0)
	if f := r.Sent.Flood; f < 3100 || f > 3300 || r.Received.Flood != f/2 {
		t.Errorf("%d frames of the flood, %d came back", f, r.Received.Flood)
	}
}

// One loop that sends and one that receives find what one loop does.
func TestTwoLoops(t *testing.T) {
	b := newBench(t, spec(), memport.Config{}, Config{})
	start, q := new(Start), b.port.Queue(0)
	tx := New(Config{Tx: q, Streams: []*Paced{b.stream}, Start: start, Lead: true, Clock: b.port.Now, Packets: 3000, Warmup: 20_000, Quiet: 1})
	rx := New(Config{Rx: []pmd.Queue{q}, Sink: b.sink, Start: start, Quiet: 10_000})
	for n, more := 0, true; more; n++ {
		b.port.Advance(1000)
		tx.Turn()
		if tx.Sent() {
			rx.Stop()
		}
		for _, frame := range b.port.Sent(0) {
			if n > 3 { // the first ones find no link
				b.port.Inject(0, wrap(frame, 1))
			}
		}
		more = rx.Turn()
	}
	total := NewTally()
	for _, l := range []*Loop{tx, rx} {
		for _, t := range l.Rest() {
			total.Add(t)
		}
	}
	r := NewReport(total, []*Paced{b.stream}, b.sink)
	check(t, "sent", r.Sent.Packets, 3000)
	check(t, "received", r.Received.Frames, 3000)
	check(t, "lost", *r.Lost, 0)
	check(t, "flows", *r.Flows, Flows{Total: 50, Seen: 50})
	check(t, "latencies", r.Latency.Packets, 3000)
}

// A loop with no stream counts all that comes until it is stopped; whoever sent
// it has another clock.
func TestReceiveOnly(t *testing.T) {
	s := spec()
	s.Flows = 20
	b := newBench(t, s, memport.Config{}, Config{})
	rx := New(Config{Rx: []pmd.Queue{b.port.Queue(0)}, Sink: b.sink, Start: new(Start), Lead: true, Quiet: 5000})
	frames := memport.New(memport.Config{})
	burst := new(pmd.Burst)
	frames.Queue(0).Alloc(burst, 60)
	b.plan.Stream().Put(burst.Frames[:60], 60, 12345)
	frames.Queue(0).Tx(burst)
	for i, frame := range frames.Sent(0) {
		if i != 25 {
			b.port.Inject(0, wrap(frame, 1))
		}
	}
	for range 10 {
		b.port.Advance(1000)
		rx.Turn()
	}
	rx.Stop()
	for turns := 0; rx.Turn(); turns++ {
		if b.port.Advance(1000); turns > 10 {
			t.Fatal("it does not end")
		}
	}
	total := NewTally()
	for _, t := range rx.Rest() {
		total.Add(t)
	}
	r := NewReport(total, nil, b.sink)
	check(t, "received", r.Received.Frames, 59)
	check(t, "missing", r.Received.Missing, 1)
	check(t, "flows", *r.Flows, Flows{Total: 20, Seen: 20, Lossy: 1})
	if r.Sent != nil || r.Lost != nil || r.Latency != nil {
		t.Errorf("%+v", r)
	}
}

// Tallies are handed over while a loop runs, and nothing is lost between them.
func TestCollect(t *testing.T) {
	p := plan(t, spec())
	q := memport.NewLoop(memport.LoopConfig{Packets: [][]byte{make([]byte, 64)}}).Queue(0)
	l := New(Config{Tx: q, Rx: []pmd.Queue{q}, Streams: []*Paced{{Stream: p.Stream()}}, Start: new(Start), Lead: true, Quiet: 1000, Packets: 100_000})
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run()
	}()
	total, next, handed := NewTally(), NewTally(), 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if old := l.Collect(next); old != nil {
			handed++
			total.Add(old)
			old.Reset()
			next = old
		}
		runtime.Gosched()
	}
	for _, rest := range l.Rest() {
		total.Add(rest)
	}
	check(t, "sent", total.Sent, 100_000)
	if handed == 0 {
		t.Error("no tally was handed over")
	}
}

// The ledger against a model that remembers everything.
func TestLedger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger(1, rapid.SampledFrom([]int{0, 4}).Draw(t, "life"))
		came := map[uint32]bool{}
		first := rapid.SampledFrom([]uint32{0, 7, 1<<32 - 5}).Draw(t, "first")
		highest, where, missing := first-1, uint16(0), int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "packets") {
			seq := highest + uint32(rapid.IntRange(-12, 4).Draw(t, "step"))
			if len(came) == 0 {
				seq = first
			}
			to := uint16(rapid.IntRange(1, 2).Draw(t, "backend"))
			ahead := int32(seq - highest)
			var want finding
			want.moved = len(came) > 0 && to != where && (l.life == 0 || seq/l.life == highest/l.life)
			switch {
			case len(came) == 0:
			case ahead > 0:
				want.lost = int64(ahead) - 1
			case came[seq] && ahead > -8:
				want.again = true
			default:
				want.late, want.lost = true, -1
			}
			if ahead > 0 {
				highest, where = seq, to
			}
			came[seq] = true
			missing = min(max(missing+want.lost, 0), missingMost)
			if got := l.note(0, seq, to, true); got != want {
				t.Fatalf("packet %d behind %d: %+v, want %+v", seq, highest, got, want)
			}
			if missing == missingMost {
				return // and stays so
			}
			if got := l.flows[0].missing(); int64(got) != missing {
				t.Fatalf("%d missing, want %d", got, missing)
			}
		}
	})
}

func TestPace(t *testing.T) {
	p := NewPace(3e6)
	sent, now := 0, int64(1000)
	for now < 1_000_000_000 {
		due := p.Due(now)
		sent += due
		p.Spent(due)
		now += 777
	}
	if sent < 2_999_900 || sent > 3_000_000 {
		t.Errorf("%d packets in a second at 3 million", sent)
	}
	check(t, "forgiven", p.Forgiven, 0)
	now += 30_000_000 // away for 30 ms: two thirds are forgotten, and the rest comes in bursts
	late := 0
	for range 1000 {
		due := p.Due(now)
		late += due
		p.Spent(due)
	}
	if late < 29_990 || late > 30_010 || p.Forgiven < 59_000 || p.Forgiven > 61_000 {
		t.Errorf("%d packets late, %d forgiven", late, p.Forgiven)
	}
	for rate, most := range map[float64]int{0: pmd.MaxBurst, 1: 1} {
		p := NewPace(rate)
		p.Due(1)
		check(t, "first", p.Due(1_000_000_001), most)
	}
}

// The text names every finding, and JSON has each under its name.
func TestReportForms(t *testing.T) {
	b := newBench(t, spec(), memport.Config{}, Config{Packets: 1000, Quiet: 100_000})
	r := b.run(t, func(seen *traffic.Seen, frame []byte) [][]byte { return [][]byte{wrap(frame, byte(seen.Flow))} })
	var text, again bytes.Buffer
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sent  1000  packets", "lost     0  frames, 0.0000 %", "flows    50  50 seen, 0 lost packets", "latency   1.0  us p50; 1.0 p90", "192.0.2.7, 2.00 %", "and 40 more"} {
		if !strings.Contains(squeeze(text.String()), squeeze(want)) {
			t.Errorf("no %q in:\n%s", want, &text)
		}
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(out, &back); err != nil {
		t.Fatal(err)
	}
	back.Text(&again)
	check(t, "text of what JSON kept", again.String(), text.String())
}

// squeeze makes one space of several.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestRate(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 7: "7", 0.5: "0.50", 999.4: "999", 999.6: "1.00k", 12_345: "12.3k", 99_960: "100k", 1.5e6: "1.50M", 2e10: "20.0G"} {
		check(t, "rate", Rate(v), want)
	}
}

// A turn allocates nothing, with or without something to say.
func TestNoAllocs(t *testing.T) {
	b := newBench(t, spec(), memport.Config{}, Config{})
	q := memport.NewLoop(memport.LoopConfig{Packets: frames(t, b.plan)}).Queue(0)
	b.loop.cfg.Rx, b.loop.cfg.Tx = []pmd.Queue{q}, q
	b.loop.Turn()
	if n := testing.AllocsPerRun(100, func() { b.loop.Turn() }); n != 0 {
		t.Errorf("%v allocations a turn", n)
	}
}

// frames returns the first packets of a plan in tunnels.
func frames(t testing.TB, p *traffic.Plan) (list [][]byte) {
	port, b := memport.New(memport.Config{}), new(pmd.Burst)
	port.Queue(0).Alloc(b, pmd.MaxBurst)
	p.Stream().Put(b.Frames[:], pmd.MaxBurst, memport.Start)
	port.Queue(0).Tx(b)
	for i, frame := range port.Sent(0) {
		list = append(list, wrap(frame, byte(i)))
	}
	return list
}

// BenchmarkTurn is a burst sent and another received and judged, for each packet.
func BenchmarkTurn(b *testing.B) {
	s := spec()
	s.Services, s.Flows = s.Services[:1], 1<<16
	bench := newBench(b, s, memport.Config{}, Config{})
	q := memport.NewLoop(memport.LoopConfig{Packets: frames(b, bench.plan)}).Queue(0)
	bench.loop.cfg.Rx, bench.loop.cfg.Tx = []pmd.Queue{q}, q
	b.ReportAllocs()
	for n := 0; n < b.N; n += pmd.MaxBurst {
		bench.loop.Turn()
	}
}
