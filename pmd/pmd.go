// Package pmd is the contract between the packet path and the drivers (poll
// mode drivers, in DPDK's words) that carry its packets. It is pure Go and
// knows no driver: pmd/dpdk stands behind it in production, pmd/memport in
// tests and benchmarks.
//
// # Ownership
//
// A [Frame] has exactly one owner at a time. [Queue.Rx] and [Queue.Alloc] give
// the caller frames; they are the caller's until it hands them back through
// [Queue.Tx] or [Queue.Free], which take every frame of the burst, always. A
// frame that has been handed back must not be touched again.
//
// Any queue of any port takes any frame, whichever queue of whichever port gave
// it, in bursts of any mixture: each goes back to the pool that it came from.
// A port may be closed while its frames are still elsewhere.
//
// # Concurrency
//
// A Queue belongs to one core: its methods are called from one goroutine,
// which is locked to its thread. The methods of a [Port] are for the control
// plane and may be called from any goroutine while the queues are polled.
//
// A frame belongs to no core. It may be handed to another, which then owns it
// and sends or frees it through its own queues, if the hand-over orders memory:
// what the giver wrote, to the frame's bounds too, is seen by the taker. A ring
// whose indexes are atomic does, and so does a channel.
package pmd

// MaxBurst is the capacity of a [Burst], in frames. Sixty-four amortises the
// crossing into C to well under a nanosecond a frame, and the headers of
// sixty-four frames still fit the first-level cache.
const MaxBurst = 64

// A Burst is a vector of frames that cross the driver's door together.
//
// It is a plain value with its vector inside, so that a core's bursts are
// allocated once, with the core. A Burst must live on the heap (in a struct
// that a pointer reaches), because drivers hand its address to C.
type Burst struct {
	// Now is the time of the last Rx into this burst in nanoseconds on a
	// clock that never steps back and has no epoch. It is the only clock the
	// packet path reads.
	Now int64

	// N is the number of frames: Frames[:N] are valid.
	N int

	// Frames is the vector.
	Frames [MaxBurst]*Frame
}

// A Queue is a pair of a receive and a transmit queue on one port, owned by
// one core.
type Queue interface {
	// Rx replaces the content of b, which must be empty, with up to limit
	// (1..MaxBurst) received frames, and stamps b.Now even when nothing was
	// received. It never blocks. The frames are the caller's.
	Rx(b *Burst, limit int)

	// Tx sends b.Frames[:b.N] in order and empties b. What the device does
	// not take is offered again a bounded number of times and then freed.
	// It returns how many frames the device took; b.N minus that were freed.
	Tx(b *Burst) (sent int)

	// Free returns b.Frames[:b.N] to their pools and empties b.
	Free(b *Burst)

	// Alloc appends n fresh frames (0 <= n <= MaxBurst - b.N) of the port's
	// pool to b and returns n; or appends nothing and returns 0, where the
	// pool has fewer left. Frames for one packet are thus had together or not
	// at all. They are the caller's, as received ones are: single segments
	// without flags and without data, which [Frame.Recut] gives them (their
	// buffers hold garbage), behind the headroom that a received packet has.
	Alloc(b *Burst, n int) int
}

// A Port is one device with its queues.
type Port interface {
	// Info tells what does not change while the port is open.
	Info() Info

	// Queue returns the queue pair of index i, 0 <= i < Info().Queues.
	Queue(i int) Queue

	// Link tells the state of the link now.
	Link() Link

	// Stats returns the device's own counters.
	Stats() (Stats, error)

	// XStats returns the driver's extended counters by the driver's names,
	// in the driver's order; nil where it has none.
	XStats() ([]XStat, error)

	// Close stops the device and returns every frame that it still holds to
	// its pool. All queues must be at rest. Calling it twice is harmless.
	Close() error
}

// Info describes an open port.
type Info struct {
	Name   string  // the operator's name for it
	Device string  // PCI address or vdev, as configured
	Driver string  // the driver's name, e.g. "net_af_xdp"
	MAC    [6]byte // the port's own address
	MTU    int     // largest L3 packet, in bytes, that the port sends
	Queues int     // queue pairs, one for each core
	Socket int     // NUMA node of the device; -1 where unknown

	// RxQueues is how many of the queues receive, the first ones. The rest,
	// where a device has fewer receive queues than there are cores, only
	// send: their Rx always comes back empty.
	RxQueues int

	// RSS tells how the device spreads packets over its receive queues; nil
	// where it has one, or does not say.
	RSS *RSS
}

// Link is the state of a port's link.
type Link struct {
	Up         bool
	FullDuplex bool
	SpeedMbps  uint32 // 0 where unknown
}

// Stats are a port's counters since it was opened.
type Stats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxMissed             uint64 // dropped by the device: its ring was full
	RxErrors, TxErrors   uint64
	RxNoFrame            uint64 // dropped by the driver: its pool was empty
}

// XStat is one extended counter of a driver.
type XStat struct {
	Name  string
	Value uint64
}

// Pool tells how full a pool of frames is.
type Pool struct {
	Name string
	Size int // frames in all
	Free int // frames in the pool (core caches included)
}
