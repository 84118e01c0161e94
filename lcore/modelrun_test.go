package lcore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// rapidTB lets what wants a testing.TB fail by rapid, which then shrinks.
type rapidTB struct {
	testing.TB
	rapid *rapid.T
}

func (t rapidTB) Helper()                      {}
func (t rapidTB) Errorf(s string, args ...any) { t.rapid.Errorf(s, args...) }
func (t rapidTB) Fatal(args ...any)            { t.rapid.Fatal(args...) }
func (t rapidTB) Fatalf(s string, args ...any) { t.rapid.Fatalf(s, args...) }

// modelRSS is a device that spreads by addresses and ports, unevenly.
func modelRSS(queues int) *pmd.RSS {
	rss := &pmd.RSS{Key: bytes.Repeat([]byte{0x6d, 0x5a}, 20), Table: make([]uint16, 128), Kinds: pmd.RSSUDP4 | pmd.RSSUDP6 | pmd.RSSIPv4 | pmd.RSSIPv6}
	for i := range rss.Table {
		rss.Table[i] = uint16(i * i / 3 % queues)
	}
	return rss
}

// A modelRun drives a fleet and the model side by side.
type modelRun struct {
	t     *rapid.T
	fleet *fleet
	model *model
	shape fleetShape
	ids   int          // of datagrams
	late  []modelPiece // of datagrams on their way
}

var modelReserve reserve

func newModelRun(tb testing.TB, t *rapid.T) *modelRun {
	s := fleetShape{nodes: rapid.IntRange(1, 3).Draw(t, "nodes"), cores: rapid.IntRange(1, 3).Draw(t, "cores"), kernel: rapid.Bool().Draw(t, "kernel"), held: 256, halts: rapid.Bool().Draw(t, "halts")}
	s.rxQueues = rapid.IntRange(1, s.cores).Draw(t, "receive queues")
	if s.rxQueues == s.cores && s.cores > 1 {
		s.rss = modelRSS(s.cores)
	}
	r := &modelRun{t: t, shape: s, model: &model{t: t, verdicts: map[Verdict]int{}}}
	var pools []*memport.Pool
	for i := range s.nodes {
		pools = append(pools, modelReserve.pool(i, 2048))
	}
	r.fleet = newNodes(rapidTB{tb, t}, s, 4096, pools...)
	r.model.nodes = make([]modelNode, s.nodes)
	for i := range r.model.nodes {
		r.model.nodes[i] = modelNode{map[int]int{}, map[int]int{}, map[int][]modelPiece{}}
	}
	r.model.wish = wish{addrs: r.fleet.addrs, down: make([]bool, s.nodes), mtu: 1600, relay: rapid.Bool().Draw(t, "relay"),
		states: [len(wishBackends)]fib.State{fib.Serving, fib.Serving, fib.Serving, fib.Gone, fib.Gone}}
	r.publish()
	return r
}

func (r *modelRun) publish() {
	w := &r.model.wish
	w.generation++
	for i, n := range r.fleet.nodes {
		p := w.program(r.fleet.t, i)
		n.group.Publish(p)
		if !w.down[i] {
			r.model.owners = p.Owners
		}
		r.fleet.down[w.addrs[i]] = w.down[i]
	}
}

// node draws one that lives.
func (r *modelRun) node() int {
	var up []int
	for i, down := range r.model.wish.down {
		if !down {
			up = append(up, i)
		}
	}
	return rapid.SampledFrom(up).Draw(r.t, "node")
}

// queue draws one for a frame that may come to any.
func (r *modelRun) queue() int { return rapid.IntRange(0, r.shape.rxQueues-1).Draw(r.t, "queue") }

func (r *modelRun) sendWhole() {
	f, node, queue := rapid.IntRange(0, 11).Draw(r.t, "flow"), r.node(), r.queue()
	if r.shape.rss != nil {
		k := modelKey(f)
		queue = r.shape.rss.Queue(k.Toeplitz(r.shape.rss.Key, true))
	}
	frame := modelFrames(f, 0, 10)[0]
	r.model.whole(node, f, frame)
	r.fleet.inject(node, queue, frame)
}

// newDatagram adds the pieces of a datagram to those on their way.
func (r *modelRun) newDatagram() {
	r.ids++
	f := rapid.IntRange(0, 11).Draw(r.t, "flow")
	for i, frame := range modelFrames(f, r.ids, rapid.IntRange(1200, 5000).Draw(r.t, "payload")) {
		r.late = append(r.late, modelPiece{f, r.ids, i == 0, frame})
	}
}

// sendPiece sends any of those on their way; some come again.
func (r *modelRun) sendPiece() {
	if len(r.late) == 0 {
		return
	}
	at := rapid.IntRange(0, len(r.late)-1).Draw(r.t, "piece")
	p, node := r.late[at], r.node()
	if rapid.IntRange(0, 7).Draw(r.t, "again") != 0 {
		r.late = slices.Delete(r.late, at, at+1)
	}
	r.model.piece(node, p)
	r.fleet.inject(node, r.queue(), p.frame)
}

func (r *modelRun) sendError() {
	f, node := rapid.IntRange(0, 11).Draw(r.t, "flow"), r.node()
	frame := modelError(f)
	r.model.icmpError(node, f, frame[14:], false)
	r.fleet.inject(node, r.queue(), frame)
}

// sendOther sends what ends in the same way whatever was before.
func (r *modelRun) sendOther() {
	up := NotVIP
	if r.shape.kernel {
		up = ToKernel
	}
	asked := modelFrames(1, 0, 10)[0]
	changed := func(at int, with ...byte) []byte {
		b := bytes.Clone(asked)
		copy(b[at:], with)
		packet.SetIPv4(b[14:34], b[15], binary.BigEndian.Uint16(b[16:]), packet.IPv4Rest(b[14:34]))
		return b
	}
	self := r.fleet.addrs[0].As4()
	others := []struct {
		frame []byte
		end   Verdict
	}{
		{changed(23, packet.ProtoSCTP), PortRefused}, {changed(30, 203, 0, 113, 99), up}, {changed(20, 0x20, 0, 60, packet.ProtoUDP, 0, 0, 198, 51, 100, 1, 203, 0, 113, 10), FragmentDropped},
		{changed(23, packet.ProtoGRE), Tunnelled}, {changed(14, 0x44), BadHeaderLength}, {changed(14, 0x65), BadVersion}, {changed(16, 0, 99), BadLength},
		{changed(12, 0x08, 0x06), map[bool]Verdict{true: ToKernel, false: NotIP}[r.shape.kernel]}, {changed(12, 0x81, 0, 0, 7, 8, 0), ForeignVLAN}, {asked[:13], TruncatedFrame}, {changed(23, packet.ProtoICMP, 0, 0, 198, 51, 100, 1, 203, 0, 113, 53, 5), ICMPDropped},
		{changed(23, packet.ProtoICMP, 0, 0, 198, 51, 100, 1, 203, 0, 113, 53, 8), EchoAnswered}, {changed(30, 203, 0, 113, 10), PortRefused},
		{changed(23, packet.ProtoGRE, 0, 0, 198, 51, 100, 1, self[0], self[1], self[2], self[3], 0x20, 0), up},
	}
	o := rapid.SampledFrom(others).Draw(r.t, "other")
	node := r.node()
	r.model.end(o.end)
	r.fleet.inject(node, r.queue(), o.frame)
}

// change is what the control plane does between two bursts.
func (r *modelRun) change() {
	w := &r.model.wish
	b := rapid.IntRange(0, len(w.states)-1).Draw(r.t, "backend")
	w.states[b] = rapid.SampledFrom([]fib.State{fib.Down, fib.Draining, fib.Serving, fib.Serving}).Draw(r.t, "state")
	if n := rapid.IntRange(0, r.shape.nodes-1).Draw(r.t, "turned node"); rapid.Bool().Draw(r.t, "turn") {
		w.down[n] = !w.down[n] && count(w.down, false) > 1
	}
	w.relay = rapid.Bool().Draw(r.t, "relay")
	r.publish()
}

func count(list []bool, v bool) (n int) {
	for _, x := range list {
		if x == v {
			n++
		}
	}
	return n
}

// settle lets the fleet work and compares what came of it.
func (r *modelRun) settle() {
	f, m := r.fleet, r.model
	f.run()
	var sent []string
	for _, frame := range f.take() {
		if dst, ip, ok := unwrap(frame); ok {
			sent = append(sent, fmt.Sprintf("%s %x", dst, ip))
		}
	}
	slices.Sort(sent)
	slices.Sort(m.sent)
	if diff := cmp.Diff(m.sent, sent); diff != "" {
		r.t.Fatalf("sent (- by the model, + by the fleet):\n%s", diff)
	}
	m.sent = nil
	got := map[Verdict]int{}
	var held uint64
	for v := range Verdicts {
		if n := f.verdicts(v); n != 0 && v != HandedOver {
			got[v] = int(n)
		}
	}
	for _, n := range f.nodes {
		for _, w := range n.workers {
			held += w.fragments.Stats().Held
		}
	}
	if !maps.Equal(got, m.verdicts) || int(held) != m.held() {
		r.t.Fatalf("held %d, by the model %d; verdicts (- by the model, + by the fleet):\n%s", held, m.held(), cmp.Diff(m.verdicts, got))
	}
	if f.verdicts(HandedOver) != 0 && r.shape.cores == 1 {
		r.t.Fatal("frames were handed over by one core to itself")
	}
}

// unwrap returns the destination of a tunnel and what is inside.
func unwrap(frame []byte) (netip.Addr, []byte, bool) {
	switch ip := frame[14:]; {
	case binary.BigEndian.Uint16(frame[12:]) == packet.EtherTypeIPv4 && ip[9] == packet.ProtoGRE:
		return netip.AddrFrom4([4]byte(ip[16:])), ip[24:], true
	case binary.BigEndian.Uint16(frame[12:]) == packet.EtherTypeIPv6 && ip[6] == packet.ProtoGRE:
		return netip.AddrFrom16([16]byte(ip[24:])), ip[44:], true
	}
	return netip.Addr{}, nil, false
}

// pass lets what waits wait for too long.
func (r *modelRun) pass() {
	r.model.later()
	for _, n := range r.fleet.nodes {
		n.port.Advance(int64(1500 * time.Millisecond))
		for _, w := range n.workers {
			for range 16 { // rounds of expiry give up so many at a time
				n.port.Advance(housekeepingPeriod)
				w.Turn()
			}
		}
	}
}

// Wherever packets, fragments and errors enter, and whatever changes between
// them, each ends where a model says that knows no cores, rings or bursts.
func TestModel(t *testing.T) {
	ends := map[Verdict]int{}
	rapid.Check(t, func(rt *rapid.T) {
		r := newModelRun(t, rt)
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 8).Draw(rt, "step") {
			case 0:
				r.change()
			case 1:
				for range rapid.IntRange(1, 20).Draw(rt, "errors") {
					r.sendError()
				}
			case 2:
				if rapid.IntRange(0, 3).Draw(rt, "time") == 0 {
					r.pass()
				}
			case 3:
				r.sendOther()
			default:
				for range rapid.IntRange(0, 3).Draw(rt, "datagrams") {
					r.newDatagram()
				}
				for range rapid.IntRange(1, 30).Draw(rt, "packets") {
					if rapid.IntRange(0, 3).Draw(rt, "kind") == 0 {
						r.sendWhole()
					} else {
						r.sendPiece()
					}
				}
			}
			r.settle()
		}
		for v, n := range r.model.verdicts {
			ends[v] += n
		}
		r.model.verdicts[FragmentDrained] += r.model.held()
		r.fleet.shut()
		if n := r.fleet.verdicts(FragmentDrained); int(n) != r.model.verdicts[FragmentDrained] {
			rt.Fatalf("%d fragments were drained, by the model %d", n, r.model.verdicts[FragmentDrained])
		}
	})
	// Rarer ones are a matter of luck in so few cases.
	for _, v := range []Verdict{Forwarded, Redirected, Relayed} {
		if ends[v] == 0 && !testing.Short() {
			t.Errorf("nothing ended as %v: %v", v, ends)
		}
	}
}
