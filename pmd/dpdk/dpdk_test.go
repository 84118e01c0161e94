package dpdk

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"guideway/pmd"
)

// eal is started once: EAL does not start twice in a process.
var eal *EAL

// journal holds what DPDK has logged.
var journal struct {
	sync.Mutex
	lines []string
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	eal, err = Start(Config{
		Memory: 256 << 20,
		Log: func(level Level, line string) {
			journal.Lock()
			defer journal.Unlock()
			journal.lines = append(journal.lines, fmt.Sprintf("<%d> %s", level, line))
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		for _, l := range journal.lines {
			fmt.Fprintln(os.Stderr, l)
		}
		return 1
	}
	code := m.Run()
	leaked, err := eal.Close()
	if leaked != 0 || err != nil {
		fmt.Fprintf(os.Stderr, "Close: %d frames leaked, error %v\n", leaked, err)
		code = 1
	}
	if testing.Verbose() {
		for _, l := range journal.lines {
			fmt.Fprintln(os.Stderr, l)
		}
	}
	return code
}

func open(t testing.TB, cfg PortConfig) *Port {
	t.Helper()
	p, err := eal.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// poll runs f on a poll loop of its own and waits for it.
func poll(t testing.TB, f func()) {
	t.Helper()
	th, err := eal.Poll(-1, f)
	if err != nil {
		t.Fatal(err)
	}
	th.Wait()
}

func TestNull(t *testing.T) {
	p := open(t, PortConfig{Name: "null", Device: "net_null0", Lcores: 2})
	t.Log(p.Info(), p.Link(), eal.Pools())
	poll(t, func() {
		b := new(pmd.Burst)
		q := p.Queue(0)
		var last int64
		for range 1000 {
			q.Rx(b, 32)
			if b.N != 32 || b.Now < last {
				t.Errorf("Rx: %d frames at %d, after %d", b.N, b.Now, last)
			}
			last = b.Now
			if n := q.Tx(b); n != 32 || b.N != 0 {
				t.Errorf("Tx: %d sent, %d left", n, b.N)
			}
			q.Rx(b, 64)
			q.Free(b)
		}
	})
	st, err := p.Stats()
	t.Log(st, err)
	t.Log(p.XStats())
}

func BenchmarkRxTxNull(b *testing.B) {
	for _, n := range []int{32, 64} {
		b.Run(fmt.Sprint("burst=", n), func(b *testing.B) {
			p := open(b, PortConfig{Name: "null", Device: "net_null0", Lcores: 1})
			poll(b, func() {
				q, burst := p.Queue(0), new(pmd.Burst)
				b.ResetTimer()
				for range b.N {
					q.Rx(burst, n)
					q.Tx(burst)
				}
				b.StopTimer()
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
			})
		})
	}
}
