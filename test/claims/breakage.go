package main

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd/memport"
)

// balancers are a fleet behind a router, to an experiment.
type balancers interface {
	// configure tells every node which backends serve.
	configure(serves []bool) error
	// restart makes a node forget its connections.
	restart(node int) error
	// send carries one packet of each of these connections through a node, and
	// notes the backend that it came to. Of new ones it is a SYN, and data.
	send(node int, connections []int, first bool, to []uint16) error
	// wait lets time go by.
	wait()
}

// keyOf is the flow of a connection: a client's to web.
func keyOf(connection int) flow.Key {
	src, port := client(connection)
	hi, lo, _ := flow.Words(vip)
	return flow.Key{SrcLo: uint64(src), DstHi: hi, DstLo: lo, Ports: uint32(port)<<16 | 80, Proto: packet.ProtoTCP}
}

// clientNet is the network that clients are in: 198.18.0.0/15 (RFC 2544), and
// as many of its ports as perClient.
const clientNet, perClient = 198<<24 | 18<<16, 50_000

func client(connection int) (src uint32, port uint16) {
	return clientNet + uint32(connection/perClient), uint16(1024 + connection%perClient)
}

// connectionOf reads the connection off a packet.
func connectionOf(ip []byte) int {
	return int(binary.BigEndian.Uint32(ip[12:])-clientNet)*perClient + int(binary.BigEndian.Uint16(ip[20:])) - 1024
}

// A realFleet is the product on ports in memory.
type realFleet struct {
	nodes []*node
	ports []*memport.Port
}

// forgetful is a time that has passed before the next packet comes: a table
// with such timeouts knows no connection.
const forgetful = time.Millisecond

func newRealFleet(s site, tracks bool) (*realFleet, error) {
	f := &realFleet{}
	for i := range s.nodes {
		remembered := time.Duration(0)
		if !tracks {
			remembered = forgetful
		}
		port := newPort(s, i)
		n, err := newNode(s, i, remembered, queuesOf(port, s.cores)...)
		if err != nil {
			return nil, err
		}
		f.nodes, f.ports = append(f.nodes, n), append(f.ports, port)
	}
	return f, nil
}

func (f *realFleet) configure(serves []bool) error {
	for _, n := range f.nodes {
		if err := n.configure(serves); err != nil {
			return err
		}
	}
	return nil
}

func (f *realFleet) restart(i int) error {
	n := f.nodes[i]
	if err := n.books(); err != nil {
		return err
	}
	if err := n.start(); err != nil {
		return err
	}
	n.plan = nil
	return n.configure(n.serves)
}

// books checks those of every node.
func (f *realFleet) books() error {
	for _, n := range f.nodes {
		if err := n.books(); err != nil {
			return err
		}
	}
	return nil
}

func (f *realFleet) wait() {
	for _, p := range f.ports {
		p.Advance(int64(100 * time.Millisecond))
	}
}

// atOnce is how many packets wait at a port at most.
const atOnce = 256

func (f *realFleet) send(i int, connections []int, first bool, to []uint16) error {
	n, port := f.nodes[i], f.ports[i]
	for len(connections) > 0 {
		some := connections[:min(atOnce, len(connections))]
		connections = connections[len(some):]
		for _, c := range some {
			src, p := client(c)
			if first {
				port.Inject(0, tcp(src, p, syn, 0))
			}
			port.Inject(0, tcp(src, p, ack, 10))
		}
		n.turn()
		out := 0
		for core := range n.cores {
			for _, frame := range port.Sent(core) {
				to[connectionOf(frame[innerAt:])] = uint16(backendOf(frame))
				out++
			}
		}
		want := len(some)
		if first {
			want *= 2
		}
		if out != want {
			return fmt.Errorf("node %d sent %d packets of %d", i, out, want)
		}
	}
	return nil
}

// A modelFleet is any method, with and without a memory, in a few lines.
type modelFleet struct {
	method
	size   int
	table  []uint16
	serves []bool
	memory []map[int]uint16 // by node; nil: none
}

func newModelFleet(m method, s site, tracks bool) *modelFleet {
	f := &modelFleet{method: m, size: s.size}
	if tracks {
		f.memory = make([]map[int]uint16, s.nodes)
		for i := range f.memory {
			f.memory[i] = map[int]uint16{}
		}
	}
	return f
}

func (f *modelFleet) configure(serves []bool) error {
	f.table, f.serves = f.fill(serves, f.size), serves
	return nil
}

func (f *modelFleet) restart(node int) error {
	if f.memory != nil {
		clear(f.memory[node])
	}
	return nil
}

func (f *modelFleet) wait() {}

func (f *modelFleet) send(node int, connections []int, _ bool, to []uint16) error {
	for _, c := range connections {
		if f.memory != nil {
			if b, known := f.memory[node][c]; known && f.serves[b] {
				to[c] = b
				continue
			}
		}
		k := keyOf(c)
		to[c] = f.table[slotOf(k.Select(flow.FiveTuple), f.size)]
		if f.memory != nil {
			f.memory[node][c] = to[c]
		}
	}
	return nil
}

// table100 is that of 100 backends, all well.
var table100 = sync.OnceValue(func() []uint16 { return maglevMethod(0).fill(all(100), small) })

// dnsBackend is the backend of a connection to dns, by the hash alone.
func dnsBackend(connection int) int {
	k := keyOf(connection)
	k.Proto, k.Ports = packet.ProtoUDP, k.Ports&^0xffff|53
	return int(table100()[slotOf(k.Select(flow.FiveTuple), small)])
}
