// Package kernel is what Guideway knows of the Linux kernel's network, and the
// little that it changes there, by netlink.
//
// A port's exception-path interface is where the kernel meets the port: ARP,
// ND, BGP, SSH and whatever else is not for a VIP goes up and down through it.
// The kernel therefore knows who the neighbours are and which way leads where,
// and the data plane, whose packets the kernel never sees, asks it:
//
//  1. interface.go  the exception-path interface is brought to the state that
//     the port has (Reconcile), and back at the end (Release)
//  2. receive.go    one netlink socket hears of links, addresses, neighbours
//     and routes, in the order in which they change
//  3. mirror.go     the loop's copy of them; what got lost, or cannot be told
//     from a notification, is read again as a whole
//  4. table.go, view.go  an immutable View: longest prefix match, next hops
//     with weights, and their link addresses; published a few milliseconds
//     after a change
//  5. resolve.go    next hops that are wanted but not resolved are asked for,
//     stale ones are confirmed, at a bounded rate
//
// What is written to the kernel: the exception-path interface's link address,
// MTU, addresses, carrier and per-interface settings, and requests to resolve
// a neighbour, which is what any packet to it would cause. No route and no
// neighbour is ever added, changed or removed, and no address but our own.
package kernel
