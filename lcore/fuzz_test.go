package lcore

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/test/hostile"
)

// The fleet of the fuzz test: two nodes of two cores, the first with one receive
// queue and so with software steering, both with a kernel interface.
const (
	fuzzNodes  = 2
	fuzzCores  = 2
	fuzzFrames = 384 // in each pool
	fuzzMTU    = 1500
)

// fuzzVLANs are the VLANs that the fleet may be in, by the first byte.
var fuzzVLANs = [2]uint16{0, 7}

// fuzzPrograms are what the nodes may work by, by VLAN: a fleet in order, one
// with other backends and without relaying, one whose second node is down, one
// without backends. They are made once.
var fuzzPrograms = func() func(testing.TB) (programs [len(fuzzVLANs)][4][fuzzNodes]Program) {
	var once sync.Once
	var made [len(fuzzVLANs)][4][fuzzNodes]Program
	return func(t testing.TB) [len(fuzzVLANs)][4][fuzzNodes]Program {
		once.Do(func() {
			all := [...]fib.State{fib.Serving, fib.Serving, fib.Serving, fib.Serving, fib.Serving}
			for v, vlan := range fuzzVLANs {
				for i, w := range []wish{
					{states: all, relay: true},
					{states: [...]fib.State{fib.Down, fib.Draining, fib.Serving, fib.Gone, fib.Serving}},
					{states: all, relay: true, down: []bool{false, true}},
					{relay: true},
				} {
					w.generation, w.mtu, w.vlan = uint64(i+1), fuzzMTU, vlan
					if w.down == nil {
						w.down = make([]bool, fuzzNodes)
					}
					for node := range fuzzNodes {
						w.addrs = append(w.addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + node)}))
					}
					for node := range fuzzNodes {
						p := w.program(t, node)
						if i%2 == 0 {
							p.Tracing = tracing
						}
						made[v][i][node] = p
					}
				}
			}
		})
		return made
	}
}()

// A fuzzRun is a fleet that does what a string of bytes says.
type fuzzRun struct {
	*fleet
	targets  [fuzzNodes]hostile.Targets
	programs [4][fuzzNodes]Program
	kernels  [][]byte // frames that the kernel has sent: they are as they are
	last     []byte   // frame
	traces   int
}

// fuzzTargets are those of a node, as whoever attacks it sees it.
func fuzzTargets(node int, vlan uint16) hostile.Targets {
	t := hostile.Targets{
		MAC: wishMAC(node), Router: [6]byte{2, 0xcc}, VLAN: vlan, MTU: fuzzMTU,
		Services: []hostile.Service{{VIP: udpVIP, Proto: packet.ProtoUDP}, {VIP: udpVIP6, Proto: packet.ProtoUDP}, {VIP: vip, Proto: packet.ProtoTCP, Port: 80}, {VIP: vip6}},
	}
	for _, b := range wishBackends {
		t.Backends = append(t.Backends, netip.MustParseAddr(b))
	}
	for i := range fuzzNodes {
		if a := netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}); i == node {
			t.Self = append(t.Self, a, wishSource6)
		} else {
			t.Nodes = append(t.Nodes, a)
		}
	}
	return t
}

var fuzzReserve reserve

func newFuzzRun(t testing.TB, kind byte) *fuzzRun {
	v := int(kind) % len(fuzzVLANs)
	r := &fuzzRun{fleet: &fleet{t: t, down: map[netip.Addr]bool{}}, programs: fuzzPrograms(t)[v]}
	for i := range fuzzNodes {
		one := newNodes(t, fleetShape{nodes: 1, cores: fuzzCores, rxQueues: 1 + i%2, kernel: true, vlan: fuzzVLANs[v], held: 64}, 512, fuzzReserve.pool(i, fuzzFrames))
		r.nodes = append(r.nodes, one.nodes[0])
		r.addrs = append(r.addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}))
		r.targets[i] = fuzzTargets(i, fuzzVLANs[v])
	}
	r.publish(0)
	return r
}

func (r *fuzzRun) publish(which int) {
	for i, n := range r.nodes {
		n.group.Publish(r.programs[which][i])
	}
	r.down[r.addrs[1]] = which == 2
}

// do reads the bytes as operations, of which each begins with a byte: a frame
// comes to a node and queue, or the last one again with some bytes changed, or
// another program is published, or the kernel sends, or time passes.
func (r *fuzzRun) do(ops []byte) {
	for n := 0; len(ops) > 2 && n < 128; n++ {
		op, a := ops[0], int(ops[1])
		ops = ops[2:]
		node, queue := int(op>>3)&1, int(op>>4)&1
		if node == 0 {
			queue = 0
		}
		switch op & 7 {
		case 0, 1, 2:
			size := min((int(op>>5)<<8|a)+1, len(ops))
			r.last, ops = ops[:size], ops[size:]
			r.inject(node, queue, r.last)
		case 3:
			b := bytes.Clone(r.last)
			for ; a > 0 && len(ops) > 2 && len(b) > 0; a >>= 2 {
				b[int(binary.BigEndian.Uint16(ops))%len(b)] = ops[2]
				ops = ops[3:]
			}
			r.last = b
			r.inject(node, queue, r.last)
		case 4:
			r.publish(a % len(r.programs))
		case 5:
			size := min(a+1, len(ops))
			r.kernels = append(r.kernels, ops[:size])
			r.nodes[node].tap.Inject(0, ops[:size])
			ops = ops[size:]
		case 6:
			r.work()
		case 7:
			r.nodes[node].port.Advance(int64(a) * int64(10*time.Millisecond))
		}
	}
	r.work()
}

// work lets the nodes work until nothing moves, as fleet.run does, and judges
// all that they send.
func (r *fuzzRun) work() {
	for range 1000 {
		moved := 0
		for i, n := range r.nodes {
			n.port.Advance(descendPeriod)
			n.tap.Sent(0)
			for _, w := range n.workers {
				moved += w.Turn()
			}
			n.group.Traces(r.told)
			for q := range n.workers {
				for _, frame := range n.port.Sent(q) {
					moved++
					r.sent(i, frame)
				}
			}
		}
		if moved == 0 {
			r.account()
			return
		}
	}
	r.t.Fatal("frames go round for ever")
}

// told judges what a node tells of a traced packet.
func (r *fuzzRun) told(t *Trace) {
	r.traces++
	came, goes := t.Came(), t.Verdict == Forwarded || t.Verdict == Redirected
	if packet.MarkKnock(packet.Mark(came)) != knock || t.Held != (t.Verdict == Unset) || t.Verdict == HandedOver || goes && !bytes.HasSuffix(t.Sent(), came[len(came)-packet.TracedLen6:]) {
		r.t.Fatalf("told of %v, held %v: %x, sent %x", t.Verdict, t.Held, t.Came(), t.Sent())
	}
}

// sent judges a frame that a node has sent, and carries it if it is for the
// other one.
func (r *fuzzRun) sent(node int, frame []byte) {
	plain := frame
	if r.targets[node].VLAN != 0 && len(frame) >= 18 {
		plain = slices.Concat(frame[:12], frame[16:])
	}
	if slices.ContainsFunc(r.kernels, func(k []byte) bool { return bytes.Equal(k, plain) }) {
		return
	}
	kind, err := r.targets[node].Sound(frame)
	if err != nil || kind == hostile.Other {
		r.t.Fatalf("node %d sends what is not sound (kind %d): %v: %x", node, kind, err, frame)
	}
	if kind == hostile.Passed && !r.down[r.addrs[1-node]] {
		r.nodes[1-node].port.Inject(0, frame)
	}
}

// FuzzWorker sends any frames, in any order, to a fleet with all that there is
// at once: fragments, owners, steering, relaying, VLANs, the kernel. Whatever
// comes, the books of each core are balanced, nothing ends without a reason,
// nothing goes round, what is sent is sound, and all frames are back at the end.
func FuzzWorker(f *testing.F) {
	for kind, vlan := range fuzzVLANs {
		source, buffer := hostile.New(uint64(kind), fuzzTargets(0, vlan)), make([]byte, 0, hostile.MaxFrame)
		for range 24 {
			ops := []byte{byte(kind)}
			for range 24 {
				b := source.Next(buffer)
				b = b[:min(len(b), 1<<11)]
				if len(b) == 0 {
					continue
				}
				ops = append(ops, byte((len(b)-1)>>8)<<5|byte(len(ops)&0x18), byte(len(b)-1))
				ops = append(ops, b...)
				if len(ops)%5 == 0 {
					ops = append(ops, 6, 0, 4, byte(len(ops)))
				}
			}
			f.Add(ops)
		}
		ops := []byte{byte(kind)}
		for i := range 8 {
			for _, b := range marked(i, 1000+i, i, i%2 == 0, i%4 < 2) {
				if vlan != 0 {
					b = tagged(b, vlan)
				}
				ops = append(ops, byte(i)<<3&0x18, byte(len(b)-1))
				ops = append(ops, b...)
			}
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) == 0 || len(ops) > 1<<15 {
			return
		}
		r := newFuzzRun(t, ops[0])
		r.do(ops[1:])
		r.shut()
	})
}

// TestHostileFleet is the same with the generator's frames, for longer than an
// input of the fuzz test goes.
func TestHostileFleet(t *testing.T) {
	for kind, vlan := range fuzzVLANs {
		var sources [fuzzNodes]*hostile.Source
		for node := range sources {
			sources[node] = hostile.New(uint64(100+node), fuzzTargets(node, vlan))
		}
		r, buffer := newFuzzRun(t, byte(kind)), make([]byte, 0, hostile.MaxFrame)
		for i := range 20_000 {
			node := i % fuzzNodes
			r.inject(node, node*(i>>1&1), sources[node].Next(buffer))
			if i%100 == 0 {
				for _, b := range marked(i, 1000+i, i, i%200 == 0, i%400 < 200) {
					if vlan != 0 {
						b = tagged(b, vlan)
					}
					r.inject(node, 0, b)
				}
			}
			if i%50 == 0 {
				r.work()
			}
			if i%1000 == 0 {
				r.publish(i / 1000 % len(r.programs))
			}
		}
		r.work()
		ended := 0
		for v := range Verdicts {
			if r.verdicts(v) > 0 {
				ended++
			}
		}
		if ended < 34 {
			t.Errorf("VLAN %d: frames ended in %d ways", vlan, ended)
		}
		for _, v := range []Verdict{Forwarded, Redirected, FragmentOverlap, HandedOver, ToKernel, TooBigAnswered, Relayed, EchoAnswered, packetEnds[vlan != 0]} {
			if r.verdicts(v) == 0 {
				t.Errorf("VLAN %d: nothing ended as %v", vlan, v)
			}
		}
		if r.traces < 100 {
			t.Errorf("VLAN %d: %d traces", vlan, r.traces)
		}
		r.shut()
	}
}

// packetEnds is a verdict that takes a tagged port, and one that takes any.
var packetEnds = map[bool]Verdict{true: ForeignVLAN, false: parseVerdicts[packet.TooManyExtensions]}
