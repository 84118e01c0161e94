package memport

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"

	"guideway/pmd"
)

// encap does to a frame what an encapsulator does: the Ethernet header goes,
// a longer one comes in front.
func encap(f *pmd.Frame) {
	f.Shrink(14)
	f.Grow(14 + 24)
	for i := range f.Bytes()[:38] {
		f.Bytes()[i] = 0xee
	}
	f.SetFlags(0)
}

func TestLoopRestoresPackets(t *testing.T) {
	packets := [][]byte{bytes.Repeat([]byte{1}, 60), bytes.Repeat([]byte{2}, 1514), bytes.Repeat([]byte{3}, 80)}
	l := NewLoop(LoopConfig{Packets: packets, Frames: 4, Flags: pmd.FlagIPChecksumGood})
	q, b := l.Queue(0), new(pmd.Burst)
	var last int64
	for i := 0; i < 60; i += 5 {
		q.Rx(b, 5)
		if b.N != 5 || b.Now <= last {
			t.Fatalf("%d frames at %d, after %d", b.N, b.Now, last)
		}
		last = b.Now
		for k, f := range b.Frames[:b.N] {
			if !bytes.Equal(f.Bytes(), packets[(i+k)%3]) || f.Headroom() != 128 || f.Flags() != pmd.FlagIPChecksumGood {
				t.Fatalf("packet %d: %d bytes, headroom %d, flags %x", i+k, f.Len(), f.Headroom(), f.Flags())
			}
			encap(f)
		}
		if n := q.Tx(b); n != 5 || b.N != 0 {
			t.Fatalf("sent %d, left %d", n, b.N)
		}
	}
	st, _ := l.Stats()
	if want := (pmd.Stats{RxPackets: 60, RxBytes: 20 * (60 + 1514 + 80), TxPackets: 60}); st != want {
		t.Errorf("stats %+v, want %+v", st, want)
	}
}

func TestLoopFill(t *testing.T) {
	l := NewLoop(LoopConfig{
		Packets: [][]byte{make([]byte, 60)},
		Frames:  8,
		Fill:    func(i uint64, packet []byte) { binary.BigEndian.PutUint64(packet[26:], i) },
	})
	b := new(pmd.Burst)
	for i := uint64(0); i < 100; {
		l.Queue(0).Rx(b, 7)
		for _, f := range b.Frames[:b.N] {
			if got := binary.BigEndian.Uint64(f.Bytes()[26:]); got != i {
				t.Fatalf("packet %d was filled as %d", i, got)
			}
			i++
		}
		l.Queue(0).Free(b)
	}
}

func TestLoopAlloc(t *testing.T) {
	l := NewLoop(LoopConfig{Packets: [][]byte{bytes.Repeat([]byte{1}, 60)}})
	q, b := l.Queue(0), new(pmd.Burst)
	for range 10 {
		q.Rx(b, 20)
		if n := q.Alloc(b, 30); n != 30 || b.N != 50 {
			t.Fatalf("%d frames, %d in the burst", n, b.N)
		}
		for _, f := range b.Frames[20:b.N] {
			if f.Len() != 0 || f.Headroom() != 128 || f.Segments() != 1 || !f.Recut(0, 1500) {
				t.Fatalf("%d bytes, headroom %d, %d segments", f.Len(), f.Headroom(), f.Segments())
			}
			for i := range f.Bytes() {
				f.Bytes()[i] = 2
			}
			f.SetFlags(1)
		}
		for _, f := range b.Frames[:20] {
			if !bytes.Equal(f.Bytes(), bytes.Repeat([]byte{1}, 60)) {
				t.Fatalf("an allocated frame lies over a received one: %v", f.Bytes())
			}
		}
		q.Free(b)
	}
}

func TestLoopDoesNotAllocate(t *testing.T) {
	l := NewLoop(LoopConfig{Packets: [][]byte{make([]byte, 60)}})
	q, b := l.Queue(0), new(pmd.Burst)
	if n := testing.AllocsPerRun(100, func() {
		q.Rx(b, pmd.MaxBurst-1)
		q.Alloc(b, 1)
		q.Tx(b)
	}); n != 0 {
		t.Errorf("%v allocations for a burst", n)
	}
}

// The race detector watches the control plane read while cores poll.
func TestLoopConcurrentStats(t *testing.T) {
	l := NewLoop(LoopConfig{Queues: 2, Packets: [][]byte{make([]byte, 60)}})
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			b := new(pmd.Burst)
			for range 1000 {
				l.Queue(i).Rx(b, 32)
				l.Queue(i).Tx(b)
			}
		})
	}
	for range 1000 {
		_, _ = l.Stats()
	}
	wg.Wait()
	if st, _ := l.Stats(); st.RxPackets != 64000 || st.TxPackets != 64000 {
		t.Errorf("stats %+v", st)
	}
}

func BenchmarkLoop(b *testing.B) {
	fill := func(i uint64, packet []byte) {
		binary.BigEndian.PutUint32(packet[26:], uint32(i)&(1<<20-1))
	}
	for name, cfg := range map[string]LoopConfig{
		"plain": {},
		"fill":  {Fill: fill},
	} {
		b.Run(name, func(b *testing.B) {
			cfg.Packets = [][]byte{make([]byte, 60)}
			q, burst := NewLoop(cfg).Queue(0), new(pmd.Burst)
			for b.Loop() {
				q.Rx(burst, 32)
				q.Tx(burst)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/packet")
		})
	}
}
