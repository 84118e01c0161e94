// Package dpdk is the binding to DPDK: the environment (EAL), ports and their
// queues, pools of frames, and the threads that poll. It is the only cgo in
// the tree, and the whole of what it asks of C is in shim.h.
//
// # Crossing into C
//
// A poll loop crosses once per burst and direction. The vector that a receive
// burst fills is the array inside [pmd.Burst], and its elements are mbufs,
// whose first cache line is [pmd.Frame]: nothing is copied or translated. The
// time comes back with the burst.
//
// # Threads
//
//   - The goroutine that [Start] makes is locked to its own OS thread, EAL's
//     main lcore. All control calls (open, close, counters) are made there, one
//     after another, because DPDK's control API is not safe for concurrent use.
//   - [EAL.Poll] gives each poll loop its own OS thread, pinned to one CPU and
//     registered with EAL, so that it has a cache in every pool. What it
//     receives and allocates comes out of its cache and what it frees, or a
//     driver frees when it sends, goes into it, whichever core had the frame
//     first. On other threads the methods of a queue work too, past the caches
//     and slower.
//   - All other threads of the process are left alone. See [Confine] for
//     keeping them off the poll loops' CPUs.
//
// docs/dpdk.md tells the rest: memory, pools, and what each driver can and
// cannot do.
package dpdk

// #cgo pkg-config: libdpdk libpcap
// #cgo CFLAGS: -O3 -Wall
// #include "shim.h"
import "C"

// Version returns the name and release of the DPDK library in use, as in
// "DPDK 22.11.11".
func Version() string { return C.GoString(C.gw_version()) }
