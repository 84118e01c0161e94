package lcore

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"guideway/fragments"
	"guideway/maglev"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"

	"pgregory.net/rapid"
)

// A modelNode is what one node remembers, in plain words.
type modelNode struct {
	flows   map[int]int          // backend by flow
	chosen  map[int]int          // backend by datagram
	waiting map[int][]modelPiece // by datagram
}

// A modelPiece is one fragment of a datagram.
type modelPiece struct {
	flow, datagram int
	first          bool
	frame          []byte
}

// A model says where each packet must end.
type model struct {
	t      *rapid.T
	wish   wish
	owners *fragments.Owners // of node 0's view, which is that of all that live
	nodes  []modelNode

	sent     []string // destination and packet
	verdicts map[Verdict]int
}

func (m *model) end(v Verdict) { m.verdicts[v]++ }

func (m *model) forward(backend int, ip []byte) {
	m.end(Forwarded)
	m.sent = append(m.sent, fmt.Sprintf("%s %x", wishBackends[backend], ip))
}

// pick asks the lookup table; -1: there is none.
func (m *model) pick(f int) int {
	var members []maglev.Member
	for b, state := range m.wish.states {
		if state == fib.Serving {
			members = append(members, maglev.Member{Addr: netip.MustParseAddr(wishBackends[b]), Weight: 1})
		}
	}
	if members == nil {
		return -1
	}
	table, err := maglev.Build(members, 251)
	if err != nil {
		m.t.Fatal(err)
	}
	k := modelKey(f)
	return backendNumber(table.Members()[table.Pick(k.Select(0))].Addr)
}

// keeps tells whether a backend that was chosen before still has what it has.
func (m *model) keeps(backend int) bool { return m.wish.states[backend] >= fib.Draining }

// schedule is what becomes of a flow's own packet; -1: it has no backend.
func (m *model) schedule(node, f int) int {
	n := &m.nodes[node]
	if b, known := n.flows[f]; known && m.keeps(b) {
		return b
	}
	b := m.pick(f)
	if b >= 0 {
		n.flows[f] = b
	}
	return b
}

func (m *model) whole(node, f int, frame []byte) {
	if b := m.schedule(node, f); b >= 0 {
		m.forward(b, frame[14:])
	} else {
		m.end(NoBackend)
	}
}

func (m *model) piece(node int, p modelPiece) {
	if len(m.wish.addrs) > 1 {
		k := modelKey(p.flow)
		ordinal, _ := m.owners.Owner(&k)
		owner := slices.Index(m.wish.addrs, m.owners.Nodes()[ordinal])
		if owner != node {
			m.end(Redirected)
			node = owner
		}
	}
	n := &m.nodes[node]
	if p.first {
		b := m.schedule(node, p.flow)
		if b < 0 {
			m.end(NoBackend)
			return
		}
		if _, known := n.chosen[p.datagram]; !known {
			n.chosen[p.datagram] = b
		}
	}
	b, known := n.chosen[p.datagram]
	if !known {
		n.waiting[p.datagram] = append(n.waiting[p.datagram], p)
		return
	}
	for _, q := range append(n.waiting[p.datagram], p) {
		if m.keeps(b) {
			m.forward(b, q.frame[14:])
		} else {
			m.end(NoBackend)
		}
	}
	delete(n.waiting, p.datagram)
}

// icmpError is an error about a flow, which may come to any node.
func (m *model) icmpError(node, f int, ip []byte, relayed bool) {
	b, known := m.nodes[node].flows[f]
	if !known && relayed {
		m.end(RelayUnknown)
		return
	}
	if !known && m.wish.relay && len(m.nodes) > 1 {
		for other, a := range m.wish.addrs {
			switch {
			case other == node:
				continue
			case m.wish.down[other]:
				m.sent = append(m.sent, fmt.Sprintf("%s %x", a, ip))
			default:
				m.icmpError(other, f, ip, true)
			}
			m.end(Relayed)
		}
	}
	if !known || !m.keeps(b) {
		b = m.pick(f)
	}
	if b < 0 {
		m.end(NoBackend)
		return
	}
	m.forward(b, ip)
}

// later is when all that waits has waited for too long.
func (m *model) later() {
	for i := range m.nodes {
		for _, pieces := range m.nodes[i].waiting {
			m.verdicts[FragmentExpired] += len(pieces)
		}
		clear(m.nodes[i].waiting)
		clear(m.nodes[i].chosen)
	}
}

func (m *model) held() (n int) {
	for i := range m.nodes {
		for _, pieces := range m.nodes[i].waiting {
			n += len(pieces)
		}
	}
	return n
}

// Flows of the model, by number: every third is IPv6.
func modelFrames(f, id, payload int) [][]byte {
	return datagram(f, 1000+f, id, payload, 1000, f%3 == 0)
}

func modelKey(f int) (k flow.Key) {
	var h packet.Headers
	whole := modelFrames(f, 0, 10)[0]
	packet.Parse(whole, 0, &h)
	k.Read(whole, &h)
	return k
}

// modelError is an ICMP error about a packet that a backend sent for the flow.
func modelError(f int) []byte {
	asked := modelFrames(f, 0, 10)[0]
	if f%3 != 0 {
		return unreachable(asked)
	}
	b := make([]byte, 62, 62+48)
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 1}, [6]byte{2, 0xdd}, 0, packet.EtherTypeIPv6)
	packet.PutIPv6(b[14:], 60, packet.ProtoICMPv6, netip.MustParseAddr("2001:db8:99::1").As16(), udpVIP6.As16())
	packet.SetIPv6(b[14:], 0, 8+48)
	b[54] = 2
	quote := bytes.Clone(asked[14:62])
	copy(quote[8:], asked[38:54])
	copy(quote[24:], asked[22:38])
	copy(quote[40:], asked[56:58])
	copy(quote[42:], asked[54:56])
	return append(b, quote...)
}
