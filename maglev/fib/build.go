package fib

import (
	"errors"
	"fmt"
	"net/netip"

	"guideway/maglev"
	"guideway/maglev/flow"
)

// A Spec is what a Snapshot is built from.
type Spec struct {
	Generation uint64
	Services   []ServiceSpec  // by id; those without a valid Prefix are not in use
	Endpoints  []EndpointSpec // by id; [0] is not used
	Tunnels    []TunnelSpec
}

// ServiceSpec says what a service is made of.
type ServiceSpec struct {
	Prefix      netip.Prefix // masked; one address is a full-length prefix
	Born        uint64       // generation of the snapshot that first had this service under its id
	Protocol    uint8
	AnyProtocol bool        // of every protocol; Protocol is then not looked at
	Ports       []PortRange // nil: all ports, and protocols without ports
	Mode        flow.Mode
	Table       *maglev.Table // nil: nothing takes new flows
	Values      []Value       // endpoint of each ordinal of Table
}

// A PortRange is a range of ports, both ends within.
type PortRange struct{ Low, High uint16 }

// EndpointSpec says what an endpoint is made of.
type EndpointSpec struct {
	Value   Value
	Service uint16
	State   State
	Tunnel  uint32
}

// Build makes a Snapshot and checks that no packet can lead a core astray in
// it: every index is in range, every table agrees with its endpoints, and no
// two services claim the same destination. All that is wrong is in the error.
func Build(spec Spec) (*Snapshot, error) {
	if len(spec.Services) > MaxServices || len(spec.Endpoints) > MaxEndpoints+1 {
		return nil, fmt.Errorf("%d services and %d endpoints: at most %d and %d can be numbered",
			len(spec.Services), len(spec.Endpoints), MaxServices, MaxEndpoints)
	}
	s := &Snapshot{Generation: spec.Generation}
	err := errors.Join(s.addTunnels(spec), s.addEndpoints(spec), s.addServices(spec), s.addRules(spec))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) addTunnels(spec Spec) error {
	var errs []error
	s.tunnels = make([]Tunnel, len(spec.Tunnels))
	for i, t := range spec.Tunnels {
		var err error
		s.tunnels[i], err = newTunnel(t)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Snapshot) addEndpoints(spec Spec) error {
	var errs []error
	s.endpoints = make([]Endpoint, len(spec.Endpoints))
	for id, e := range spec.Endpoints {
		if e.State == Gone {
			s.endpoints[id].Service = nobodys
			continue
		}
		switch {
		case id == 0 || e.Value.ID() != uint32(id):
			errs = append(errs, fmt.Errorf("endpoint %d calls itself %d", id, e.Value.ID()))
		case int(e.Service) >= len(spec.Services):
			errs = append(errs, fmt.Errorf("endpoint %d is of service %d of %d", id, e.Service, len(spec.Services)))
		case int(e.Tunnel) >= len(spec.Tunnels):
			errs = append(errs, fmt.Errorf("endpoint %d goes through tunnel %d of %d", id, e.Tunnel, len(spec.Tunnels)))
		}
		s.endpoints[id] = Endpoint{Value: e.Value, Service: e.Service, State: e.State, Tunnel: e.Tunnel}
	}
	return errors.Join(errs...)
}

func (s *Snapshot) addServices(spec Spec) error {
	var errs []error
	s.services = make([]Service, len(spec.Services))
	for id, v := range spec.Services {
		if v.Table != nil && len(v.Table.Members()) != len(v.Values) {
			errs = append(errs, fmt.Errorf("service %d: a table of %d members with %d endpoints",
				id, len(v.Table.Members()), len(v.Values)))
		}
		for ordinal, value := range v.Values {
			e := value.ID()
			if int(e) >= len(s.endpoints) || s.endpoints[e].Value != value ||
				s.endpoints[e].Service != uint16(id) || s.endpoints[e].State != Serving {
				errs = append(errs, fmt.Errorf("service %d: member %d leads to endpoint %d, which does not serve it", id, ordinal, e))
			}
		}
		s.services[id] = Service{ID: uint16(id), Born: v.Born, Mode: v.Mode, table: v.Table, values: v.Values}
	}
	return errors.Join(errs...)
}

// addRules fills the lookup tables.
func (s *Snapshot) addRules(spec Spec) error {
	var errs []error
	singles := 0
	byPrefix := map[netip.Prefix][]rule{}
	for id, v := range spec.Services {
		if !v.Prefix.IsValid() {
			continue
		}
		if v.Prefix != v.Prefix.Masked() || v.Prefix.Addr().Is4In6() {
			errs = append(errs, fmt.Errorf("service %d: %v is not a prefix in canonical form", id, v.Prefix))
			continue
		}
		rules := byPrefix[v.Prefix] // kept even when empty: the address is a VIP
		for _, r := range portRules(v, uint32(id)) {
			if v.exact(r) {
				singles++
			} else {
				rules = append(rules, r)
			}
		}
		byPrefix[v.Prefix] = rules
	}
	s.exact = newExactTable(singles)
	for id, v := range spec.Services {
		if !v.Prefix.IsValid() {
			continue
		}
		hi, lo, ipv6 := flow.Words(v.Prefix.Addr())
		for _, r := range portRules(v, uint32(id)) {
			if v.exact(r) && !s.exact.insert(hi, lo, exactTag(r.low, r.proto, ipv6), uint32(id)) {
				errs = append(errs, fmt.Errorf("service %d: %v, protocol %d, port %d is another service's", id, v.Prefix, r.proto, r.low))
			}
		}
	}
	s.prefixes = newPrefixTable(byPrefix)
	return errors.Join(errs...)
}

// exact tells whether a rule of the service goes to the exact table: a single
// address, a named protocol, a single port.
func (v *ServiceSpec) exact(r rule) bool {
	return v.Prefix.IsSingleIP() && !r.anyProto && r.low == r.high
}

func portRules(v ServiceSpec, id uint32) []rule {
	ports := v.Ports
	if ports == nil {
		ports = []PortRange{{0, 1<<16 - 1}}
	}
	rules := make([]rule, 0, len(ports))
	for _, p := range ports {
		rules = append(rules, rule{low: p.Low, high: p.High, proto: v.Protocol, anyProto: v.AnyProtocol, service: id})
	}
	return rules
}
