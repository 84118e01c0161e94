package traffic

import (
	"fmt"
	"net/netip"

	"guideway/maglev/packet"
	"guideway/pmd"
)

// FloodKind is what a flood is made of.
type FloodKind uint8

// The floods. None of them keeps to a flow: each packet is from a client and a
// port drawn at random.
const (
	FloodSYN    FloodKind = iota // a TCP SYN to a TCP service
	FloodNew                     // a datagram to a UDP service, or a data packet to a TCP one
	FloodFirsts                  // the first fragment of a datagram to a UDP service, which nothing follows
	FloodLaters                  // a later fragment of a datagram whose first never comes
)

// A FloodSpec describes a flood.
type FloodSpec struct {
	Kind FloodKind

	// Sources4 and Sources6 are its clients, none of which is among the plan's: by
	// these a flood's packets are told from the flows'.
	Sources4, Sources6 netip.Prefix
	LowPort, TopPort   uint16
	Size               int    // of frames
	Seed               uint64 // which random clients
}

// Flood is the stream of a flood.
type Flood struct {
	spec      FloodSpec
	templates []template
	clients   [2]prefix
	n         uint64 // packets made
}

// Flood returns the stream of a flood to the plan's services, those that it can
// be for.
func (p *Plan) Flood(s FloodSpec) (*Flood, error) {
	if s.LowPort == 0 || s.LowPort > s.TopPort {
		return nil, fmt.Errorf("flood: client ports %d to %d", s.LowPort, s.TopPort)
	}
	f := &Flood{spec: s}
	for i, sources := range []netip.Prefix{s.Sources4, s.Sources6} {
		own := []netip.Prefix{p.spec.Sources4, p.spec.Sources6}[i]
		if !sources.IsValid() {
			continue
		}
		if own.IsValid() && own.Overlaps(sources) {
			return nil, fmt.Errorf("flood: its clients %v are among those of the flows, %v", sources, own)
		}
		f.clients[i] = clients(sources)
	}
	spec := p.spec
	for _, service := range p.spec.Services {
		wanted := service.Proto == packet.ProtoUDP
		if s.Kind == FloodSYN || s.Kind == FloodNew {
			wanted = s.Kind == FloodNew || !wanted
		}
		from, sources := &f.clients[0], s.Sources4
		if service.Addr.Is6() {
			from, sources = &f.clients[1], s.Sources6
		}
		if wanted && sources.IsValid() {
			f.templates = append(f.templates, newTemplate(&spec, service, from))
		}
	}
	if len(f.templates) == 0 {
		return nil, fmt.Errorf("flood: no service that it can be for")
	}
	return f, nil
}

// Plan implements [Stream].
func (f *Flood) Plan(most, room int) (packets, frames int) {
	n := min(most, room)
	return n, n
}

// Put implements [Stream].
func (f *Flood) Put(frames []*pmd.Frame, packets int, now int64) {
	flags := uint8(packet.TCPSyn)
	if f.spec.Kind == FloodNew {
		flags = packet.TCPAck
	}
	for _, frame := range frames[:packets] {
		r := mixed(f.n ^ f.spec.Seed)
		// Different bits of r decide different things.
		t := &f.templates[int(r>>48)%len(f.templates)]
		o := one{
			host:  uint32(r & t.clients.mask()),
			port:  f.spec.LowPort + uint16((r>>32&0xffff)*(uint64(f.spec.TopPort)-uint64(f.spec.LowPort)+1)>>16),
			flags: flags, sequence: uint32(f.n), stamp: now,
		}
		f.n++
		size := max(f.spec.Size, t.least())
		if f.spec.Kind == FloodSYN || f.spec.Kind == FloodNew {
			t.put(frame, size, &o)
			continue
		}
		i := 0
		if f.spec.Kind == FloodLaters {
			i = 1
		}
		step := max((size-t.l4)&^7, (udpLen+pieceTagLen+7)&^7)
		t.putPiece(frame, cuts{n: 3, step: step, payload: 3 * step}, i, uint32(r>>16), noFlow, &o)
	}
}

// Undo implements [Stream].
func (f *Flood) Undo(frames int) (packets int) {
	f.n -= uint64(frames)
	return frames
}
