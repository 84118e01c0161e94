package lcore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"guideway/fragments"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd/memport"
)

const knock = 0x6b6e6f636b6b6e6f

var tracing = Tracing{Knock: knock, Rate: 1_000_000}

// marked makes a datagram of a client to be traced: whole, or in two fragments.
// Its packets bear a number each in their marks.
func marked(client, port, id int, ipv6, split bool) [][]byte {
	size, head, extension := packet.TracedLen4, packet.IPv4Len, 0
	if ipv6 {
		size, head = packet.TracedLen6, packet.IPv6Len
	}
	payload := size - head - 8
	if split {
		if ipv6 {
			extension = 8
		}
		payload = 2*(size-head-extension) - 8
	}
	frames := datagram(client, port, id, payload, size, ipv6)
	for i, f := range frames {
		putMark(f, i)
	}
	return frames
}

func putMark(frame []byte, number int) {
	m := packet.Mark(frame)
	binary.BigEndian.PutUint64(m, knock)
	binary.BigEndian.PutUint64(m[8:], uint64(number))
}

// told is a trace as tests look at it: numbered by node, and with slices.
type told struct {
	Trace
	node int
}

func (t *told) number() int { return int(binary.BigEndian.Uint64(packet.Mark(t.Came())[8:])) }

// traces returns what the nodes have told of since the last call.
func (f *fleet) traces() (all []told) {
	for i, n := range f.nodes {
		n.group.Traces(func(t *Trace) { all = append(all, told{*t, i}) })
	}
	return all
}

// trace has all nodes trace.
func (f *fleet) trace(t Tracing) {
	f.tracing = t
	f.publish()
}

// A traced packet goes the way that it would go untraced, in every mix of
// families, and its node tells of the tunnel that it really left in.
func TestTraceTellsTheWay(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		for _, backends := range [][]string{{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, {"2001:db8:b::1", "2001:db8:b::2"}} {
			for _, vlan := range []uint16{0, 42} {
				t.Run(fmt.Sprintf("IPv6 %v to %s, VLAN %d", ipv6, backends[0], vlan), func(t *testing.T) {
					f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1, vlan: vlan}, backends...)
					f.trace(tracing)
					for i := range 40 {
						frame := marked(i, 1000+i, 0, ipv6, false)[0]
						if vlan != 0 {
							frame = tagged(frame, vlan)
						}
						for round := range 2 {
							f.inject(0, 0, frame)
							f.run()
							sent, traces := f.take(), f.traces()
							if len(sent) != 1 || len(traces) != 1 {
								t.Fatalf("flow %d: %d frames sent, %d traces", i, len(sent), len(traces))
							}
							tr := &traces[0]
							if tr.Verdict != Forwarded || !bytes.Equal(tr.Came(), frame) || !bytes.Equal(tr.Sent(), sent[0]) {
								t.Fatalf("flow %d: %v\ncame %x\nsent %x\nis   %x", i, tr.Verdict, tr.Came(), tr.Sent(), sent[0])
							}
							service := 0
							if ipv6 {
								service = 1
							}
							if tr.Service != service || tr.Generation != f.gen || (tr.Was != 0) != (round == 1) || tr.Held || tr.Steered || tr.Redirected {
								t.Fatalf("flow %d, round %d: %+v", i, round, tr.Trace)
							}
						}
					}
					f.shut()
				})
			}
		}
	}
}

// What is not marked, or by who does not know how, is as any other packet.
func TestStrangersAreNotTraced(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, "10.0.0.1")
	good := marked(1, 1000, 0, false, false)[0]
	wrong := bytes.Clone(good)
	packet.Mark(wrong)[7] ^= 1
	longer := datagram(1, 1000, 0, 145, 1500, false)[0]
	putMark(longer, 0)
	for _, step := range []struct {
		name   string
		frame  []byte
		to     Tracing
		traces int
	}{
		{"off", good, Tracing{Knock: knock}, 0},
		{"on", good, tracing, 1},
		{"another knock", wrong, tracing, 0},
		{"another length", longer, tracing, 0},
		{"shorter than a mark", good[:60], tracing, 0},
		{"another secret", good, Tracing{Knock: knock + 1, Rate: 10}, 0},
		{"off again", good, Tracing{}, 0},
	} {
		f.trace(step.to)
		f.inject(0, 0, step.frame)
		f.run()
		if n := len(f.traces()); n != step.traces {
			t.Errorf("%s: %d traces, want %d", step.name, n, step.traces)
		}
	}
	f.shut()
}

// A core tells of no more than it may, and of no more than the control plane
// takes. The packets are forwarded all the same.
func TestTracesAreLimited(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, "10.0.0.1")
	c := func() *counters { return f.nodes[0].workers[0].counters }
	flood := func(n int) int {
		for i := range n {
			f.inject(0, 0, marked(1, 1000+i, 0, false, false)...)
		}
		f.run()
		if sent := len(f.take()); sent != n {
			t.Fatalf("%d of %d packets were sent", sent, n)
		}
		return len(f.traces())
	}
	f.trace(Tracing{Knock: knock, Rate: 100})
	if n := flood(50); n != 10 { // a tenth of a second's worth
		t.Errorf("%d traces at once", n)
	}
	f.nodes[0].port.Advance(int64(50 * time.Millisecond))
	if n := flood(50); n < 5 || n > 6 {
		t.Errorf("%d traces after 50 ms", n)
	}
	f.trace(tracing)
	if n := flood(3 * traceSlots); n != traceSlots {
		t.Errorf("%d traces for %d slots", n, traceSlots)
	}
	if n := flood(traceSlots); n != traceSlots {
		t.Errorf("%d traces after the slots were emptied", n)
	}
	if c := c(); c.traced+c.tracesLimited != 50+50+4*traceSlots || c.tracesLimited < 2*traceSlots+84 {
		t.Errorf("%d traced, %d not", c.traced, c.tracesLimited)
	}
	f.shut()
}

// Fragments that go by way of two nodes are told of by both.
func TestTraceOfFragmentsOverTwoNodes(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		for _, cores := range []int{1, 3} {
			t.Run(fmt.Sprintf("IPv6 %v, %d cores", ipv6, cores), func(t *testing.T) {
				f := newFleet(t, fleetShape{nodes: 2, cores: cores, rxQueues: 1}, "10.0.0.1", "10.0.0.2")
				f.trace(tracing)
				owned := [2]int{}
				for i := range 40 {
					frames := marked(i, 1000+i, i, ipv6, true)
					if len(frames) != 2 {
						t.Fatalf("%d fragments", len(frames))
					}
					owner := f.ownerOf(frames[0])
					owned[owner]++
					if i%3 == 0 {
						slices.Reverse(frames)
					}
					var got []told
					for _, frame := range frames {
						f.inject(0, 0, frame)
						f.run()
						got = append(got, f.traces()...)
					}
					f.judge(t, owner, i%3 == 0, f.take(), got)
				}
				if owned[0] == 0 || owned[1] == 0 {
					t.Errorf("datagrams by owner: %v", owned)
				}
				f.shut()
			})
		}
	}
}

// ownerOf returns the node that owns a fragment's datagram.
func (f *fleet) ownerOf(frame []byte) int {
	var h packet.Headers
	var k flow.Key
	packet.Parse(frame, 0, &h)
	k.Read(frame, &h)
	var nodes []fragments.Node
	for _, a := range f.addrs {
		nodes = append(nodes, fragments.Node{Addr: a})
	}
	o, err := fragments.NewOwners(nodes, f.addrs[0])
	if err != nil {
		f.t.Fatal(err)
	}
	owner, _ := o.Owner(&k)
	return owner
}

// judge looks at what was told of a datagram in two fragments that came to the
// first node, the later one first or not.
func (f *fleet) judge(t *testing.T, owner int, reversed bool, sent [][]byte, got []told) {
	t.Helper()
	if len(sent) != 2 {
		t.Fatalf("%d fragments sent", len(sent))
	}
	want := map[string]int{}
	for number := range 2 {
		if owner != 0 {
			want[fmt.Sprint("node 0 packet ", number, " redirected")] = 1
		}
		want[fmt.Sprint("node ", owner, " packet ", number, " forwarded")] = 1
	}
	if reversed {
		want[fmt.Sprint("node ", owner, " packet 1 held")] = 1
	}
	had := map[string]int{}
	for i := range got {
		g := &got[i]
		outcome := g.Verdict.String()
		if g.Held {
			outcome = "held"
		}
		had[fmt.Sprint("node ", g.node, " packet ", g.number(), " ", outcome)]++
		switch g.Verdict {
		case Redirected:
			if to, _ := outer(t, g.Sent()); to != f.addrs[owner].String() {
				t.Errorf("redirected to %s, which is not %v", to, f.addrs[owner])
			}
		case Forwarded:
			to, inner := outer(t, g.Sent())
			if i := slices.IndexFunc(sent, func(s []byte) bool { return bytes.Equal(s, g.Sent()) }); i < 0 {
				t.Errorf("told of %x to %s, which was not sent", inner, to)
			}
			if g.Service < 0 && !g.Steered {
				t.Error("no service")
			}
		}
	}
	if fmt.Sprint(had) != fmt.Sprint(want) {
		t.Errorf("told %v\nwant %v", had, want)
	}
}

// What waits for its first fragment in vain is told of when it is given up.
func TestTraceOfWhatIsGivenUp(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1, held: 4}, "10.0.0.1")
	f.trace(tracing)
	verdicts := func() string {
		var all []string
		for _, tr := range f.traces() {
			v := tr.Verdict.String()
			if tr.Held {
				v = "held"
			}
			all = append(all, v)
		}
		return fmt.Sprint(all)
	}
	f.inject(0, 0, marked(1, 1000, 1, false, true)[1])
	f.run()
	if got := verdicts(); got != "[held]" {
		t.Errorf("a later fragment: %s", got)
	}
	f.nodes[0].port.Advance(int64(2 * time.Second))
	f.nodes[0].workers[0].Turn()
	if got := verdicts(); got != "[fragment_expired]" {
		t.Errorf("later: %s", got)
	}
	for id := range 12 {
		f.inject(0, 0, marked(1, 1000, 10+id, false, true)[1])
	}
	f.run()
	held, pushed, all := 0, 0, 0
	f.account()
	for _, tr := range f.traces() {
		all++
		switch {
		case tr.Held:
			held++
		case tr.Verdict == FragmentPushedOut:
			pushed++
		}
	}
	counts := f.nodes[0].workers[0].counters.verdicts
	if pushed != int(counts[FragmentPushedOut]) || pushed+held+int(counts[FragmentTooManyHeld]) < 12 || all < 12 {
		t.Errorf("%d traces: %d held, %d pushed out; verdicts say %d pushed out, %d refused", all, held, pushed, counts[FragmentPushedOut], counts[FragmentTooManyHeld])
	}
	f.shut()
}

// Every way that a frame can end otherwise is told of, too.
func TestTraceOfOtherEnds(t *testing.T) {
	one := func(t *testing.T, w *Worker, group *Group, want Verdict) {
		t.Helper()
		var got []Verdict
		group.Traces(func(tr *Trace) { got = append(got, tr.Verdict) })
		if len(got) != 1 || got[0] != want {
			t.Errorf("told of %v, want %v; verdicts %v", got, want, w.counters.verdicts[want])
		}
	}
	other := func(dst netip.Addr, port int) []byte {
		frame := marked(1, 1000, 0, false, false)[0]
		a := dst.As4()
		packet.PutIPv4(frame[14:], 60, packet.ProtoUDP, 0xc6336401, binary.BigEndian.Uint32(a[:]))
		packet.SetIPv4(frame[14:], 0, packet.TracedLen4, packet.IPv4Rest(frame[14:]))
		binary.BigEndian.PutUint16(frame[14+20+2:], uint16(port))
		return frame
	}
	t.Run("kernel", func(t *testing.T) {
		for queue := range 2 {
			f := newFleet(t, fleetShape{nodes: 1, cores: 2, rxQueues: 2, kernel: true}, "10.0.0.1")
			f.trace(tracing)
			f.inject(0, queue, other(netip.MustParseAddr("192.0.2.11"), 53))
			f.run()
			one(t, f.nodes[0].workers[0], f.nodes[0].group, ToKernel)
			f.shut()
		}
	})
	t.Run("port refused", func(t *testing.T) {
		r := newRig(t, memport.Config{}, "10.0.0.1")
		p := r.world.program(t)
		p.Tracing, p.ICMP = tracing, ICMP{Rate: 100, Refuse: true}
		r.group.Publish(p)
		r.forward(other(vip, 53))
		one(t, r.worker, r.group, PortRefused)
	})
	t.Run("no backend", func(t *testing.T) {
		r := newRig(t, memport.Config{})
		p := r.world.program(t)
		p.Tracing = tracing
		r.group.Publish(p)
		frame := other(vip, 80)
		frame[14+9] = packet.ProtoTCP
		packet.SetIPv4(frame[14:], 0, packet.TracedLen4, packet.IPv4Rest(frame[14:]))
		r.forward(frame)
		one(t, r.worker, r.group, NoBackend)
	})
	t.Run("transmit ring full", func(t *testing.T) {
		r := newRig(t, memport.Config{TxRing: 1}, "10.0.0.1")
		p := r.world.program(t)
		p.Tracing = tracing
		r.group.Publish(p)
		frame := other(vip, 80)
		frame[14+9] = packet.ProtoTCP
		r.forward(tcp4(1, syn, 0), frame, tcp4(2, syn, 0))
		one(t, r.worker, r.group, TxFull)
	})
}

// What another core has to go on with is told of by that core alone.
func TestTraceOverCores(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 3, rxQueues: 1}, "10.0.0.1", "10.0.0.2")
	f.trace(tracing)
	steered := 0
	for i := range 60 {
		f.inject(0, 0, marked(i, 1000+i, 0, i%2 == 0, false)...)
		f.run()
		got := f.traces()
		if len(got) != 1 || got[0].Verdict != Forwarded || got[0].Steered != (got[0].CPU != 0) {
			t.Fatalf("flow %d: %+v", i, got)
		}
		if got[0].Steered {
			steered++
		}
	}
	if steered == 0 || steered == 60 {
		t.Errorf("%d of 60 were steered", steered)
	}
	f.shut()
}

func TestTracingDoesNotAllocate(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
	frame := tcp4(1, ack, packet.TracedLen4-40)
	putMark(frame, 1)
	r.worker.ports[0].Queue = memport.NewLoop(memport.LoopConfig{MTU: 1600, Frames: 64, Packets: [][]byte{frame}}).Queue(0)
	p := r.world.program(t)
	p.Tracing = tracing
	r.group.Publish(p)
	r.worker.Turn()
	told := 0
	each := func(*Trace) { told++ }
	if n := testing.AllocsPerRun(200, func() {
		r.worker.Turn()
		r.group.Traces(each)
	}); n != 0 {
		t.Errorf("a turn allocates %v times", n)
	}
	if told == 0 {
		t.Fatalf("nothing was traced: %v", r.verdicts())
	}
}
