package lcore

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// One queue feeds all cores: each carries its share, and every flow has one
// entry, on its own core.
func TestSoftwareSteering(t *testing.T) {
	for _, cores := range []int{2, 4, MaxCores} {
		const rounds = 3
		flows := 250 * cores
		f := newFleet(t, fleetShape{nodes: 1, cores: cores, rxQueues: 1}, "10.0.0.1", "10.0.0.2")
		for round := range rounds {
			for i := range flows {
				f.inject(0, 0, datagram(i%200, 1000+i, 0, 10, 1500, false)...)
				if i%100 == 99 || i == flows-1 {
					f.run()
				}
			}
			if n := len(f.take()); n != flows {
				t.Fatalf("%d cores, round %d: %d frames sent of %d", cores, round, n, flows)
			}
		}
		if n := f.entries(); n != uint64(flows) {
			t.Errorf("%d cores: %d entries for %d flows", cores, n, flows)
		}
		const share = 250 * rounds
		for i, w := range f.nodes[0].workers {
			if n := w.counters.verdicts[Forwarded]; n < share/2 || n > share*2 {
				t.Errorf("core %d of %d forwarded %d packets, want about %d", i, cores, n, share)
			}
		}
		f.shut()
	}
}

// A flood of one flow, whose core does not keep up, is spread over the others
// (the paper, section 3.2).
func TestSteeringFallsBack(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 3, rxQueues: 1}, "10.0.0.1")
	// A flow of another core than the one that receives.
	w := f.nodes[0].workers
	var frame []byte
	for port := 1000; frame == nil; port++ {
		d := datagram(1, port, 0, 10, 1500, false)[0]
		var h packet.Headers
		var k flow.Key
		packet.Parse(d, 0, &h)
		k.Read(d, &h)
		if w[0].picked(w[0].conntrack.Hash(&k)) == 1 {
			frame = d
		}
	}
	const frames = 3 * RingFrames
	for range frames {
		f.inject(0, 0, frame)
		w[0].Turn() // the others do not turn
	}
	if to1, to2 := w[0].to[1].put, w[0].to[2].put; to1 != RingFrames || to2 != RingFrames {
		t.Errorf("%d frames wait for the flow's core and %d for the other, want full rings of %d", to1, to2, RingFrames)
	}
	if n := w[0].counters.verdicts[Forwarded]; n != frames-2*RingFrames {
		t.Errorf("the receiving core forwarded %d itself, want %d", n, frames-2*RingFrames)
	}
	f.run()
	if n := len(f.take()); n != frames {
		t.Errorf("%d frames sent of %d", n, frames)
	}
	f.shut()
}

// Where the device tells how it spreads, whole packets stay where they arrive,
// and fragments and errors come to their flow's entry there.
func TestDeviceSpreads(t *testing.T) {
	rss := &pmd.RSS{Key: bytes.Repeat([]byte{0x6d, 0x5a}, 20), Table: make([]uint16, 128), Kinds: pmd.RSSUDP4 | pmd.RSSUDP6 | pmd.RSSIPv4 | pmd.RSSIPv6}
	for i := range rss.Table {
		rss.Table[i] = uint16(i*i/3) % 3
	}
	for _, ipv6 := range []bool{false, true} {
		f := newFleet(t, fleetShape{nodes: 1, cores: 3, rxQueues: 3, rss: rss}, "10.0.0.1", "10.0.0.2", "10.0.0.3")
		f.mtu = 1600
		f.publish()
		random := rand.New(rand.NewPCG(3, 4))
		used := map[int]bool{}
		const flows = 100
		for i := range flows {
			whole := datagram(i, 1000+i, 0, 10, 1500, ipv6)[0]
			var h packet.Headers
			var k flow.Key
			packet.Parse(whole, 0, &h)
			k.Read(whole, &h)
			queue := rss.Queue(k.Toeplitz(rss.Key, true))
			used[queue] = true
			pieces := datagram(i, 1000+i, i, 4000, 1500, ipv6)
			if i%2 == 0 {
				f.inject(0, queue, bytes.Clone(whole))
				f.run()
			}
			for _, p := range pieces {
				f.inject(0, random.IntN(3), p)
				f.run()
			}
			f.inject(0, queue, whole)
			if !ipv6 {
				f.inject(0, random.IntN(3), unreachable(datagram(i, 1000+i, 0, 10, 1500, ipv6)[0]))
			}
			f.run()
			if n := f.entries(); n != uint64(i+1) {
				t.Fatalf("IPv6 %v: %d entries after %d flows", ipv6, n, i+1)
			}
		}
		if len(used) != 3 {
			t.Errorf("queues used: %v", used)
		}
		f.shut()
	}
}

// A device that does not do what it says is found out.
func TestDeviceIsChecked(t *testing.T) {
	rss := &pmd.RSS{Key: bytes.Repeat([]byte{0x6d, 0x5a}, 20), Table: []uint16{0, 1}, Kinds: pmd.RSSUDP4}
	f := newFleet(t, fleetShape{nodes: 1, cores: 2, rxQueues: 2, rss: rss}, "10.0.0.1")
	home := func(whole []byte) int {
		var h packet.Headers
		var k flow.Key
		packet.Parse(whole, 0, &h)
		k.Read(whole, &h)
		return rss.Queue(k.Toeplitz(rss.Key, true))
	}
	for i := range 100 {
		whole := datagram(i, 1000, 0, 10, 1500, false)[0]
		queue := home(whole)
		if i%4 == 0 {
			queue = 1 - queue
		}
		f.nodes[0].port.Advance(checkPeriod)
		f.inject(0, queue, whole)
		f.run()
	}
	var checks, misses uint64
	for _, r := range f.nodes[0].group.Final() {
		checks, misses = checks+r.SpreadChecks, misses+r.SpreadMisses
	}
	if checks != 100 || misses != 25 {
		t.Errorf("%d of %d packets arrived elsewhere, want 25 of 100", misses, checks)
	}
	f.shut()
}
