package lcore

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

const (
	syn = packet.TCPSyn
	ack = packet.TCPAck
)

func TestPacketIsSentAsItCame(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1")
	in := append(tcp4(1, syn, 0), 0xee, 0xee, 0xee, 0xee, 0xee, 0xee) // Ethernet padding
	sent := r.forward(in)
	if len(sent) != 1 {
		t.Fatalf("sent %d frames, verdicts %v", len(sent), r.verdicts())
	}
	if want := 14 + fib.GREOverhead4 + 40; len(sent[0]) != want {
		t.Errorf("frame of %d bytes, want %d", len(sent[0]), want)
	}
	if inner := sent[0][14+fib.GREOverhead4:]; !bytes.Equal(inner, in[14:14+40]) {
		t.Errorf("inner packet %x, want %x", inner, in[14:54])
	}
}

func TestFlowsStayWhereTheyAre(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	was := map[int]string{}
	for i := range 500 {
		was[i] = r.backendOf(tcp4(i, syn, 0))
	}
	r.world.add("10.0.0.4")
	r.publish()
	moved := 0
	for i := range 500 {
		if got := r.backendOf(tcp4(i, ack, 10)); got != was[i] {
			t.Fatalf("flow %d moved from %s to %s when a backend was added", i, was[i], got)
		}
	}
	for i := 500; i < 1000; i++ {
		if r.backendOf(tcp4(i, syn, 0)) == "10.0.0.4" {
			moved++
		}
	}
	if moved < 60 {
		t.Errorf("only %d of 500 new flows went to the fourth backend", moved)
	}
}

func TestDrainKeepsFlowsAndTakesNoNewOnes(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
	drained := -1
	for i := range 100 {
		if r.backendOf(tcp4(i, syn, 0)) == "10.0.0.2" {
			drained = i
		}
	}
	if drained < 0 {
		t.Fatal("no flow on 10.0.0.2")
	}
	r.world.set("10.0.0.2", fib.Draining)
	r.publish()
	if got := r.backendOf(tcp4(drained, ack, 1)); got != "10.0.0.2" {
		t.Errorf("an established flow left the draining backend for %s", got)
	}
	if got := r.backendOf(tcp4(drained, syn, 0)); got != "10.0.0.1" {
		t.Errorf("a new connection with the old ports went to %s, which drains", got)
	}
	if got := r.backendOf(tcp4(drained, ack, 1)); got != "10.0.0.1" {
		t.Errorf("the new connection did not stay: %s", got)
	}
	for i := 1000; i < 1100; i++ {
		if got := r.backendOf(tcp4(i, syn, 0)); got != "10.0.0.1" {
			t.Fatalf("a new flow went to %s", got)
		}
	}
}

func TestDownSelectsAnew(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
	flows := map[string]int{}
	for i := range 100 {
		flows[r.backendOf(tcp4(i, syn, 0))] = i
	}
	r.world.set("10.0.0.2", fib.Down)
	r.publish()
	if got := r.backendOf(tcp4(flows["10.0.0.2"], ack, 1)); got != "10.0.0.1" {
		t.Errorf("flow of a backend that is down: %s", got)
	}
}

// A backend that was removed and came back has another number, and the entries
// of its former life are not for it: they are selected anew, like those of any
// backend that is gone.
func TestReaddedBackendRevivesNothing(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
	var on2 []int
	for i := range 200 {
		if r.backendOf(tcp4(i, syn, 0)) == "10.0.0.2" {
			on2 = append(on2, i)
		}
	}
	former := r.world.values[vipBackend("10.0.0.2")]
	r.world.remove("10.0.0.2")
	r.publish()
	r.world.add("10.0.0.2")
	r.publish()
	r.worker.Turn()
	if _, good := r.worker.snapshot.Endpoint(former, 0); good {
		t.Error("the former number is good")
	}
	before := r.worker.conntrack.Stats().Inserts
	for _, i := range on2 {
		r.backendOf(tcp4(i, ack, 1))
	}
	if n := r.worker.conntrack.Stats().Inserts - before; n != 0 {
		t.Errorf("%d entries were inserted beside the old ones", n)
	}
	for _, i := range on2 {
		k := keyOf(t, tcp4(i, ack, 1))
		at, ok := r.worker.conntrack.Find(&k, r.worker.conntrack.Hash(&k), 0)
		if !ok || fib.Value(r.worker.conntrack.Value(at)) == former {
			t.Fatalf("flow %d still holds the former number", i)
		}
	}
}

func TestVerdictsOfTheTail(t *testing.T) {
	t.Run("no backend", func(t *testing.T) {
		r := newRig(t, memport.Config{})
		r.forward(tcp4(1, syn, 0))
		r.want(Verdict(NoBackend), 1)
	})
	t.Run("too big", func(t *testing.T) {
		r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1")
		r.forward(tcp4(1, ack, 1600-fib.GREOverhead4-40), tcp4(1, ack, 1600-fib.GREOverhead4-40+1))
		r.want(TooBig, 1)
		r.want(Forwarded, 1)
	})
	t.Run("no headroom", func(t *testing.T) {
		r := newRig(t, memport.Config{Headroom: 32}, "10.0.0.1")
		r.forward(tcp4(1, syn, 0))
		r.want(NoHeadroom, 1)
	})
	t.Run("transmit ring full", func(t *testing.T) {
		r := newRig(t, memport.Config{TxRing: 5}, "10.0.0.1")
		var list [][]byte
		for i := range 8 {
			list = append(list, tcp4(i, syn, 0))
		}
		r.forward(list...)
		r.want(Forwarded, 5)
		r.want(TxFull, 3)
	})
	t.Run("checksum", func(t *testing.T) {
		r := newRig(t, memport.Config{}, "10.0.0.1")
		r.port.InjectFlagged(0, pmd.FlagIPChecksumBad, tcp4(1, syn, 0))
		r.forward()
		r.want(BadChecksum, 1)
	})
	t.Run("IPv6 service without a table", func(t *testing.T) {
		r := newRig(t, memport.Config{}, "10.0.0.1")
		b := make([]byte, 14+40+20)
		packet.PutEthernet(b, [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv6)
		packet.PutIPv6(b[14:], 64, packet.ProtoTCP, vip6.As16(), vip6.As16())
		packet.SetIPv6(b[14:], 0, 20)
		r.forward(b)
		r.want(NoBackend, 1)
	})
}

func (r *rig) want(v Verdict, n uint64) {
	r.t.Helper()
	if got := r.worker.counters.verdicts[v]; got != n {
		r.t.Errorf("%d frames ended as %v, want %d; all: %v", got, v, n, r.verdicts())
	}
}

// Whatever comes in, every frame ends with one verdict, every buffer is back
// in its pool, and nothing panics.
func TestHostileFrames(t *testing.T) {
	r := newRig(t, memport.Config{Frames: 256}, "10.0.0.1", "10.0.0.2")
	rapid.Check(t, func(t *rapid.T) {
		var list [][]byte
		for range rapid.IntRange(1, 100).Draw(t, "frames") {
			b := tcp4(rapid.IntRange(0, 1<<20).Draw(t, "flow"), rapid.Byte().Draw(t, "flags"), rapid.IntRange(0, 60).Draw(t, "payload"))
			for range rapid.IntRange(0, 4).Draw(t, "changes") {
				b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
			list = append(list, b[:rapid.IntRange(0, len(b)).Draw(t, "cut")])
		}
		r.forward(list...)
		if p := r.port.Pool(); p.Free != p.Size {
			t.Fatalf("%d of %d buffers are back", p.Free, p.Size)
		}
	})
}

func TestVerdictsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for v := range Verdicts {
		if name := v.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("verdict %d is called %q", v, name)
		} else {
			seen[name] = true
		}
	}
	for r := packet.TruncatedFrame; r < packet.Results; r++ {
		if parseVerdicts[r] == Unset {
			t.Errorf("packet.Result %d has no verdict", r)
		}
	}
}

func TestTurnDoesNotAllocate(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
	loop := loopPort(64, 64)
	r.worker.ports[0].Queue = loop.Queue(0)
	if n := testing.AllocsPerRun(200, func() { r.worker.Turn() }); n != 0 {
		t.Errorf("a turn allocates %v times", n)
	}
	if r.worker.counters.verdicts[Forwarded] == 0 {
		t.Fatalf("nothing was forwarded: %v", r.verdicts())
	}
}

// The control plane publishes, asks and stops while cores poll.
func TestControlPlaneBesideRunningCores(t *testing.T) {
	port := memport.New(memport.Config{Queues: 2, MTU: 1600, Frames: 4096})
	world := newWorld("10.0.0.1", "10.0.0.2")
	var workers []*Worker
	for i := range 2 {
		workers = append(workers, New(Config{CPU: i, Conntrack: newTable(t), Fragments: newPieces(t), Ports: []PortQueue{{Queue: port.Queue(i)}}}))
	}
	g := NewGroup(workers...)
	var running sync.WaitGroup
	for _, w := range workers {
		running.Go(w.Run)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	// A turn that is under way when the first snapshot comes may still see the
	// empty one.
	first := world.program(t)
	g.Publish(first)
	if err := g.Await(ctx, first.Snapshot.Generation); err != nil {
		t.Fatal(err)
	}
	const rounds, perRound = 50, 20
	for round := range rounds {
		if round%2 == 1 {
			world.add(fmt.Sprintf("10.0.1.%d", round))
		}
		p := world.program(t)
		s := p.Snapshot
		g.Publish(p)
		for q := range 2 {
			for i := range perRound {
				port.Inject(q, tcp4(round*perRound+i, syn, 0))
			}
		}
		if err := g.Await(ctx, s.Generation); err != nil {
			t.Fatal(err)
		}
		reports, err := g.Reports(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			var sum uint64
			for _, n := range r.Verdicts {
				sum += n
			}
			if sum != r.Received {
				t.Fatalf("core %d: the sum over verdicts is %d, received %d", r.CPU, sum, r.Received)
			}
			if r.Generation < s.Generation {
				t.Fatalf("core %d reports generation %d after having taken over %d", r.CPU, r.Generation, s.Generation)
			}
		}
		port.Sent(0)
		port.Sent(1)
	}
	g.Stop()
	running.Wait()
	var received, packets uint64
	for _, r := range g.Final() {
		received += r.Received
		packets += r.Services[0].Packets
	}
	if received != 2*rounds*perRound || packets != received {
		t.Errorf("received %d, forwarded for the VIP %d, want %d", received, packets, 2*rounds*perRound)
	}
	port.Sent(0)
	port.Sent(1)
	if p := port.Pool(); p.Free != p.Size {
		t.Errorf("%d of %d buffers are back", p.Free, p.Size)
	}
}

func TestStopForwardsWhatIsReceived(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600, Frames: 2048}, "10.0.0.1")
	for i := range 1000 {
		r.port.Inject(0, tcp4(i, syn, 0))
	}
	r.group.Stop()
	r.worker.Run()
	r.want(Forwarded, 1000)
}

func TestSilentCoresAreNamed(t *testing.T) {
	r := newRig(t, memport.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if err := r.group.Await(ctx, 1); err == nil || !bytes.Contains([]byte(err.Error()), []byte("[3]")) {
		t.Errorf("Await: %v, want core 3 named", err)
	}
	reports, err := r.group.Reports(ctx)
	if err == nil || reports[0] != nil {
		t.Errorf("Reports: %v, %v", reports, err)
	}
}

// Whoever waits for a silent core holds up neither a change nor, beyond its
// own patience, another one who asks.
func TestWaitingForASilentCoreHoldsUpNobody(t *testing.T) {
	r := newRig(t, memport.Config{}, "10.0.0.1")
	patient, release := context.WithCancel(context.Background())
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		r.group.Reports(patient)
	}()
	for len(r.group.asking) == 0 {
		time.Sleep(time.Millisecond)
	}
	r.publish() // would hang
	hasty, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := r.group.Reports(hasty); err == nil {
		t.Error("a second caller was answered, although the core is silent")
	}
	release()
	<-asked
}
