package fib

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"guideway/maglev"
	"guideway/maglev/flow"
)

// A Spec is what a Snapshot is built from.
type Spec struct {
	Generation uint64
	Services   []ServiceSpec  // by id; those without a valid Prefix are not in use
	Endpoints  []EndpointSpec // by id; [0] is not used
	Tunnels    []TunnelSpec
	Nodes      []NodeSpec // by ordinal of the fleet's list
}

// ServiceSpec says what a service is made of.
type ServiceSpec struct {
	Prefix      netip.Prefix // masked; one address is a full-length prefix
	Born        uint64       // generation of the snapshot that first had this service under its id
	Protocol    uint8
	AnyProtocol bool        // of every protocol; Protocol is then not looked at
	Ports       []PortRange // none: all ports, and protocols without ports
	Mode        flow.Mode
	Echo        Echo // the same for all services of one prefix
	Fragments   bool // see [Service], as for the next two
	Refragment  bool
	Unreachable bool // tell who gets no endpoint
	MSS         uint16
	Table       *maglev.Table // nil: nothing takes new flows
	Values      []Value       // endpoint of each ordinal of Table
}

// A PortRange is a range of ports, both ends within. Port 0 is in no range but
// 0-65535: it stands for packets without ports.
type PortRange struct{ Low, High uint16 }

// EndpointSpec says what an endpoint is made of.
type EndpointSpec struct {
	Value   Value
	Service uint16
	State   State // Gone: the id is not in use, and nothing else is looked at
	Tunnel  uint32
	Ways    uint16 // tunnels from Tunnel on, all to the backend; 0: no next hop is known
}

// NodeSpec says by which tunnels another node of the fleet is reached. This
// node's own is zero.
type NodeSpec struct {
	Tunnel4, Tunnel6 uint32 // the first for inner IPv4, and for inner IPv6
	Ways             uint16 // of each; 0: no next hop is known
}

// Build makes a Snapshot and checks that no packet can lead a core astray in
// it: every index is in range, every table agrees with its endpoints and they
// with all of their tunnels, those to nodes are marked and no others, and of any
// two services that claim one destination one is more specific. The error names
// all that is wrong, on a line each.
//
// Only the caller knows how many ports the cores have: [TunnelSpec.Port] is
// taken as it is. The Spec is neither changed nor kept, but for the tables.
func Build(spec Spec) (*Snapshot, error) {
	if len(spec.Services) > MaxServices || len(spec.Endpoints) > MaxEndpoints+1 {
		return nil, fmt.Errorf("%d services and %d endpoints: at most %d and %d can be numbered",
			len(spec.Services), max(len(spec.Endpoints), 1)-1, MaxServices, MaxEndpoints)
	}
	s := &Snapshot{Generation: spec.Generation}
	alike := runs(spec.Tunnels)
	err := errors.Join(s.addTunnels(spec), s.addEndpoints(spec, alike), s.addNodes(spec, alike), s.addServices(spec), s.addRules(spec))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) addTunnels(spec Spec) error {
	var errs []error
	s.tunnels = make([]Tunnel, len(spec.Tunnels))
	s.narrowest = [2]uint16{maxMTU, maxMTU}
	for i, t := range spec.Tunnels {
		var err error
		if s.tunnels[i], err = newTunnel(t); err != nil {
			errs = append(errs, fmt.Errorf("tunnel %d: %w", i, err))
		}
		if !t.Marked {
			family := 0
			if t.InnerIPv6 {
				family = 1
			}
			s.narrowest[family] = min(s.narrowest[family], s.tunnels[i].MaxInner)
		}
	}
	return errors.Join(errs...)
}

func (s *Snapshot) addEndpoints(spec Spec, alike []uint32) error {
	var errs []error
	s.endpoints = make([]Endpoint, len(spec.Endpoints))
	for id, e := range spec.Endpoints {
		if e.State == Gone {
			s.endpoints[id].Service = nobodys
			continue
		}
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("endpoint %d "+format, append([]any{id}, args...)...))
		}
		if id == 0 || e.Value.ID() != uint32(id) {
			fault("calls itself %d", e.Value.ID())
		}
		if e.State > Serving {
			fault("is in state %d, which there is not", e.State)
		}
		served := int(e.Service) < len(spec.Services) && spec.Services[e.Service].Prefix.IsValid()
		path := Path{e.Tunnel, e.Ways}
		if !served {
			fault("is of service %d, which is not in use", e.Service)
		} else if err := path.check(spec.Tunnels, alike, spec.Services[e.Service].Prefix.Addr().Is6(), false); err != nil {
			fault("%w", err)
		}
		s.endpoints[id] = Endpoint{Value: e.Value, Service: e.Service, State: e.State, Path: path}
	}
	return errors.Join(errs...)
}

func (s *Snapshot) addServices(spec Spec) error {
	var errs []error
	s.services = make([]Service, len(spec.Services))
	for id, v := range spec.Services {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("service %d: "+format, append([]any{id}, args...)...))
		}
		if v.Mode > flow.Source {
			fault("selects by mode %d, which there is not", v.Mode)
		}
		var members []maglev.Member
		if v.Table != nil {
			members = v.Table.Members()
		}
		if len(members) != len(v.Values) {
			fault("a table of %d members with %d endpoints", len(members), len(v.Values))
		}
		for ordinal, value := range v.Values {
			e := value.ID()
			if int(e) >= len(s.endpoints) || s.endpoints[e].Value != value ||
				s.endpoints[e].Service != uint16(id) || s.endpoints[e].State != Serving {
				fault("member %d leads to endpoint %d of generation %d, which does not serve it", ordinal, e, value.Generation())
				continue
			}
			path := s.endpoints[e].Path
			if ordinal >= len(members) || path.Ways == 0 || int64(path.Tunnel) >= int64(len(spec.Tunnels)) {
				continue
			}
			if t := path.Tunnel; members[ordinal].Addr != spec.Tunnels[t].Dst.Unmap() {
				fault("member %d is %v, but its endpoint %d is %v", ordinal, members[ordinal].Addr, e, spec.Tunnels[t].Dst)
			}
		}
		s.services[id] = Service{ID: uint16(id), Mode: v.Mode, Born: v.Born, Fragments: v.Fragments, Refragment: v.Refragment, Unreachable: v.Unreachable, MSS: v.MSS,
			table: v.Table, values: slices.Clone(v.Values)}
	}
	return errors.Join(errs...)
}
