package fib

import (
	"guideway/maglev/flow"
)

// What Lookup says of a destination that no service has.
const (
	NotVIP    = -1 // the address is no VIP of ours
	NoService = -2 // the address is a VIP, but not for this protocol and port
)

// Lookup returns the id of the service for k's destination, or NotVIP or
// NoService.
//
// The longest prefix wins, then a named protocol over any, then the narrower
// range of ports. The usual VIP, one address with single ports, is found in
// one probe of a hash table; only what is not found there walks the prefixes.
func (s *Snapshot) Lookup(k *flow.Key) int {
	if id, ok := s.exact.find(k); ok {
		return int(id)
	}
	return s.prefixes.find(k)
}

// Serves tells whether k's destination address is a VIP of ours, whatever the
// protocol and port.
func (s *Snapshot) Serves(k *flow.Key) bool {
	return s.prefixes.covers(k)
}
