package lcore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Fragments in any order, at any node and any queue, end at one backend, that
// of their flow's whole packets, byte for byte; and flow, fragments and all use
// one entry on the owner of what is fragmented.
func TestFragmentsFollowTheirFlow(t *testing.T) {
	for _, s := range []fleetShape{
		{nodes: 1, cores: 1, rxQueues: 1},
		{nodes: 1, cores: 2, rxQueues: 2},
		{nodes: 1, cores: 3, rxQueues: 1},
		{nodes: 2, cores: 1, rxQueues: 1},
		{nodes: 3, cores: 2, rxQueues: 2, kernel: true},
		{nodes: 3, cores: 2, rxQueues: 1},
	} {
		for _, ipv6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d nodes of %d cores with %d queues, IPv6 %v", s.nodes, s.cores, s.rxQueues, ipv6), func(t *testing.T) {
				f := newFleet(t, s, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
				f.mtu = 1600
				f.publish()
				random := rand.New(rand.NewPCG(1, 2))
				backends := map[string]bool{}
				for i := range 200 {
					small := datagram(i%50, 1000+i, 0, 10, 1500, ipv6)
					f.inject(random.IntN(s.nodes), random.IntN(s.rxQueues), small...)
					f.run()
					sent := f.take()
					if len(sent) != 1 {
						t.Fatalf("flow %d: %d frames for a whole packet", i, len(sent))
					}
					want, _ := outer(t, sent[0])
					backends[want] = true

					pieces := datagram(i%50, 1000+i, i, 8000, 1500, ipv6)
					whole := bytes.Clone(bytes.Join(pieces, nil))
					random.Shuffle(len(pieces), func(a, b int) { pieces[a], pieces[b] = pieces[b], pieces[a] })
					for _, p := range pieces {
						f.inject(random.IntN(s.nodes), random.IntN(s.rxQueues), p)
						if random.IntN(2) == 0 {
							f.run()
						}
					}
					f.run()
					sent = f.take()
					if len(sent) != len(pieces) {
						t.Fatalf("datagram %d: %d frames sent of %d fragments", i, len(sent), len(pieces))
					}
					for _, frame := range sent {
						got, inner := outer(t, frame)
						if got != want {
							t.Fatalf("datagram %d: a fragment went to %s, its flow to %s", i, got, want)
						}
						if !bytes.Contains(whole, inner) {
							t.Fatalf("datagram %d: a fragment has changed: %x", i, inner)
						}
					}
				}
				if len(backends) != 4 {
					t.Errorf("backends used: %v", backends)
				}
				if s.nodes == 1 && s.rxQueues < s.cores {
					if n := f.entries(); n != 200 {
						t.Errorf("%d entries for 200 flows", n)
					}
				}
				if s.nodes > 1 && f.verdicts(Redirected) == 0 {
					t.Error("nothing was redirected")
				}
				f.shut()
			})
		}
	}
}

// What waited in vain is given back though nothing else comes: a small datagram
// first, and then one that needs most of a burst.
func TestExpiryNeedsNoTraffic(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, "10.0.0.1")
	n := f.nodes[0]
	f.inject(0, 0, datagram(1, 1000, 1, 20*48, 68, false)[1:]...)
	f.run()
	n.port.Advance(int64(500 * time.Millisecond))
	f.inject(0, 0, datagram(1, 1000, 2, 50*48, 68, false)[1:]...)
	f.run()
	held := n.workers[0].fragments.Stats().Held
	if held < 70-2 {
		t.Fatalf("%d fragments wait", held)
	}
	for range 20 {
		n.port.Advance(int64(100 * time.Millisecond))
		n.workers[0].Turn()
	}
	if p, s := n.port.Pool(), n.workers[0].fragments.Stats(); s.Held != 0 || p.Free != p.Size {
		t.Errorf("%d fragments wait still, %d of %d frames are back", s.Held, p.Free, p.Size)
	}
	if n := f.verdicts(FragmentExpired); n != held {
		t.Errorf("%d expired, want %d", n, held)
	}
	f.shut()
}
