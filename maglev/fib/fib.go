// Package fib is what the cores know: an immutable Snapshot that leads from a
// packet's destination to a service, from the service through its Maglev table
// to an endpoint, and from the endpoint to a prepared tunnel header.
//
//	flow.Key --Lookup--> Service --Pick--> Value --Endpoint--> Endpoint --Way--> Tunnel --Write--> header
//
// The control plane builds a Snapshot with [Build], which checks it, and
// publishes it to every core by one pointer. After that nobody writes to it.
// Cores keep no pointer into an old one beyond a turn of their loop, so the
// garbage collector frees it when the last core has moved on; its tables hold
// no pointers, so the collector has next to nothing to scan.
package fib

import (
	"guideway/maglev"
	"guideway/maglev/flow"
)

// Limits of the encoding of a [Value].
const (
	MaxEndpoints   = 1<<idBits - 1 // id 0 is never used
	MaxGenerations = 1 << generationBits
	MaxServices    = 1<<16 - 1

	// nobodys is the service of endpoint ids that are not in use, so that no
	// value, not even the zero Value, is good with them.
	nobodys = MaxServices

	idBits         = 20
	generationBits = 12
)

// A Value is what a connection table remembers of a flow: an endpoint and the
// generation of its id. Ids are used again after an endpoint is gone, with
// another generation, so an entry that outlives its endpoint matches nothing
// (and a backend that is removed and added again revives no old entry).
// The zero Value is no endpoint.
type Value uint32

// MakeValue joins an id, 1..MaxEndpoints, and a generation, taken modulo
// MaxGenerations.
func MakeValue(id, generation uint32) Value {
	return Value(generation<<idBits | id&(1<<idBits-1))
}

// ID returns the endpoint's index.
func (v Value) ID() uint32 { return uint32(v) & (1<<idBits - 1) }

// Generation returns the generation of the id.
func (v Value) Generation() uint32 { return uint32(v) >> idBits }

// A State tells what an endpoint takes.
type State uint8

const (
	Gone     State = iota // the id is not in use
	Down                  // takes nothing: its flows are selected anew
	Draining              // keeps the flows it has, takes no new ones
	Serving               // takes new flows
)

// An Endpoint is one backend in the service of one VIP (the paper's service
// endpoint).
type Endpoint struct {
	Value   Value  // its own id and generation, to compare an entry with
	Service uint16 // the service it belongs to
	State   State
	Path    // the tunnels to the backend
}

// A Service is a VIP as the cores see it.
type Service struct {
	ID   uint16
	Mode flow.Mode
	Born uint64 // tells it from another service that had its id before

	Fragments   bool   // fragments are forwarded
	Refragment  bool   // of packets too big for their tunnel, those with DF clear are fragmented
	Unreachable bool   // who gets no endpoint is told so
	MSS         uint16 // at most this is let through on a SYN; 0: whatever it says

	table  *maglev.Table // nil: no endpoint takes new flows
	values []Value       // by the table's ordinals
}

// Pick selects an endpoint for a new flow. It returns zero where there is none.
func (s *Service) Pick(k *flow.Key) Value {
	if s.table == nil {
		return 0
	}
	return s.values[s.table.Pick(k.Select(s.Mode))]
}

// Echo tells what becomes of echo requests to a VIP.
type Echo uint8

const (
	EchoDrop    Echo = iota // nobody answers
	EchoAnswer              // the node answers
	EchoForward             // a backend answers
)

// A Snapshot is one state of the whole configuration, as forwarded by.
// writer: Build; readers: cores, control
type Snapshot struct {
	// Generation counts the snapshots of a process; each core echoes it.
	Generation uint64

	services  []Service  // by id; those not in use have no rule that leads to them
	endpoints []Endpoint // by id
	tunnels   []Tunnel
	nodes     []node    // by ordinal
	narrowest [2]uint16 // by inner family: see Narrowest
	exact     exactTable
	prefixes  prefixTable
}

// Service returns the service of an id that Lookup returned.
func (s *Snapshot) Service(id uint16) *Service { return &s.services[id] }

// Endpoint returns the endpoint that v names, and whether v is still good:
// of the endpoint's generation, and of the given service.
func (s *Snapshot) Endpoint(v Value, service uint16) (*Endpoint, bool) {
	id := v.ID()
	if uint64(id) >= uint64(len(s.endpoints)) {
		return nil, false
	}
	e := &s.endpoints[id]
	return e, e.Value == v && e.Service == service
}

// All returns all endpoints by id, to read only.
func (s *Snapshot) All() []Endpoint { return s.endpoints }

// EndpointOf returns the endpoint that v names, of whatever service, and
// whether v is still good.
func (s *Snapshot) EndpointOf(v Value) (*Endpoint, bool) {
	id := v.ID()
	if uint64(id) >= uint64(len(s.endpoints)) {
		return nil, false
	}
	e := &s.endpoints[id]
	return e, e.Value == v && e.State != Gone
}

// Tunnel returns the tunnel with the index that [Path.Way] gave.
func (s *Snapshot) Tunnel(index uint32) *Tunnel { return &s.tunnels[index] }

// Tunnels returns all tunnels by index, to read only.
func (s *Snapshot) Tunnels() []Tunnel { return s.tunnels }

// Narrowest returns the length of the longest packet of a family, in bytes, that
// fits the tunnels to all backends, as far as they have next hops.
func (s *Snapshot) Narrowest(ipv6 bool) uint16 {
	if ipv6 {
		return s.narrowest[1]
	}
	return s.narrowest[0]
}

// Services returns one more than the highest service id.
func (s *Snapshot) Services() int { return len(s.services) }

// ValueOf returns the value of an endpoint's id, id < Endpoints; zero where the
// id is not in use.
func (s *Snapshot) ValueOf(id int) Value { return s.endpoints[id].Value }

// Endpoints returns one more than the highest endpoint id.
func (s *Snapshot) Endpoints() int { return len(s.endpoints) }
