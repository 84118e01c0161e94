package conntrack

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"guideway/maglev/flow"
	"guideway/pmd/prefetch"

	"golang.org/x/sys/unix"
)

var timeouts = Timeouts{
	TCPNew: 10 * time.Second, TCPEstablished: 15 * time.Minute, TCPClosing: 20 * time.Second,
	UDP: time.Minute, Other: time.Minute,
}

// setFlow makes k the i-th of distinct flows to one VIP: 64 connections from
// each client address.
func setFlow(k *flow.Key, i uint32, ipv6 bool) {
	k.Proto, k.Ports, k.IPv6 = 6, i<<16|443, ipv6
	if ipv6 {
		k.SrcHi, k.SrcLo, k.DstHi, k.DstLo = 0x20010db8_00000000|uint64(i>>6), uint64(i)*0x9e3779b97f4a7c15, 0x20010db8_cafe0000, 0x10
	} else {
		k.SrcHi, k.SrcLo, k.DstHi, k.DstLo = 0, uint64(10<<24+i>>6), 0, 0xcb00710a
	}
}

func flowKey(i uint32, ipv6 bool) (k flow.Key) {
	setFlow(&k, i, ipv6)
	return k
}

func mustNew(tb testing.TB, c Config) *Table {
	tb.Helper()
	if c.Timeouts == (Timeouts{}) {
		c.Timeouts = timeouts
	}
	if c.Seed == (flow.Seed{}) {
		c.Seed = flow.Seed{A: 0x1234567, B: 0x89abcdef01234567, C: 0xfedcba9876543210}
	}
	t, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// pages maps memory of a page size for a table of so many flows: 4 KiB pages
// are what Go's heap is made of unless the system says otherwise, 2 MiB what a
// driver has.
func pages(b *testing.B, flows int, huge bool) []byte {
	const hugePage = 2 << 20
	n := (Bytes(flows) + hugePage - 1) &^ (hugePage - 1)
	m, err := unix.Mmap(-1, 0, n+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Munmap(m) })
	advice := unix.MADV_NOHUGEPAGE
	if huge {
		advice = unix.MADV_HUGEPAGE
	}
	if err := unix.Madvise(m, advice); err != nil {
		b.Logf("pages are of what size they are: %v", err)
	}
	return m
}

const burst = 64

// each runs a benchmark over family, flows and page size. Tables hold exactly
// the flows they are made for. Run once, to see that they run, the benchmarks
// leave out the sizes that take long to fill.
func each(b *testing.B, run func(b *testing.B, t *Table, flows uint32, ipv6 bool)) {
	for _, ipv6 := range []bool{false, true} {
		for _, n := range []int{burst, 64 << 10, 1 << 20, 4 << 20} {
			for _, huge := range []bool{false, true} {
				if huge && n == burst || n > 64<<10 && flag.Lookup("test.benchtime").Value.String() == "1x" {
					continue
				}
				b.Run(fmt.Sprintf("ipv6=%v/flows=%d/huge=%v", ipv6, n, huge), func(b *testing.B) {
					t := mustNew(b, Config{Flows: n, Memory: pages(b, n, huge)})
					for i := range uint32(n) {
						k := flowKey(i, ipv6)
						h := t.Hash(&k)
						t.Insert(&k, h, i, 0, Data)
						if at, ok := t.Find(&k, h, 0); ok {
							t.Touch(at, 0, Data)
						}
					}
					run(b, t, uint32(n), ipv6)
				})
			}
		}
	}
}

// packets gives bursts of keys of random flows.
func packets(flows uint32, ipv6 bool) func(keys *[burst]flow.Key) {
	x := uint64(88172645463325252)
	return func(keys *[burst]flow.Key) {
		for i := range keys {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			setFlow(&keys[i], uint32(uint64(uint32(x))*uint64(flows)>>32), ipv6)
		}
	}
}

// cpu reports the processor time an operation took beside the time on the
// clock, which says little on a machine that others use too.
func cpu(b *testing.B) (report func()) {
	runtime.LockOSThread()
	spent := func() int64 {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := spent()
	b.ResetTimer()
	return func() {
		b.ReportMetric(float64(spent()-start)/float64(b.N), "cpu-ns/op")
		runtime.UnlockOSThread()
	}
}

// BenchmarkKeys is what making the keys takes, to be subtracted from the others.
func BenchmarkKeys(b *testing.B) {
	for _, ipv6 := range []bool{false, true} {
		b.Run(fmt.Sprintf("ipv6=%v", ipv6), func(b *testing.B) {
			var keys [burst]flow.Key
			next := packets(1<<20, ipv6)
			defer cpu(b)()
			for range b.N / burst {
				next(&keys)
			}
		})
	}
}

// BenchmarkHit is a packet of a known flow: hash and prefetch for the burst,
// then find, read, touch.
func BenchmarkHit(b *testing.B) {
	each(b, func(b *testing.B, t *Table, flows uint32, ipv6 bool) { hit(b, t, flows, ipv6, true) })
}

// BenchmarkHitNoPrefetch is the same without the prefetch.
func BenchmarkHitNoPrefetch(b *testing.B) {
	each(b, func(b *testing.B, t *Table, flows uint32, ipv6 bool) { hit(b, t, flows, ipv6, false) })
}

func hit(b *testing.B, t *Table, flows uint32, ipv6, fetch bool) {
	var keys [burst]flow.Key
	var hashes [burst]uint64
	var lines [prefetch.Max]uintptr
	next := packets(flows, ipv6)
	var sum uint32
	var found int
	report := cpu(b)
	for range b.N / burst {
		next(&keys)
		for i := range keys {
			hashes[i] = t.Hash(&keys[i])
			lines[i] = t.Place(&keys[i], hashes[i]).Line
		}
		if fetch {
			prefetch.Lines(&lines, burst)
		}
		for i := range keys {
			if at, ok := t.Find(&keys[i], hashes[i], 1); ok {
				sum += t.Value(at)
				t.Touch(at, 1, Data)
				found++
			}
		}
	}
	report()
	if n := b.N / burst * burst; found < n-n/100 {
		b.Fatalf("found %d of %d", found, n)
	}
}

// BenchmarkInsert is a packet of a new flow in a table that holds as many as
// it is made for: hash and prefetch for the burst, then find nothing and
// insert. Old flows time out as new ones come, and Age keeps up.
func BenchmarkInsert(b *testing.B) {
	each(b, func(b *testing.B, t *Table, flows uint32, ipv6 bool) {
		start, life := Ticks(int64(timeouts.TCPEstablished)), uint64(Ticks(int64(timeouts.TCPNew)))
		t.Age(start, t.Lines()) // all that each put in
		lines := (t.Lines()*burst-1)/int(flows) + 1
		now := func(n uint64) Tick { return start + Tick(n*life/uint64(flows)) }
		newFlows(b, t, 0, ipv6, now, func(now Tick) { t.Age(now, lines) })
	})
}

// BenchmarkFlood is a packet of a new flow in a table full of confirmed ones,
// which has been under the flood for some time.
func BenchmarkFlood(b *testing.B) {
	each(b, func(b *testing.B, t *Table, flows uint32, ipv6 bool) {
		for i := flows; i < 4*flows; i++ {
			k := flowKey(i, ipv6)
			t.Insert(&k, t.Hash(&k), i, 1, Syn)
		}
		newFlows(b, t, 4*flows, ipv6, func(uint64) Tick { return 2 }, func(Tick) {})
	})
}

// newFlows sends the first packets of flows, from number first on.
func newFlows(b *testing.B, t *Table, first uint32, ipv6 bool, now func(n uint64) Tick, after func(Tick)) {
	var keys [burst]flow.Key
	var hashes [burst]uint64
	var lines [prefetch.Max]uintptr
	report := cpu(b)
	for round := range b.N / burst {
		n := round * burst
		for i := range keys {
			setFlow(&keys[i], first+uint32(n+i), ipv6)
			hashes[i] = t.Hash(&keys[i])
			lines[i] = t.Place(&keys[i], hashes[i]).Line
		}
		prefetch.Lines(&lines, burst)
		now := now(uint64(n))
		for i := range keys {
			if _, known := t.Find(&keys[i], hashes[i], now); !known {
				t.Insert(&keys[i], hashes[i], 1, now, Syn)
			}
		}
		after(now)
	}
	report()
}

// BenchmarkAge is a line visited in a full table where nothing times out.
func BenchmarkAge(b *testing.B) {
	each(b, func(b *testing.B, t *Table, _ uint32, _ bool) {
		defer cpu(b)()
		t.Age(1, b.N%t.Lines())
		for range b.N / t.Lines() {
			t.Age(1, t.Lines())
		}
	})
}
