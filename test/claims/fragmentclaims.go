package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"guideway/maglev/packet"
)

// pieceMTU is what the clients' datagrams are cut to.
const pieceMTU = 1500

// datagram is a UDP datagram of a connection's client to dns: whole if it fits,
// else its fragments in order.
func datagram(connection, payload int) (frames [][]byte) {
	src, port := client(connection)
	udp := make([]byte, 8+payload)
	binary.BigEndian.PutUint16(udp, port)
	binary.BigEndian.PutUint16(udp[2:], 53)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	step := (pieceMTU - 20) &^ 7
	v := vip.As4()
	for at := 0; at < len(udp); at += step {
		data := udp[at:min(at+step, len(udp))]
		b := make([]byte, 34, 34+len(data))
		packet.PutEthernet(b, nodeMAC(0), [6]byte{2, 0, 0, 0, 0, 1}, 0, packet.EtherTypeIPv4)
		packet.PutIPv4(b[14:], 61, packet.ProtoUDP, src, binary.BigEndian.Uint32(v[:]))
		binary.BigEndian.PutUint16(b[18:], uint16(connection))
		word := uint16(at / 8)
		if at+len(data) < len(udp) {
			word |= 0x2000 // more fragments
		}
		binary.BigEndian.PutUint16(b[20:], word)
		packet.SetIPv4(b[14:], 0, uint16(20+len(data)), packet.IPv4Rest(b[14:]))
		frames = append(frames, append(b, data...))
	}
	return frames
}

// orders are those in which the pieces of a datagram come.
var orders = []struct {
	name string
	of   func(n int, random *rand.Rand) []int
}{
	{"in order", func(n int, _ *rand.Rand) []int { return count(n) }},
	{"reversed", func(n int, _ *rand.Rand) []int { list := count(n); slices.Reverse(list); return list }},
	{"shuffled", func(n int, random *rand.Rand) []int { return random.Perm(n) }},
}

func count(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// showFragments is claim 15: every piece of a datagram comes to the backend of
// its flow, whatever order they come in and whichever node a router sends each
// of them to.
func showFragments(r *report) {
	const payload = 8000 // six pieces
	s := site{nodes: 3, backends: 100, size: small, cores: 1, rxQueues: 1, flows: 1 << 14}
	datagrams := r.pick(10_000, 300)
	random := rand.New(rand.NewPCG(15, 15))
	pieces, hops := 0, 0
	for _, order := range orders {
		f, err := newRealFleet(s, true)
		if !r.need(err, "fragments") || !r.need(f.configure(all(s.backends)), "fragments") {
			return
		}
		for c := range datagrams {
			frames := datagram(c, payload)
			sent := 0
			for _, i := range order.of(len(frames), random) {
				f.ports[random.IntN(s.nodes)].Inject(0, frames[i])
				h, out := f.settle()
				hops += h
				sent += r.at(out, c, order.name)
			}
			r.hold(sent == len(frames), "fragments %s: %d pieces of %d of datagram %d", order.name, sent, len(frames), c)
			pieces += len(frames)
			// A whole packet of the same flow, at any node.
			f.ports[random.IntN(s.nodes)].Inject(0, datagram(c, 100)...)
			_, out := f.settle()
			r.hold(r.at(out, c, order.name) == 1, "fragments %s: the whole packet of flow %d is lost", order.name, c)
		}
		r.need(f.books(), "fragments")
	}
	r.claim(15, "fragments in any order through any router hash", "reach the first fragment's backend",
		fmt.Sprintf("all %d of %d datagrams did, and whole packets of their flows", pieces, len(orders)*datagrams),
		fmt.Sprintf("in order, reversed, shuffled; each to a random node of 3; %.2f hops a fragment", float64(hops)/float64(pieces)))
}

// settle lets nodes work until nothing moves, carries what they send to each
// other, and returns what left for backends.
func (f *realFleet) settle() (hops int, out [][]byte) {
	for moved := true; moved; {
		moved = false
		for i, n := range f.nodes {
			n.turn()
			for core := range n.cores {
				for _, frame := range f.ports[i].Sent(core) {
					moved = true
					if to := f.nodeOf(frame); to >= 0 {
						f.ports[to].Inject(0, frame)
						hops++
					} else {
						out = append(out, frame)
					}
				}
			}
		}
	}
	return hops, out
}

// nodeOf is the node that a frame is addressed to, or -1.
func (f *realFleet) nodeOf(frame []byte) int {
	to := netip.AddrFrom4([4]byte(frame[14+16:]))
	return slices.IndexFunc(f.nodes, func(n *node) bool { return nodeAddress(n.number) == to })
}

// at checks that frames, all of one connection to dns, go to the backend that
// its hash says, and returns how many they are.
func (r *report) at(frames [][]byte, connection int, order string) int {
	for _, frame := range frames {
		want := dnsBackend(connection)
		r.hold(backendOf(frame) == want, "fragments %s: a piece of flow %d is at backend %d, not %d", order, connection, backendOf(frame), want)
	}
	return len(frames)
}
