// Package fragments brings the pieces of a datagram to one backend, as in
// section 4.3 of the Maglev paper (Eisenbud et al., NSDI 2016). It holds data
// structures and decisions; the packet path makes the calls.
//
// Only the first fragment of a datagram has ports, pieces come in any order,
// and routers send them to any node. So, in the order of the files:
//
//  1. [Read] tells what a fragment is, and refuses those that no honest sender
//     makes                                                        (piece.go)
//  2. [Owners.Owner] names the one node where all pieces of a datagram meet,
//     by addresses and protocol alone                             (owners.go)
//  3. If that is another node, the fragment goes there in GRE, which
//     packet.MarkGRE marks so that it is not sent on again; there, [Owners.Redirected] checks
//     the mark and [Unwrap] takes the GRE off                       (mark.go)
//  4. If it is this node, the first fragment is scheduled like any packet, and
//     [Table.First] remembers the choice and releases what waited for it;
//     [Table.Later] has another one follow, or holds it           (table.go:
//     choices.go is what is remembered, waiting.go what is held)
//  5. [Table.Expire] gives up what waited too long, [Table.Drain] all at the
//     end
//
// Within one burst all first fragments come before all later ones: then pieces
// that arrive together in order never wait.
//
// A Table belongs to one core. It takes no locks, allocates nothing after
// [New], and its pointers are those of the frames that it holds.
// docs/fragments.md tells why all this is as it is, and what it costs.
package fragments
