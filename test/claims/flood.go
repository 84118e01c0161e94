package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

// A flood is an attack on one core while established connections go on.
type flood struct {
	name string

	// write makes the attacker's packet i.
	write func(i uint64, ip []byte)

	// prepare, where set, is called before the first, with the target.
	prepare func(*target)
}

// One packet in so many is of an established connection. The clock goes as if
// the attacker sent attackRate packets a second.
const (
	oneIn      = 17
	attackRate = 5_000_000
	burst      = 32
	perBurst   = burst * int64(time.Second) * (oneIn - 1) / oneIn / attackRate // nanoseconds
)

// A target is a core under attack: the real one, on a port that makes packets
// as they are received, and judges what is sent.
type target struct {
	*node
	*judge
	established int
	write       func(i uint64, ip []byte) // the packet now to be made
}

// floodSite is the target's. Half of its backends come after connections were
// established: those that are forgotten are likely to move.
func floodSite(flows int) site {
	return site{nodes: 1, backends: 100, size: small, cores: 1, rxQueues: 1, flows: flows}
}

// newTarget makes a target with so many established connections, which it
// remembers as configured or for so long.
func newTarget(flows, established int, remembered time.Duration) (*target, error) {
	t := &target{established: established}
	now := memport.Start
	loop := memport.NewLoop(memport.LoopConfig{MTU: portMTU, Frames: 2 * burst, Packets: [][]byte{tcp(0, 0, ack, 10)},
		Fill:  func(i uint64, frame []byte) { t.write(i, frame[14:]) },
		Clock: func() int64 { now += perBurst; return now },
	})
	t.judge = &judge{Queue: loop.Queue(0), backend: make([]int32, established)}
	for c := range t.backend {
		t.backend[c] = -1
	}
	s := floodSite(flows)
	t.counted = make([]uint64, s.backends)
	var err error
	if t.node, err = newNode(s, 0, remembered, t.judge); err != nil {
		return nil, err
	}
	half := all(s.backends)
	clear(half[s.backends/2:])
	if err := t.configure(half); err != nil {
		return nil, err
	}
	first := 2 * uint64(established) // packets that establish all
	t.write = func(i uint64, ip []byte) {
		flags := byte(syn)
		if i >= first/2 {
			flags = ack
		}
		honest(int(i%uint64(established)), flags, ip)
	}
	t.run(int(first))
	return t, t.configure(all(s.backends))
}

// run lets so many packets come, in whole bursts, and returns the processor
// time that the thread took for one, in nanoseconds.
func (t *target) run(packets int) (perPacket float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, bursts := threadTime(), (packets+burst-1)/burst
	for range bursts {
		t.workers[0].Turn()
	}
	return float64(threadTime()-began) / float64(bursts*burst)
}

// attack mixes a flood with the established connections, which send round and
// round.
func (t *target) attack(f *flood, packets int) (perPacket float64) {
	if f.prepare != nil {
		f.prepare(t)
	}
	begin := t.received()
	t.write = func(i uint64, ip []byte) {
		i -= begin
		if round := i / oneIn; i%oneIn == oneIn-1 {
			honest(int(round%uint64(t.established)), ack, ip)
		} else {
			f.write(i-round, ip)
		}
	}
	return t.run(packets)
}

// received is how many packets the port has made.
func (t *target) received() uint64 {
	_, received := t.ends()
	return received
}

// canaries is how many established connections would move if they were
// forgotten.
func (t *target) canaries() (n int) {
	for c, b := range t.backend {
		k := keyOf(c)
		if protocolOf(c) == packet.ProtoUDP {
			k.Proto, k.Ports = packet.ProtoUDP, k.Ports&^0xffff|53
		}
		if table100()[slotOf(k.Select(flow.FiveTuple), small)] != uint16(b) {
			n++
		}
	}
	return n
}

// honest makes a packet of an established connection: every other is UDP.
func honest(connection int, flags byte, ip []byte) {
	src, port := client(connection)
	stamp(ip, src, port, protocolOf(connection), flags)
}

func protocolOf(connection int) byte {
	if connection%2 == 0 {
		return packet.ProtoTCP
	}
	return packet.ProtoUDP
}

// stamp makes a packet to the VIP one of TCP to web with these flags, or of UDP
// to dns.
func stamp(ip []byte, src uint32, port uint16, protocol, flags byte) {
	ip[9] = protocol
	binary.BigEndian.PutUint32(ip[12:], src)
	binary.BigEndian.PutUint16(ip[20:], port)
	if protocol == packet.ProtoUDP {
		binary.BigEndian.PutUint32(ip[22:], 53<<16|uint32(len(ip)-20))
	} else {
		binary.BigEndian.PutUint32(ip[22:], 80<<16)
		ip[33] = flags
	}
}

// stranger makes a packet of an attacker: who is a number that says where it
// comes from, one of 2^45 places, half of them by UDP. They are in the lower
// half of the address space, where no established connection is.
func stranger(who uint64, flags byte, ip []byte) {
	k := strangerKey(who)
	stamp(ip, uint32(k.SrcLo), k.SrcPort(), k.Proto, flags)
}

func strangerKey(who uint64) flow.Key {
	x := mix(who)
	k := flow.Key{SrcLo: 1<<30 | x&0x1fffffff, Proto: packet.ProtoTCP, Ports: uint32(x>>48)<<16 | 80}
	if x&(1<<40) != 0 {
		k.Proto, k.Ports = packet.ProtoUDP, uint32(x>>48)<<16|53
	}
	_, k.DstLo, _ = flow.Words(vip)
	return k
}

// A judge is a queue that looks at what goes out before it is gone.
type judge struct {
	pmd.Queue
	backend []int32  // of established connections; -1: not seen yet
	moved   uint64   // packets of theirs that went to another backend than the first
	honest  uint64   // packets of theirs
	counted []uint64 // packets of attackers, by backend
}

// Tx implements [pmd.Queue].
func (j *judge) Tx(b *pmd.Burst) int {
	for _, f := range b.Frames[:b.N] {
		frame := f.Bytes()
		ip, to := frame[innerAt:], backendOf(frame)
		if ip[12] < 128 {
			j.counted[to]++
			continue
		}
		c := connectionOf(ip)
		if j.backend[c] < 0 {
			j.backend[c] = int32(to)
		}
		if j.backend[c] != int32(to) {
			j.moved++
		}
		j.honest++
	}
	return j.Queue.Tx(b)
}

// newFlows is a SYN, or a datagram, from another source each time.
func newFlows() *flood {
	return &flood{name: "SYNs and datagrams of new flows", write: func(i uint64, ip []byte) { stranger(i, syn, ip) }}
}

// pairs are flows that look established: a second packet that is not a SYN.
func pairs() *flood {
	return &flood{name: "new flows of two packets each", write: func(i uint64, ip []byte) {
		flags := byte(syn)
		if i%2 == 1 {
			flags = ack
		}
		stranger(i/2, flags, ip)
	}}
}

// aimed are new flows which all choose one backend: the hash that chooses is
// public, for it must be the same on every node.
func aimed() *flood {
	who := uint64(0)
	return &flood{name: "new flows that all choose one backend", write: func(_ uint64, ip []byte) {
		for {
			who++
			if k := strangerKey(who); table100()[slotOf(k.Select(flow.FiveTuple), small)] == 7 {
				break
			}
		}
		stranger(who, syn, ip)
	}}
}

// insider are flows of one line of the connection table, which only who knows
// the process's secret seed can find: the line of an established connection.
func insider(flows int) *flood {
	f := &flood{name: fmt.Sprintf("%d flows of one line, by a leaked seed", flows)}
	var list []uint64
	f.prepare = func(t *target) {
		connections := t.tables[0]
		victim := keyOf(0)
		line := connections.Place(&victim, connections.Hash(&victim)).Line
		for who := uint64(0); len(list) < flows; who++ {
			if k := strangerKey(who); connections.Place(&k, connections.Hash(&k)).Line == line {
				list = append(list, who)
			}
		}
	}
	f.write = func(i uint64, ip []byte) { stranger(list[i%uint64(len(list))], syn, ip) }
	return f
}
