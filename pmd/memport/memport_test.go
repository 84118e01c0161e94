package memport

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"guideway/pmd"
)

var _ = []pmd.Port{(*Port)(nil), (*Loop)(nil)}

// panics returns what f panics with; "" where it does not.
func panics(f func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = r.(string)
		}
	}()
	f()
	return ""
}

func TestReceivedFrame(t *testing.T) {
	p := New(Config{})
	p.Advance(5)
	p.InjectFlagged(0, pmd.FlagIPChecksumBad, []byte("hello"))
	b := new(pmd.Burst)
	p.Queue(0).Rx(b, 1)
	if b.N != 1 || b.Now != Start+5 {
		t.Fatalf("%d frames at %d", b.N, b.Now)
	}
	f := b.Frames[0]
	if string(f.Bytes()) != "hello" || f.Headroom() != 128 || f.Tailroom() != 2048-5 || f.Segments() != 1 || !f.IPChecksumBad() {
		t.Errorf("frame: %q, headroom %d, tailroom %d, %d segments, flags %x",
			f.Bytes(), f.Headroom(), f.Tailroom(), f.Segments(), f.Flags())
	}
	kept := f.Bytes()
	p.Queue(0).Free(b)
	if !bytes.Equal(kept, bytes.Repeat([]byte{poison}, 5)) {
		t.Errorf("a freed buffer still reads %q", kept)
	}
}

func TestOversizedPacketIsSegmented(t *testing.T) {
	p := New(Config{Frames: 1, BufferSize: 100, Headroom: 20})
	p.Inject(0, make([]byte, 161))
	b := new(pmd.Burst)
	p.Queue(0).Rx(b, pmd.MaxBurst)
	if b.N != 1 || b.Frames[0].Len() != 80 || b.Frames[0].Segments() != 3 {
		t.Fatalf("%d frames; %d bytes in the first of %d segments", b.N, b.Frames[0].Len(), b.Frames[0].Segments())
	}
	p.Queue(0).Free(b)
}

func TestFullRingRefuses(t *testing.T) {
	p := New(Config{TxRing: 2})
	p.Inject(0, []byte("a"), []byte("b"), []byte("c"))
	b := new(pmd.Burst)
	q := p.Queue(0)
	q.Rx(b, pmd.MaxBurst)
	if n := q.Tx(b); n != 2 || b.N != 0 {
		t.Errorf("sent %d, burst holds %d", n, b.N)
	}
	if got := p.Sent(0); len(got) != 2 || string(got[0]) != "a" || string(got[1]) != "b" {
		t.Errorf("sent %q", got)
	}
	st, _ := p.Stats()
	if want := (pmd.Stats{RxPackets: 3, RxBytes: 3, TxPackets: 2, TxBytes: 2, TxErrors: 1}); st != want {
		t.Errorf("stats %+v, want %+v", st, want)
	}
	if c := p.Pool(); c.Free != c.Size {
		t.Errorf("pool %+v", c)
	}
}

func TestEmptyPoolDrops(t *testing.T) {
	p := New(Config{Frames: 2})
	p.Inject(0, []byte("a"), []byte("b"), []byte("c"))
	b := new(pmd.Burst)
	p.Queue(0).Rx(b, pmd.MaxBurst)
	st, _ := p.Stats()
	if b.N != 2 || st.RxNoFrame != 1 || p.Pending(0) != 0 || p.Held() != 2 {
		t.Errorf("%d frames, %d dropped, %d pending, %d held", b.N, st.RxNoFrame, p.Pending(0), p.Held())
	}
}

func TestMisusePanics(t *testing.T) {
	shared := NewPool("shared", 4, 256, 64)
	for name, c := range map[string]struct {
		misuse func(p *Port, q pmd.Queue, b *pmd.Burst) // b holds one frame
		want   string
	}{
		"freed twice": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			q.Free(b)
			b.N = 1
			q.Free(b)
		}, "is free already"},
		"sent twice": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			q.Tx(b)
			b.N = 1
			q.Tx(b)
		}, "is sent already"},
		"freed after sent": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			q.Tx(b)
			b.N = 1
			q.Free(b)
		}, "is sent already"},
		"frame of another pool": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			New(Config{}).Queue(0).Free(b)
		}, "must share a pool"},
		"frame of nowhere": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			b.Frames[0] = new(pmd.Frame)
			q.Tx(b)
		}, "must share a pool"},
		"burst not empty": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			q.Rx(b, 1)
		}, "still holds 1"},
		"limit": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			q.Free(b)
			q.Rx(b, pmd.MaxBurst+1)
		}, "limit 65"},
		"overfull burst": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			b.N = pmd.MaxBurst + 1
			q.Tx(b)
		}, "burst of 65"},
		"end behind the buffer": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			b.Frames[0].Init(make([]byte, 300), 200, 100)
			q.Tx(b)
		}, "ends behind its buffer"},
		"more frames than a burst holds": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			q.Alloc(b, pmd.MaxBurst)
		}, "64 frames into a burst that holds 1"},
		"closed": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			q.Free(b)
			_ = p.Close()
			q.Rx(b, 1)
		}, "is closed"},
		"two pollers": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			p.queues[0].busy.Store(true) // another goroutine is inside
			q.Free(b)
		}, "two goroutines"},
		"clock back": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			p.SetNow(Start - 1)
		}, "steps back"},
		"no frames": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			NewPool("", 0, 256, 64)
		}, "0 frames"},
		"more receiving queues than queues": {func(p *Port, q pmd.Queue, b *pmd.Burst) {
			New(Config{Queues: 1, RxQueues: 2})
		}, "1 queues, 2 of them"},
	} {
		p := New(Config{Name: "p", Pool: shared})
		p.Inject(0, []byte("x"))
		b := new(pmd.Burst)
		p.Queue(0).Rx(b, 1)
		if b.N != 1 {
			t.Fatalf("%s: no frame", name)
		}
		f := b.Frames[0]
		got := panics(func() { c.misuse(p, p.Queue(0), b) })
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: panic %q, want %q", name, got, c.want)
		}
		// The next case gets a whole pool again.
		_ = p.Close()
		if shared.held() > 0 {
			shared.slot(f).Init(shared.slot(f).buf, 0, 0)
			shared.give("test", f, held)
		}
		if c := shared.Count(); c.Free != c.Size {
			t.Errorf("%s: afterwards the pool is %+v", name, c)
		}
	}
}

func TestAllocatedFrame(t *testing.T) {
	p := New(Config{Frames: 3})
	p.InjectFlagged(0, pmd.FlagIPChecksumBad, []byte("received"))
	q, b := p.Queue(0), new(pmd.Burst)
	q.Rx(b, 1)
	if n := q.Alloc(b, 3); n != 0 || b.N != 1 {
		t.Fatalf("%d of 3 frames from a pool of 2", n)
	}
	if n := q.Alloc(b, 2); n != 2 || b.N != 3 || string(b.Frames[0].Bytes()) != "received" {
		t.Fatalf("%d of 2 frames, %d in the burst, the first %q", n, b.N, b.Frames[0].Bytes())
	}
	for i, f := range b.Frames[1:b.N] {
		if f.Len() != 0 || f.Headroom() != 128 || f.Segments() != 1 || f.Flags() != 0 {
			t.Errorf("frame %d: %d bytes, headroom %d, %d segments, flags %x", i, f.Len(), f.Headroom(), f.Segments(), f.Flags())
		}
		if !f.Recut(0, 4) {
			t.Fatal("no room for 4 bytes")
		}
		copy(f.Bytes(), "made")
	}
	q.Tx(b)
	if got := p.Sent(0); len(got) != 3 || string(got[1]) != "made" || string(got[2]) != "made" {
		t.Errorf("sent %q", got)
	}
	q.Alloc(b, 3)
	if p.Held() != 3 {
		t.Errorf("%d frames are held, want 3", p.Held())
	}
	q.Free(b)
	if c := p.Pool(); c.Free != c.Size {
		t.Errorf("pool %+v", c)
	}
}

func TestFramesCrossPortsOfOnePool(t *testing.T) {
	pool := NewPool("shared", 8, 512, 128)
	in, out := New(Config{Name: "in", Pool: pool}), New(Config{Name: "out", Pool: pool})
	in.Inject(0, []byte("through"))
	b := new(pmd.Burst)
	in.Queue(0).Rx(b, 1)
	out.Queue(0).Tx(b)
	if got := out.Sent(0); len(got) != 1 || string(got[0]) != "through" {
		t.Errorf("sent %q", got)
	}
	if c := pool.Count(); c.Free != c.Size || in.Held() != 0 {
		t.Errorf("pool %+v, held %d", c, in.Held())
	}
}

func TestQueueThatOnlySends(t *testing.T) {
	p := New(Config{Queues: 2, RxQueues: 1})
	if p.Info().RSS != nil {
		t.Error("a port with one receive queue says how it spreads packets")
	}
	p.Inject(1, []byte("x"))
	b := new(pmd.Burst)
	p.Queue(1).Rx(b, 1)
	if st, _ := p.Stats(); b.N != 0 || b.Now != Start || st.RxErrors != 1 {
		t.Errorf("%d frames at %d, %d errors", b.N, b.Now, st.RxErrors)
	}
}

// Close takes back what was sent, and leaves what the packet path holds to be
// missed.
func TestClose(t *testing.T) {
	p := New(Config{})
	p.Inject(0, []byte("a"), []byte("b"), []byte("c"))
	b := new(pmd.Burst)
	p.Queue(0).Rx(b, 1)
	p.Queue(0).Tx(b)
	p.Queue(0).Rx(b, 1)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if c := p.Pool(); c.Free != c.Size-1 || p.Held() != 1 || p.Pending(0) != 0 || p.Link().Up {
		t.Errorf("pool %+v, %d held, %d pending, link %+v", c, p.Held(), p.Pending(0), p.Link())
	}
}

// The race detector watches a core, an injector, and the control plane.
func TestConcurrentObservers(t *testing.T) {
	const total = 2000
	p := New(Config{Frames: 256})
	var wg sync.WaitGroup
	wg.Go(func() {
		for range total {
			p.Inject(0, []byte("packet"))
			p.Advance(1)
		}
	})
	wg.Go(func() {
		b := new(pmd.Burst)
		for seen := 0; seen < total; {
			p.Queue(0).Rx(b, 32)
			seen += b.N
			p.Queue(0).Tx(b)
			for range p.Sent(0) {
			}
		}
	})
	done := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_, _ = p.Stats()
				p.Pool()
				p.Link()
			}
		}
	})
	for {
		if st, _ := p.Stats(); st.TxPackets == total {
			break
		}
	}
	close(done)
	wg.Wait()
	if c := p.Pool(); c.Free != c.Size {
		t.Errorf("pool %+v", c)
	}
}
