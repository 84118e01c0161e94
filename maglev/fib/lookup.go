package fib

import "guideway/maglev/flow"

// What Lookup says of a destination that no service has.
const (
	NotVIP    = -1 // the address is no VIP of ours
	NoService = -2 // the address is in a VIP, but no service has this protocol and port
)

// Lookup returns the id of the service for k's destination, or NotVIP or
// NoService.
//
// A service claims the destinations that its prefix, its protocol and its ports
// name together, and no others. Of several that claim one destination, the
// longest prefix wins, then a named protocol over any, then the narrower range
// of ports.
//
// So what the services of a longer prefix leave unclaimed falls to a shorter
// one: a VIP for UDP port 53 on one address takes nothing else of that address
// from the VIP that has the whole subnet, and can be added and removed without
// breaking a flow of other ports. (Routers, whose routes know no ports, never
// have to decide this.) Whoever wants the rest of an address dropped gives it a
// service for any protocol that has no endpoints.
//
// A single address with a single port, the usual VIP, is found in one probe of
// a hash table. Nothing can be more specific, so only what is not found there
// walks the prefixes.
func (s *Snapshot) Lookup(k *flow.Key) int {
	if id, ok := s.exact.find(k); ok {
		return int(id)
	}
	return s.prefixes.find(k)
}

// Serves tells whether k's destination address is in a VIP of ours, whatever
// the protocol and port: whether Lookup says anything but NotVIP.
func (s *Snapshot) Serves(k *flow.Key) bool {
	return s.prefixes.longest(k) != nil
}

// Fragments tells whether a fragment to k's destination address may be for a
// service that forwards fragments. Only the address is looked at: later
// fragments have no ports, and those of IPv6 need not agree on the protocol.
//
// It never says no where Lookup, whatever the ports, would say such a service:
// it asks all services of the longest prefix, then, unless one of those takes
// whatever there is, those of the next, as Lookup falls through. So it says yes
// for too much where a service of the same address or of a shorter prefix
// forwards fragments of other ports or protocols than the packet's.
func (s *Snapshot) Fragments(k *flow.Key) bool {
	return s.prefixes.fragments(k)
}

// Echo tells what becomes of an echo request to k's destination, by the longest
// prefix, and which service takes it if it is to be forwarded. An address that
// is no VIP has EchoDrop.
func (s *Snapshot) Echo(k *flow.Key) (echo Echo, service uint16) {
	e := s.prefixes.longest(k)
	if e == nil {
		return EchoDrop, 0
	}
	return e.echo, e.service
}
