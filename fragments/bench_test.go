package fragments

import (
	"fmt"
	"testing"

	"guideway/maglev/packet"
	"guideway/pmd"
)

func BenchmarkNewOwners(b *testing.B) {
	for _, n := range []int{3, 100} {
		nodes := fleet(n)
		nodes[1].Down = true
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				mustOwners(b, nodes, 0)
			}
		})
	}
}

func BenchmarkOwner(b *testing.B) {
	o := mustOwners(b, fleet(10), 0)
	own := 0
	for i := 0; b.Loop(); i++ {
		p := pieceOf(uint32(i)*0x9e3779b1, 1480)
		if _, self := o.Owner(&p.Key); self {
			own++
		}
	}
	if b.N > 10000 && (own < b.N/20 || own > b.N/5) {
		b.Fatalf("of %d one of ten nodes owns %d", b.N, own)
	}
}

func BenchmarkRead(b *testing.B) {
	for name, frame := range map[string][]byte{
		"IPv4First": eth(0x0800, ip4(17, 7, more, nil, udp(1472))),
		"IPv4Later": eth(0x0800, ip4(17, 7, more|185, nil, zeros(1480))),
		"IPv6First": eth(0x86dd, ip6(44, frag(17, 0, 1, 9), udp(1440))),
		"IPv6Later": eth(0x86dd, ip6(44, frag(17, 181, 1, 9), zeros(1448))),
	} {
		b.Run(name, func(b *testing.B) {
			var parsed packet.Headers
			if packet.Parse(frame, 0, &parsed) != packet.Fragment {
				b.Fatal("no fragment")
			}
			var p Piece
			for b.Loop() {
				h := parsed
				if kind := Read(frame, &h, &p); kind != First && kind != Later {
					b.Fatal(kindNames[kind])
				}
			}
		})
	}
}

func BenchmarkRedirected(b *testing.B) {
	o := twoFamilies(b)
	frame := eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800), ip4(17, 7, more|3, nil, zeros(16))))
	var h packet.Headers
	packet.Parse(frame, 0, &h)
	for b.Loop() {
		if _, p := o.Redirected(frame, &h); p != Redirected {
			b.Fatal(passageNames[p])
		}
	}
}

// spread gives the i-th of n datagrams in an order that no cache foresees; n is
// a power of two.
func spread(i, n int) uint32 { return uint32(i*0x9e3779b1) & uint32(n-1) }

// BenchmarkFirst is a new datagram: its choice takes the place of the oldest.
func BenchmarkFirst(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 16, 1 << 20} {
		b.Run(fmt.Sprintf("datagrams=%d", n), func(b *testing.B) {
			c := config
			c.Datagrams = n
			t, out := mustNew(b, c), new(pmd.Burst)
			for i := range 2 * n {
				p := pieceOf(uint32(i), 0)
				t.First(&p, 1, 0, out)
			}
			for i := 0; b.Loop(); i++ {
				p := pieceOf(uint32(i), 0)
				if _, d := t.First(&p, 1, 1, out); d != Forward {
					b.Fatal(d)
				}
			}
		})
	}
}

// BenchmarkLater is a later fragment that finds its datagram.
func BenchmarkLater(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 16, 1 << 20} {
		b.Run(fmt.Sprintf("datagrams=%d", n), func(b *testing.B) {
			c := config
			c.Datagrams = n
			t, out, drops := mustNew(b, c), new(pmd.Burst), new(pmd.Burst)
			for i := range n {
				p := pieceOf(uint32(i), 0)
				t.First(&p, 1, 0, out)
			}
			for i := 0; b.Loop(); i++ {
				p := pieceOf(spread(i, n), 1480)
				if _, d := t.Later(&p, nil, 1, drops); d != Forward {
					b.Fatal(d)
				}
			}
		})
	}
}

// BenchmarkHoldAndRelease is a datagram of six that comes in reverse: five
// fragments are held and released by the sixth.
func BenchmarkHoldAndRelease(b *testing.B) {
	t, out, drops := mustNew(b, config), new(pmd.Burst), new(pmd.Burst)
	f, free := frameOf(zeros(1514))
	defer free()
	for i := 0; b.Loop(); i++ {
		for k := uint16(5); k > 0; k-- {
			p := pieceOf(uint32(i), 1480*k)
			t.Later(&p, f, int64(i), drops)
		}
		p := pieceOf(uint32(i), 0)
		if t.First(&p, 1, int64(i), out); out.N != 5 {
			b.Fatalf("%d released", out.N)
		}
		out.N = 0
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/6, "ns/fragment")
}

// BenchmarkFlood is a flood of later fragments without a first, when all room
// is taken: each pushes out another.
func BenchmarkFlood(b *testing.B) {
	t, drops := mustNew(b, config), new(pmd.Burst)
	f, free := frameOf(zeros(64))
	defer free()
	for i := 0; b.Loop(); i++ {
		p := pieceOf(uint32(i), 1480)
		t.Later(&p, f, 0, drops)
		drops.N = 0
	}
	if s := t.Stats(); b.N > config.Held && s.PushedOut == 0 {
		b.Fatalf("%+v", s)
	}
}
