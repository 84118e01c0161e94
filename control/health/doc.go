// Package health finds out which addresses answer: the other nodes of the
// fleet, for the owners of fragments, and the backends, for everything else.
//
//  1. target.go, check.go  who is asked what, how often, and by which way
//  2. watch.go, monitor.go  a Monitor watches a set of targets; what is known of
//     a question outlives a change of the set
//  3. pace.go  each target has its own phase and jitter, so that probes come
//     evenly; pure
//  4. loop.go, entry.go  one goroutine for all targets: starts what is due,
//     counts what was not answered in time
//  5. checker.go, types.go  the door to a kind of check: probes go out, and tell
//     what became of them
//  6. echo.go, socket.go, wire.go  ICMP echo, over one raw socket for each
//     source address
//  7. dials.go, inquiry.go  all other types: functions that block, on a bounded
//     number of goroutines; who waits for one is late, and not failed
//  8. tcp.go, tls.go, http.go, http2.go, dns.go, grpc.go, weight.go  those
//     functions
//  9. tunnel.go, route.go  probes to a VIP, in GRE, at one backend
//  10. state.go  results come to a verdict: rise, fall, three states; pure
//  11. expire.go  a second goroutine, which calls nobody: a verdict that no
//     result confirms any more expires
//
// Unknown is neither up nor down. A target begins so, and returns to it when
// checking itself fails: no socket, no source address, a checker that is stuck.
// What Unknown means is for the caller to decide. For the owners of fragments
// it is not down: a node that restarts and has not yet heard of the others must
// not take all their datagrams for its own.
package health
