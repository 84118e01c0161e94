package dpdk

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/pmd"
)

// BenchmarkRxTxNull is what a port costs a packet: net_null copies 64 bytes in
// and out and does nothing else. The thread's own time is reported beside the
// wall's, because the machine may be shared.
func BenchmarkRxTxNull(b *testing.B) {
	for _, n := range []int{1, 32, 64} {
		b.Run(fmt.Sprint("burst=", n), func(b *testing.B) {
			p := open(b, PortConfig{Name: "null", Device: "net_null0"})
			poll(b, func() {
				q, burst := p.Queue(0), new(pmd.Burst)
				b.ResetTimer()
				start := threadTime()
				for range b.N {
					q.Rx(burst, n)
					q.Tx(burst)
				}
				took := threadTime() - start
				b.StopTimer()
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
				b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/float64(n), "cpu-ns/packet")
			})
			closePort(b, p)
		})
	}
}

// BenchmarkCrossing is the price of the door itself, past Go's scheduler or by cgo: a
// receive queue that the device does not have still crosses into C and reads the time.
func BenchmarkCrossing(b *testing.B) {
	for _, direct := range []bool{true, false} {
		b.Run(fmt.Sprint("direct=", direct), func(b *testing.B) {
			q, err := newQueue(0, 0, false, nil, 0, -1, direct)
			if err != nil {
				b.Fatal(err)
			}
			burst := new(pmd.Burst)
			for b.Loop() {
				q.Rx(burst, pmd.MaxBurst)
			}
			if err := q.delete(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkAlloc is what frames of our own cost, there and back.
func BenchmarkAlloc(b *testing.B) {
	for _, n := range []int{1, 2, 32} {
		b.Run(fmt.Sprint("frames=", n), func(b *testing.B) {
			p := open(b, PortConfig{Name: "null", Device: "net_null0"})
			poll(b, func() {
				q, burst := p.Queue(0), new(pmd.Burst)
				for b.Loop() {
					q.Alloc(burst, n)
					q.Free(burst)
				}
			})
			closePort(b, p)
		})
	}
}

func threadTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

func TestHotCallsDoNotAllocate(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0"})
	poll(t, func() {
		q, b := p.Queue(0), new(pmd.Burst)
		if n := testing.AllocsPerRun(100, func() {
			q.Rx(b, 32)
			q.Tx(b)
			q.Rx(b, 32)
			q.Alloc(b, 32)
			q.Free(b)
		}); n != 0 {
			t.Errorf("%v allocations in two bursts", n)
		}
	})
}
