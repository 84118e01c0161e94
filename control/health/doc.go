// Package health finds out which addresses answer. Today these are the other
// nodes of the fleet, for the owners of fragments, and the check is an ICMP
// echo; checks of backends are further checkers behind the same door.
//
//  1. monitor.go  a Monitor watches a set of targets; a target that stays in
//     the set keeps its verdict, whatever else of it changes
//  2. pace.go     each target has its own phase and jitter, so that probes
//     come evenly; pure
//  3. loop.go     one goroutine for all targets: starts what is due, counts
//     what was not answered in time
//  4. checker.go  the door to a kind of check: probes go out, and tell what
//     became of them
//  5. echo.go, socket.go, wire.go  ICMP echo, over one raw socket for each
//     source address
//  6. state.go    results come to a verdict: rise, fall, three states; pure
//  7. expire.go   a second goroutine, which calls nobody: a verdict that no
//     result confirms any more expires
//
// Unknown is neither up nor down. A target begins so, and returns to it when
// checking itself fails: no socket, no source address, a checker that is stuck.
// What Unknown means is for the caller to decide. For the owners of fragments
// it is not down: a node that restarts and has not yet heard of the others must
// not take all their datagrams for its own.
package health
