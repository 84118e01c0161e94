package dpdk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"guideway/pmd"
	"guideway/pmd/memport"
)

func TestNull(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0,size=60", Lcores: 2, MTU: 1400})
	info := p.Info()
	if info.Name != "null" || info.Device != "net_null0,size=60" || info.Driver != "net_null" ||
		info.Queues != 2 || info.RxQueues != 2 || info.MTU != 1400 || info.MAC == [6]byte{} {
		t.Errorf("info %+v", info)
	}
	if l := p.Link(); !l.Up || !l.FullDuplex || l.SpeedMbps != 10_000 {
		t.Errorf("link %+v", l)
	}
	before := Now()
	poll(t, func() {
		b, last := new(pmd.Burst), before
		for i := range 1000 {
			q := p.Queue(i % 2)
			q.Rx(b, 32)
			if b.N != 32 || b.Now < last {
				t.Errorf("Rx: %d frames at %d, after %d", b.N, b.Now, last)
			}
			last = b.Now
			if n := q.Tx(b); n != 32 || b.N != 0 {
				t.Errorf("Tx: %d sent, %d left", n, b.N)
			}
			q.Rx(b, pmd.MaxBurst+1)
			if b.N != pmd.MaxBurst {
				t.Errorf("Rx: %d frames", b.N)
			}
			q.Free(b)
			if b.N != 0 {
				t.Errorf("Free: %d frames left", b.N)
			}
		}
		if now := Now(); now < last {
			t.Errorf("now %d, after %d", now, last)
		}
	})
	whole(t, p)
	st, err := p.Stats()
	if err != nil || st.RxPackets != 96_000 || st.TxPackets != 32_000 {
		t.Errorf("stats %+v, %v", st, err)
	}
	xs, err := p.XStats()
	values := map[string]uint64{}
	for _, x := range xs {
		values[x.Name] = x.Value
	}
	if err != nil || values["rx_good_packets"] != 96_000 || values["tx_q1_packets"] != 16_000 {
		t.Errorf("extended stats %v, %v", xs, err)
	}
	closePort(t, p)
	if _, err := p.Stats(); err == nil {
		t.Error("a closed port has stats")
	}
	if p.Link().Up {
		t.Error("a closed port's link is up")
	}
}

// The clock of bursts runs at the pace of the system's.
func TestClock(t *testing.T) {
	a, start := Now(), time.Now()
	time.Sleep(50 * time.Millisecond)
	b, took := Now(), time.Since(start)
	if d := time.Duration(b - a); d < 50*time.Millisecond || d > took+5*time.Millisecond {
		t.Errorf("%v on our clock, %v on the system's", d, took)
	}
}

func TestFrame(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0,size=100"})
	poll(t, func() {
		b := blank(p.Queue(0), 1)
		f := b.Frames[0]
		if f.Len() != 100 || f.Segments() != 1 || f.Headroom() != 128 || f.Tailroom() != 2048-100 || f.Flags() != 0 {
			t.Errorf("%d bytes in %d segments, headroom %d, tailroom %d, flags %x",
				f.Len(), f.Segments(), f.Headroom(), f.Tailroom(), f.Flags())
		}
		p.Queue(0).Free(b)
	})
}

// A ring gives back what is sent, and what it has no room for is freed.
func TestRing(t *testing.T) {
	source := open(t, PortConfig{Name: "source", Device: "net_null0,size=100"})
	ring := open(t, PortConfig{Name: "ring", Device: "net_ring0"})
	poll(t, func() {
		q := ring.Queue(0)
		b := blank(source.Queue(0), 48)
		for i, f := range b.Frames[:48] {
			f.Trim(20 + i)
			copy(f.Bytes(), fmt.Sprintf("packet %d", i))
		}
		sent := *b
		if n := q.Tx(b); n != 48 {
			t.Errorf("sent %d of 48", n)
		}
		q.Rx(b, pmd.MaxBurst)
		if b.N != 48 || b.Frames != sent.Frames {
			t.Errorf("received %d other frames", b.N)
		}
		for i, f := range b.Frames[:b.N] {
			if f.Len() != 20+i || !bytes.HasPrefix(f.Bytes(), fmt.Appendf(nil, "packet %d", i)) {
				t.Errorf("frame %d: %q", i, f.Bytes())
			}
		}
		q.Free(b)

		inside := 0
		for range 32 {
			inside += q.Tx(blank(source.Queue(0), pmd.MaxBurst))
		}
		if inside == 0 || inside == 32*pmd.MaxBurst {
			t.Errorf("a ring took %d frames", inside)
		}
		if n := source.pool.missing(); n != inside {
			t.Errorf("%d frames are missing, %d are in the ring", n, inside)
		}
	})
	closePort(t, ring)
	whole(t, source)
}

// One thread may send by a queue, and free, while another receives by it: a generator
// does.
func TestHalvesOfAQueue(t *testing.T) {
	ring := open(t, PortConfig{Name: "halves", Device: "net_ring0"})
	q := ring.Queue(0)
	const frames = 200_000
	var received atomic.Int64
	receiver, err := eal.Poll(-1, func() {
		b := new(pmd.Burst)
		until(func() bool {
			for began := time.Now(); received.Load() < frames && time.Since(began) < time.Second; {
				q.Rx(b, pmd.MaxBurst)
				received.Add(int64(b.N))
				q.Free(b)
			}
			return received.Load() == frames
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	poll(t, func() {
		b, spare := new(pmd.Burst), new(pmd.Burst)
		sent := 0
		until(func() bool {
			for began := time.Now(); sent < frames && time.Since(began) < time.Second; {
				q.Alloc(b, min(32, frames-sent))
				sent += q.Tx(b)
				q.Alloc(spare, 1)
				q.Free(spare)
			}
			return sent == frames
		})
	})
	receiver.Wait()
	if n := received.Load(); n != frames {
		t.Errorf("%d of %d frames received", n, frames)
	}
	closePort(t, ring)
}

// Allocated frames come behind what a burst holds, know nothing of their
// former lives, and are all had or none.
func TestAlloc(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0,size=100"})
	poll(t, func() {
		q := p.Queue(0)
		b := blank(q, 40)
		for _, f := range b.Frames[:40] { // so that the next ones have a past
			f.Shrink(60)
			f.SetFlags(pmd.FlagIPChecksumBad)
		}
		q.Free(b)
		b = blank(q, 2)
		received := *b
		if n := q.Alloc(b, 62); n != 62 || b.N != 64 || b.Frames[0] != received.Frames[0] || b.Frames[1] != received.Frames[1] {
			t.Errorf("%d of 62 frames, %d in the burst", n, b.N)
		}
		if n := q.Alloc(b, 1); n != 0 || b.N != 64 {
			t.Errorf("%d frames more than a burst holds", n)
		}
		for i, f := range b.Frames[2:b.N] {
			if f.Len() != 0 || f.Segments() != 1 || f.Headroom() != 128 || f.Tailroom() != 2048 || f.Flags() != 0 {
				t.Errorf("frame %d: %d bytes in %d segments, headroom %d, tailroom %d, flags %x",
					i, f.Len(), f.Segments(), f.Headroom(), f.Tailroom(), f.Flags())
			}
		}
		if n := p.pool.missing(); n != 64 {
			t.Errorf("%d frames are missing, want 64", n)
		}
		q.Free(b)

		var held []*pmd.Burst
		for {
			b := new(pmd.Burst)
			if q.Alloc(b, 60) == 0 {
				break
			}
			held = append(held, b)
		}
		left := p.pool.size - 60*len(held)
		if left >= 60 {
			t.Errorf("60 frames cannot be had, and %d are there", left)
		}
		if n := q.Alloc(b, left); n != left {
			t.Errorf("%d frames of the last %d", n, left)
		}
		if n := q.Alloc(held[0], 1); n != 0 {
			t.Errorf("%d frames from an empty pool", n)
		}
		q.Free(b)
		for _, b := range held {
			q.Free(b)
		}
	})
	whole(t, p)
}

// Frames that nobody hands back are missed, until they are.
func TestPoolAccounting(t *testing.T) {
	p := open(t, PortConfig{Name: "pooled", Device: "net_null0", Extra: 3000})
	if p.pool.size < 3000 || (p.pool.size+1)&p.pool.size != 0 {
		t.Errorf("a pool of %d frames", p.pool.size)
	}
	poll(t, func() {
		var held []*pmd.Burst
		for range 40 {
			held = append(held, blank(p.Queue(0), 50))
		}
		if n := p.pool.missing(); n != 2000 {
			t.Errorf("%d frames are missing, want 2000", n)
		}
		for _, b := range held {
			p.Queue(0).Free(b)
		}
	})
	whole(t, p)
}

// An empty pool stops receiving, and no more.
func TestPoolExhausted(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0"})
	poll(t, func() {
		var held []*pmd.Burst
		for {
			b := blank(p.Queue(0), pmd.MaxBurst)
			if b.N == 0 {
				break
			}
			held = append(held, b)
		}
		if n := p.pool.missing(); n < p.pool.size-pmd.MaxBurst {
			t.Errorf("only %d of %d frames could be had", n, p.pool.size)
		}
		for _, b := range held {
			p.Queue(0).Free(b)
		}
	})
	whole(t, p)
}

// What one capture holds comes out in another byte for byte, whatever station
// it was for, as does what Go changes at both ends of a frame.
func TestPcap(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pcap"), filepath.Join(dir, "out.pcap")
	var want [][]byte
	for i := range 200 {
		packet := bytes.Repeat([]byte{byte(i)}, 60+i*7)
		packet[0] = 0x02 // unicast, for other stations
		want = append(want, packet)
	}
	writePcap(t, in, want)
	p := open(t, PortConfig{Name: "pcap", Device: "net_pcap0,rx_pcap=" + in + ",tx_pcap=" + out})
	poll(t, func() {
		b, got := new(pmd.Burst), 0
		for range 20 {
			p.Queue(0).Rx(b, 32)
			for _, f := range b.Frames[:b.N] {
				if !bytes.Equal(f.Bytes(), want[got]) || f.Segments() != 1 {
					t.Errorf("packet %d: %d bytes", got, f.Len())
				}
				if got%2 == 1 { // an outer header, and no trailer
					f.Grow(24)
					copy(f.Bytes(), "an outer header of 24 bytes")
					f.Trim(f.Len() - 4)
					want[got] = bytes.Clone(f.Bytes())
				}
				got++
			}
			p.Queue(0).Tx(b)
		}
		if got != len(want) {
			t.Errorf("received %d packets of %d", got, len(want))
		}
	})
	closePort(t, p)
	whole(t, p)
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sent, err := memport.ReadPackets(file)
	if err != nil || len(sent) != len(want) {
		t.Fatalf("%d packets, %v", len(sent), err)
	}
	for i := range want {
		if !bytes.Equal(sent[i], want[i]) {
			t.Errorf("packet %d: %d bytes were sent, want %d", i, len(sent[i]), len(want[i]))
		}
	}
}

func writePcap(t *testing.T, name string, packets [][]byte) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := pcapgo.NewWriter(file)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, packet := range packets {
		ci := gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(packet), Length: len(packet)}
		if err := w.WritePacket(ci, packet); err != nil {
			t.Fatal(err)
		}
	}
}
