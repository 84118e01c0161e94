// Package bgp tells routers which VIPs this node serves, by BGP (RFC 4271), and
// learns nothing from them.
//
// The speaker is gobgp's, in this process and without its gRPC server. This
// package gives it its settings, keeps what it announces equal to what is
// wanted, and puts into words what becomes of its sessions:
//
//  1. speaker.go    Configure: which settings need a new speaker, which a new
//     session with one peer, and which neither
//  2. peer.go       a Peer as gobgp wants it
//  3. policy.go     what comes in is refused; what goes out gets the peer's
//     attributes
//  4. announce.go, aggregate.go, path.go   wanted routes -> announced ones ->
//     the difference
//  5. session.go    gobgp's events -> the state of each session
//  6. log.go, words.go   gobgp's log -> ours, and why a session is not up
//  7. shutdown.go   the way out: GRACEFUL_SHUTDOWN (RFC 8326), withdraw, cease
//
// No route goes into the kernel and none comes from it. What a router sends is
// refused by policy: gobgp keeps it as received (it has no way not to), and
// that is all. docs/bgp.md tells operators what to allow on the other side.
package bgp
