// Package traffic makes the packets of a load test and reads them back.
//
// Nothing of a flow is remembered here, so there may be a hundred million of
// them: which packet comes next, of which flow, from which address and port,
// and with which number, all follows from how many came before. What is read
// back leads to the flow by the same arithmetic.
//
//	Plan     services and clients: a connection's number <-> addresses and ports
//	Flows    the packets of N flows in turn, from SYN to FIN if they have an end
//	Flood    packets that each begin something that never goes on
//	Read     a frame, in a GRE tunnel or not -> flow, packet, time, tunnel's end
package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"

	"guideway/maglev/packet"
	"guideway/pmd"
)

// MaxFlows is the most flows that a [Plan] has.
const MaxFlows = 100_000_000

// A Service is what flows lead to: a VIP, a port and a protocol, TCP or UDP.
type Service struct {
	Addr  netip.Addr
	Port  uint16
	Proto uint8
}

// String returns the service as in "[2001:db8::10]:53/udp".
func (s Service) String() string {
	name := "tcp"
	if s.Proto == packet.ProtoUDP {
		name = "udp"
	}
	return fmt.Sprintf("%v/%s", netip.AddrPortFrom(s.Addr, s.Port), name)
}

// A Spec says what a Plan is made of.
type Spec struct {
	DstMAC, SrcMAC [6]byte
	VLAN           uint16 // tag of the frames; 0: none

	Services         []Service    // each once; flows are spread over them in turn
	Sources4         netip.Prefix // clients of IPv4 services, all of its addresses
	Sources6         netip.Prefix // of IPv6 services: at most the first 2^32 addresses
	LowPort, TopPort uint16       // clients' ports
	Flows            int          // at once: 1 to MaxFlows

	// Life is the number of packets of a connection: of TCP, a SYN, data and a
	// FIN. The flow goes on as another connection, with other ports or another
	// client as long as there are any. 0: connections have neither beginning
	// nor end, 2 or more otherwise.
	Life int

	Sizes []int // of frames, Ethernet header included and checksum not: one for each packet, drawn evenly

	// Cut is the longest IP packet. UDP datagrams that are longer leave as
	// fragments; 0: everything leaves whole.
	Cut int
}

// hostBits is how many bits of an address tell clients apart, at most.
const hostBits = 32

// A Plan numbers connections: connection c is of service c modulo their number,
// and of a client that follows from the quotient. Flow i is at any time one of
// the connections i, i+Flows, i+2*Flows ...
type Plan struct {
	spec        Spec
	templates   []template // one for each service
	services    table      // by address, port and protocol
	flows       uint64
	stride      uint64    // flows, or the next multiple of the number of services
	generations uint64    // how many connections each flow can be before they repeat
	clients     [2]prefix // of IPv4, IPv6
	ports       uint64    // of a client
}

// A prefix is the clients of a family: an address, the last bits of which are a
// number.
type prefix struct {
	hi, lo uint64
	bits   uint // of the number
}

func (p *prefix) mask() uint64 { return 1<<p.bits - 1 }

// New checks a spec and makes its plan. The error names all that is wrong.
func New(s Spec) (*Plan, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	p := &Plan{spec: s, flows: uint64(s.Flows), ports: uint64(s.TopPort) - uint64(s.LowPort) + 1}
	for f, sources := range []netip.Prefix{s.Sources4, s.Sources6} {
		if sources.IsValid() {
			p.clients[f] = clients(sources)
		}
	}
	p.services.init(len(s.Services))
	fewest := uint64(1) << 62
	for i, service := range s.Services {
		if old := p.services.find(service.key()); old >= 0 {
			return nil, fmt.Errorf("service %v is there twice", service)
		}
		p.services.add(service.key(), i)
		p.templates = append(p.templates, newTemplate(&s, service, p.family(service)))
		fewest = min(fewest, p.ports<<p.family(service).bits)
	}
	for _, size := range s.Sizes {
		for i := range p.templates {
			t := &p.templates[i]
			if n := p.cut(t, max(size, t.least())).n; n > pmd.MaxBurst {
				return nil, fmt.Errorf("frames of %d bytes make %d fragments of %d bytes, at most %d", size, n, s.Cut, pmd.MaxBurst)
			}
		}
	}
	services := uint64(len(s.Services))
	p.stride = (p.flows + services - 1) / services * services
	p.generations = fewest * services / p.stride
	if p.generations == 0 {
		return nil, fmt.Errorf("%d flows, and the clients' addresses and ports make %d", s.Flows, fewest*services)
	}
	return p, nil
}

func (s *Spec) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(s.Services) == 0 || len(s.Services) > 1<<16 {
		wrong("%d services, want 1 to 65536", len(s.Services))
	}
	for _, service := range s.Services {
		sources := s.Sources4
		if service.Addr.Is6() {
			sources = s.Sources6
		}
		switch {
		case service.Proto != packet.ProtoTCP && service.Proto != packet.ProtoUDP:
			wrong("service %v: TCP and UDP are known, not protocol %d", service, service.Proto)
		case !service.Addr.IsValid() || !sources.IsValid() || sources.Addr().BitLen() != service.Addr.BitLen():
			wrong("service %v: no clients of its family", service)
		}
	}
	if s.LowPort == 0 || s.LowPort > s.TopPort {
		wrong("client ports %d to %d", s.LowPort, s.TopPort)
	}
	if s.Flows < 1 || s.Flows > MaxFlows {
		wrong("%d flows, want 1 to %d", s.Flows, MaxFlows)
	}
	if s.Life < 0 || s.Life == 1 {
		wrong("connections of %d packets, want 2 or more, or 0", s.Life)
	}
	if len(s.Sizes) == 0 {
		wrong("no sizes of frames")
	}
	for _, n := range s.Sizes {
		if n < 1 || n > MaxFrame {
			wrong("frames of %d bytes, want 1 to %d", n, MaxFrame)
		}
	}
	if s.Cut != 0 && (s.Cut < MinCut || s.Cut > MaxFrame) {
		wrong("fragments of %d bytes, want %d to %d", s.Cut, MinCut, MaxFrame)
	}
	return errors.Join(errs...)
}

func clients(p netip.Prefix) prefix {
	p = p.Masked()
	hi, lo := words(p.Addr())
	return prefix{hi, lo, uint(min(p.Addr().BitLen()-p.Bits(), hostBits))}
}

func (p *Plan) family(s Service) *prefix {
	if s.Addr.Is4() {
		return &p.clients[0]
	}
	return &p.clients[1]
}

// A client is one end of a connection: its number within the prefix, and its
// port.
type client struct {
	service int
	host    uint32
	port    uint16
}

// client returns who connection c is of.
func (p *Plan) client(c uint64) client {
	rest, service := c, 0
	if n := uint64(len(p.templates)); n > 1 { // a division takes as long as all else here
		rest = c / n
		service = int(c - rest*n)
	}
	family := p.templates[service].clients
	return client{service, uint32(rest & family.mask()), p.spec.LowPort + uint16(rest>>family.bits)}
}

// flow returns the flow that has a connection from a client to a service; false
// where there is none.
func (p *Plan) flow(service int, hi, lo uint64, port uint16) (flow uint32, ok bool) {
	family := p.templates[service].clients
	host := lo & family.mask()
	if hi != family.hi || lo^host != family.lo || port < p.spec.LowPort || port > p.spec.TopPort {
		return 0, false
	}
	c := (uint64(port-p.spec.LowPort)<<family.bits|host)*uint64(len(p.templates)) + uint64(service)
	i := c
	if i >= p.stride { // a division takes as long as all else here
		i %= p.stride
	}
	return uint32(i), i < p.flows && c < p.stride*p.generations
}

// Flows returns the number of flows.
func (p *Plan) Flows() int { return int(p.flows) }

// Life returns the number of packets of a connection; 0: it has no end.
func (p *Plan) Life() int { return p.spec.Life }

// Longest returns the length of the longest frame that the plan makes, before
// anything is put around it.
func (p *Plan) Longest() int {
	longest := 0
	for _, size := range p.spec.Sizes {
		for i := range p.templates {
			t := &p.templates[i]
			longest = max(longest, t.frameLen(p.cut(t, max(size, t.least())), 0))
		}
	}
	return longest
}

// words returns an address as two words; of an IPv4 address hi is zero.
func words(a netip.Addr) (hi, lo uint64) {
	if a.Is4() {
		b := a.As4()
		return 0, uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
}

func (s Service) key() key {
	hi, lo := words(s.Addr)
	k := key{hi, lo, uint32(s.Port)<<8 | uint32(s.Proto)}
	if s.Addr.Is6() {
		k.rest |= 1 << 24
	}
	return k
}

// mixed returns a number with all bits of x mixed into each: splitmix64.
func mixed(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// draw returns a number below n that looks random, the same for the same i.
func draw(i uint64, n int) int {
	hi, _ := bits.Mul64(mixed(i), uint64(n))
	return int(hi)
}
