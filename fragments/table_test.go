package fragments

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

var config = Config{Datagrams: 1 << 16, Held: 1 << 12, Bytes: 1 << 23, Timeout: time.Second, Seed: flow.Seed{A: 0x1234567, B: 0x89abcdef01234567, C: 0xfedcba9876543210}}

func mustNew(tb testing.TB, c Config) *Table {
	tb.Helper()
	t, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func pieceOf(i uint32, offset uint16) Piece {
	p := Piece{Key: flow.Key{SrcLo: uint64(i >> 4), DstLo: 0xcb00710a, Proto: 17, Ports: i & 15}, Offset: offset, Length: 1480, More: true}
	if offset == 0 {
		p.Ports, p.Proto = 53, 17
	}
	return p
}

// TestFloodOfLaterFragments: later fragments without a first cost nothing that
// is known, and a datagram whose pieces wait has as long as the flood takes to
// fill the room for held ones.
func TestFloodOfLaterFragments(t *testing.T) {
	const held = 64
	port := memport.New(memport.Config{Frames: held + 2*pmd.MaxBurst, BufferSize: 256})
	tb := mustNew(t, Config{Datagrams: 1000, Held: held, Bytes: MinBytes, Timeout: time.Second})
	b, drops, out := new(pmd.Burst), new(pmd.Burst), new(pmd.Burst)
	const now = memport.Start
	for i := range uint32(1000) {
		p := pieceOf(i, 0)
		if v, d := tb.First(&p, i+1, now, out); d != Forward || v != i+1 {
			t.Fatalf("first %d: value %d, decision %d", i, v, d)
		}
	}
	frame := func() *pmd.Frame {
		port.Inject(0, make([]byte, 60))
		port.Queue(0).Rx(b, 1)
		b.N = 0
		return b.Frames[0]
	}
	flood := func(from, n uint32) {
		for i := range n {
			p := pieceOf(from+i, 1480)
			if _, d := tb.Later(&p, frame(), now, drops); d != Held {
				t.Fatalf("piece %d of the flood: decision %d", i, d)
			}
			port.Queue(0).Free(drops)
		}
	}
	flood(1<<20, 10000)
	honest := pieceOf(1<<19, 1480)
	tb.Later(&honest, frame(), now, drops)
	port.Queue(0).Free(drops)
	flood(1<<21, held-1)
	for i := range uint32(1000) {
		p := pieceOf(i, 2960)
		if v, d := tb.Later(&p, nil, now, drops); d != Forward || v != i+1 {
			t.Fatalf("after the flood datagram %d has value %d, decision %d", i, v, d)
		}
	}
	p := pieceOf(1<<19, 0)
	if _, d := tb.First(&p, 7, now, out); d != Forward || out.N != 1 {
		t.Errorf("the honest datagram: decision %d, %d pieces released", d, out.N)
	}
	port.Queue(0).Free(out)
	if s := tb.Stats(); s.PushedOut != 10000-held+1+held-1 || s.Held != held-1 {
		t.Errorf("%+v", s)
	}
	for tb.Drain(drops) != 0 {
		port.Queue(0).Free(drops)
	}
	if c := port.Pool(); c.Free != c.Size {
		t.Errorf("pool %+v", c)
	}
}

// TestDatagrams sends the pieces of real datagrams, of either family, in every
// order, some twice, many datagrams at once: all of each end at its value.
func TestDatagrams(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	port := memport.New(memport.Config{Frames: 4096})
	tb := mustNew(t, config)
	b, drops, out := new(pmd.Burst), new(pmd.Burst), new(pmd.Burst)
	now := memport.Start
	for round := range 50 {
		var frames [][]byte
		for i := range 20 {
			id := uint32(20*round + i)
			ip, at := ip4(17, 0, 0, nil, udp(8192)), 20
			if i&1 != 0 {
				ip, at = ip6(17, udp(8192)), 40
			}
			pieces := split(r, ip, at, 6, id, 720, 1448)
			if i&2 != 0 {
				pieces = append(pieces, pieces[r.IntN(len(pieces))])
			}
			frames = append(frames, pieces...)
		}
		switch round % 3 {
		case 1:
			for i, j := 0, len(frames)-1; i < j; i, j = i+1, j-1 {
				frames[i], frames[j] = frames[j], frames[i]
			}
		case 2:
			r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
		}
		arrived := map[flow.Key]int{}
		arrive := func(f *pmd.Frame, value uint32) {
			var h packet.Headers
			var p Piece
			packet.Parse(f.Bytes(), 0, &h)
			Read(f.Bytes(), &h, &p)
			if value != p.Key.Ports+1 {
				t.Fatalf("a piece of datagram %d with value %d", p.Key.Ports, value)
			}
			arrived[p.Key]++
			port.Queue(0).Free(one(f))
		}
		for _, frame := range frames {
			now++
			port.Inject(0, frame)
			port.Queue(0).Rx(b, 1)
			f := b.Frames[0]
			b.N = 0
			var h packet.Headers
			var p Piece
			if r := packet.Parse(f.Bytes(), 0, &h); r != packet.Fragment {
				t.Fatalf("packet.Parse says %d", r)
			}
			switch kind := Read(f.Bytes(), &h, &p); kind {
			case First:
				v, d := tb.First(&p, p.Key.Ports+1, now, out)
				if d != Forward {
					t.Fatalf("first: decision %d", d)
				}
				arrive(f, v)
				for _, f := range out.Frames[:out.N] {
					arrive(f, v)
				}
				out.N = 0
			case Later:
				if v, d := tb.Later(&p, f, now, drops); d == Forward {
					arrive(f, v)
				} else if d != Held {
					t.Fatalf("later: decision %d", d)
				}
			default:
				t.Fatalf("%s", kindNames[kind])
			}
		}
		total := 0
		for _, n := range arrived {
			total += n
		}
		if len(arrived) != 20 || total != len(frames) {
			t.Fatalf("round %d: %d pieces of %d datagrams arrived, %d were sent", round, total, len(arrived), len(frames))
		}
	}
	if s := tb.Stats(); s.Released == 0 || s.Followed == 0 || s.Held != 0 || s.Datagrams != 1000 {
		t.Errorf("%+v", s)
	}
	if c := port.Pool(); c.Free != c.Size || drops.N != 0 {
		t.Errorf("pool %+v, %d dropped", c, drops.N)
	}
}

func one(f *pmd.Frame) *pmd.Burst {
	b := new(pmd.Burst)
	b.Add(f)
	return b
}

// TestOverlap tells the story of each overlap; the model has them all.
func TestOverlap(t *testing.T) {
	const first, later = true, false
	for name, order := range map[string][]bool{"first, then later": {first, later}, "later, then first": {later, first}} {
		port := memport.New(memport.Config{Frames: 8})
		tb := mustNew(t, config)
		out, drops := new(pmd.Burst), new(pmd.Burst)
		last := Undecided
		for _, isFirst := range order {
			if isFirst {
				p := pieceOf(1, 0)
				_, last = tb.First(&p, 5, 0, out)
				continue
			}
			port.Inject(0, make([]byte, 60))
			b := new(pmd.Burst)
			port.Queue(0).Rx(b, 1)
			p := pieceOf(1, 1472) // the first is 1480 long
			if _, last = tb.Later(&p, b.Frames[0], 0, drops); last != Held {
				port.Queue(0).Free(b)
			}
		}
		if last != Overlap {
			t.Errorf("%s: decision %d", name, last)
		}
		p := pieceOf(1, 2960)
		if _, d := tb.Later(&p, nil, 0, drops); d != Overlap {
			t.Errorf("%s: an honest piece of the same datagram: decision %d", name, d)
		}
		port.Queue(0).Free(out)
		if c := port.Pool(); c.Free != c.Size {
			t.Errorf("%s: pool %+v", name, c)
		}
	}
}

func TestNewFaults(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"0 datagrams, want 1..16777216":   func(c *Config) { c.Datagrams = 0 },
		"1048577 held, want 1..1048576":   func(c *Config) { c.Held = MaxHeld + 1 },
		"65534 bytes held, want at least": func(c *Config) { c.Bytes = MinBytes - 1 },
		"timeout is 0s, want more than 0": func(c *Config) { c.Timeout = 0 },
	} {
		c := config
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, err := New(Config{})
	if err == nil || strings.Count(err.Error(), "fragments: ") != 4 {
		t.Errorf("not all four faults: %v", err)
	}
}

// What Memory says is what New allocates, and a choice is a cache line.
func TestMemory(t *testing.T) {
	if n := reflect.TypeFor[choice]().Size(); n != 64 {
		t.Errorf("a choice has %d bytes", n)
	}
	for _, c := range []Config{config, {Datagrams: 3, Held: 5, Bytes: MinBytes, Timeout: 1}} {
		tb := mustNew(t, c)
		size := func(slice any) int {
			v := reflect.ValueOf(slice)
			return v.Len() * int(v.Type().Elem().Size())
		}
		got := size(tb.choices.ring) + size(tb.choices.buckets) + size(tb.waiting.datagrams) + size(tb.waiting.held) + size(tb.waiting.buckets)
		if want := Memory(c.Datagrams, c.Held); got != want {
			t.Errorf("%d datagrams, %d held: %d bytes, Memory says %d", c.Datagrams, c.Held, got, want)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	tb := mustNew(t, Config{Datagrams: 8, Held: 8, Bytes: MinBytes, Timeout: 50})
	owners := mustOwners(t, fleet(5), 0)
	f, free := frameOf(eth(0x0800, ip4(17, 7, more, nil, udp(8))))
	defer free()
	redirected := eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800), ip4(17, 7, more|3, nil, zeros(16))))
	out, drops := new(pmd.Burst), new(pmd.Burst)
	i := uint32(0)
	allocations := testing.AllocsPerRun(5000, func() {
		i++
		var h packet.Headers
		var p Piece
		packet.Parse(f.Bytes(), 0, &h)
		if Read(f.Bytes(), &h, &p) != First {
			t.Error("not a first fragment")
		}
		owners.Owner(&p.Key)
		packet.Parse(redirected, 0, &h)
		owners.Redirected(redirected, &h)
		later, first := pieceOf(i, 1480), pieceOf(i-i%3, 0)
		tb.Later(&later, f, int64(i), drops)
		tb.First(&first, i, int64(i), out)
		tb.Expire(int64(i)-40, drops)
		out.N, drops.N = 0, 0
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if s := tb.Stats(); s.Released == 0 || s.Expired == 0 && s.PushedOut == 0 || s.Forgotten == 0 {
		t.Errorf("not all paths were taken: %+v", s)
	}
}
