// Package hostile makes the frames that a load balancer has to live with: those
// of an honest crowd, of senders that are broken, and of attackers, all mixed,
// and all of them also bent by a mutator. It shares no code with the packet
// path, so that what that path believes about headers is not believed here too.
//
// A [Source] is deterministic: the same seed and targets give the same frames.
// [Sound] is the other half: it judges what a node has sent.
package hostile

import (
	"math/rand/v2"
	"net/netip"
	"slices"
)

// Targets says whom the frames are for, and what the receiver is like.
type Targets struct {
	MAC, Router [6]byte // of the node's port, and of whom frames come from
	VLAN        uint16  // of the port; 0: untagged
	MTU         int     // of the port, bytes
	Services    []Service
	Within      []netip.Prefix // whose addresses are VIPs, too
	Self        []netip.Addr   // the node's own addresses
	Nodes       []netip.Addr   // addresses of the other nodes of the fleet
	Backends    []netip.Addr   // who answer to the VIPs
}

// A Service is what a VIP takes.
type Service struct {
	VIP   netip.Addr // of either family
	Proto byte       // 0: any
	Port  uint16     // 0: any
}

// MaxFrame is how long a frame of a Source can be, in bytes: a jumbo frame.
const MaxFrame = 9600

// A Source makes frames. It is for one goroutine.
type Source struct {
	t      Targets
	random *rand.Rand
	all    []netip.Addr    // VIPs
	vips   [2][]netip.Addr // by family: 0 is IPv4
	others [2][]netip.Addr // nodes, likewise

	b         []byte // the frame being made
	l3        int    // where its outermost IP header begins; 0: none
	text      []byte // payload comes from here
	spare     []byte
	datagrams [64]datagram
	recent    [32][]byte // frames made before, to splice with
	at        int        // of recent: the oldest
	total     int        // of all weights
}

// A recipe makes one kind of frame.
type recipe struct {
	weight int // how often, of the sum of all
	cook   func(*Source)
}

// The recipes. What an honest crowd sends comes most often: hostile frames find
// tables in use.
var recipes = []recipe{
	{24, (*Source).segment}, {24, (*Source).message}, {4, (*Source).association},
	{3, (*Source).otherProtocol}, {4, (*Source).closedPort}, {4, (*Source).elsewhere},
	{30, (*Source).nextPiece}, {4, (*Source).anyPiece}, {4, (*Source).overlap},
	{2, (*Source).tinyFirst}, {2, (*Source).farPiece}, {4, (*Source).floodOfFirsts}, {6, (*Source).floodOfLaters},
	{10, (*Source).truthfulError}, {3, (*Source).cutError}, {3, (*Source).forgedError}, {3, (*Source).echo}, {2, (*Source).otherICMP},
	{10, (*Source).redirected}, {3, (*Source).strangersTunnel}, {3, (*Source).oddTunnel}, {2, (*Source).nestedTunnel},
	{5, (*Source).oversized}, {1, (*Source).jumbo}, {4, (*Source).opening}, {4, (*Source).options}, {5, (*Source).extensions},
	{2, (*Source).foreignTag}, {3, (*Source).neighbours}, {2, (*Source).group}, {2, (*Source).routing}, {1, (*Source).notIP}, {1, (*Source).runt},
}

// New returns a Source. Targets need at least one service.
func New(seed uint64, t Targets) *Source {
	s := &Source{t: t, random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), text: make([]byte, 2*MaxFrame)}
	for i := range s.text {
		s.text[i] = byte(s.random.Uint32())
	}
	for _, v := range t.Services {
		if a := v.VIP; !slices.Contains(s.all, a) {
			s.all, s.vips[family(a)] = append(s.all, a), append(s.vips[family(a)], a)
		}
	}
	for _, a := range t.Nodes {
		s.others[family(a)] = append(s.others[family(a)], a)
	}
	for _, r := range recipes {
		s.total += r.weight
	}
	for i := range s.datagrams {
		s.datagrams[i] = s.newDatagram()
	}
	return s
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Next makes the next frame in buf, which has a capacity of MaxFrame bytes, and
// returns it; without that capacity it allocates. Three frames in four are as
// their recipe says, the others are mutated.
func (s *Source) Next(buf []byte) []byte {
	s.b = buf[:0]
	s.cook()
	if s.one(4) {
		s.mutate()
	}
	if len(s.b) > MaxFrame {
		s.b = s.b[:MaxFrame]
	}
	if s.one(8) {
		s.recent[s.at] = append(s.recent[s.at][:0], s.b...)
		s.at = (s.at + 1) % len(s.recent)
	}
	return s.b
}

// cook makes the frame of one recipe, tagged for the port's VLAN.
func (s *Source) cook() {
	s.l3 = 0
	n := s.n(s.total)
	for _, r := range recipes {
		if n -= r.weight; n < 0 {
			r.cook(s)
			return
		}
	}
}

// n draws from 0..n-1.
func (s *Source) n(n int) int { return int(s.random.Uint32N(uint32(n))) }

// one is true once in n times.
func (s *Source) one(n int) bool { return s.n(n) == 0 }

// pick draws one of a list.
func pick[T any](s *Source, list []T) T { return list[s.n(len(list))] }
