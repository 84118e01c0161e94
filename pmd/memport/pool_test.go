package memport

import (
	"testing"

	"pgregory.net/rapid"

	"guideway/pmd"
)

// TestAccounting drives two ports over one pool at random beside a model that
// only counts, and compares after every step.
func TestAccounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.IntRange(1, 40).Draw(t, "frames")
		ring := rapid.IntRange(0, 20).Draw(t, "ring")
		pool := NewPool("pool", frames, 256, 64)
		ports := []*Port{
			New(Config{Name: "a", Pool: pool, Queues: 2, TxRing: ring}),
			New(Config{Name: "b", Pool: pool, Queues: 2, TxRing: ring}),
		}
		var pending, unread [2][2]int
		var lost, refused uint64
		var have []*pmd.Frame // with the packet path

		where := func(t *rapid.T) (port, queue int) {
			return rapid.IntRange(0, 1).Draw(t, "port"), rapid.IntRange(0, 1).Draw(t, "queue")
		}
		burst := func(t *rapid.T) *pmd.Burst {
			n := rapid.IntRange(0, min(len(have), pmd.MaxBurst)).Draw(t, "n")
			b := new(pmd.Burst)
			for _, f := range have[:n] {
				b.Add(f)
			}
			have = have[n:]
			return b
		}
		t.Repeat(map[string]func(*rapid.T){
			"inject": func(t *rapid.T) {
				p, q := where(t)
				for range rapid.IntRange(1, 30).Draw(t, "n") {
					ports[p].Inject(q, []byte{1, 2, 3})
					pending[p][q]++
				}
			},
			"rx": func(t *rapid.T) {
				p, q := where(t)
				b := new(pmd.Burst)
				limit := rapid.IntRange(1, pmd.MaxBurst).Draw(t, "limit")
				ports[p].Queue(q).Rx(b, limit)
				tried := min(limit, pending[p][q])
				pending[p][q] -= tried
				lost += uint64(tried - b.N)
				have = append(have, b.Frames[:b.N]...)
			},
			"alloc": func(t *rapid.T) {
				p, q := where(t)
				b := burst(t)
				kept := b.N
				n := rapid.IntRange(0, pmd.MaxBurst-kept).Draw(t, "wanted")
				want, left := n, pool.Count().Free
				if n > left {
					want = 0
				}
				if got := ports[p].Queue(q).Alloc(b, n); got != want || b.N != kept+got {
					t.Fatalf("%d frames of %d, %d in a burst of %d, with %d in the pool", got, n, b.N, kept, left)
				}
				have = append(have, b.Frames[:b.N]...)
			},
			"tx": func(t *rapid.T) {
				p, q := where(t)
				b := burst(t)
				n := b.N
				sent := ports[p].Queue(q).Tx(b)
				if b.N != 0 {
					t.Fatalf("Tx left %d", b.N)
				}
				unread[p][q] += sent
				refused += uint64(n - sent)
				if ring == 0 && sent != n || ring > 0 && unread[p][q] > ring {
					t.Fatalf("sent %d of %d, %d unread in a ring of %d", sent, n, unread[p][q], ring)
				}
			},
			"free": func(t *rapid.T) {
				p, q := where(t)
				ports[p].Queue(q).Free(burst(t))
			},
			"sent": func(t *rapid.T) {
				p, q := where(t)
				if got := len(ports[p].Sent(q)); got != unread[p][q] {
					t.Fatalf("Sent returned %d, want %d", got, unread[p][q])
				}
				unread[p][q] = 0
			},
			"": func(t *rapid.T) {
				out := len(have)
				for _, p := range unread {
					out += p[0] + p[1]
				}
				if c := pool.Count(); c.Free != frames-out || c.Size != frames {
					t.Fatalf("pool %+v, with %d frames out", c, out)
				}
				if pool.held() != len(have) {
					t.Fatalf("%d held, want %d", pool.held(), len(have))
				}
				a, _ := ports[0].Stats()
				b, _ := ports[1].Stats()
				if a.RxNoFrame+b.RxNoFrame != lost || a.TxErrors+b.TxErrors != refused {
					t.Fatalf("%d lost, %d refused; want %d, %d", a.RxNoFrame+b.RxNoFrame, a.TxErrors+b.TxErrors, lost, refused)
				}
			},
		})
		for len(have) > 0 {
			b := new(pmd.Burst)
			b.Add(have[0])
			have = have[1:]
			ports[0].Queue(0).Free(b)
		}
		_ = ports[0].Close()
		_ = ports[1].Close()
		if c := pool.Count(); c.Free != c.Size {
			t.Fatalf("at the end: %+v", c)
		}
	})
}
