package memport

import (
	"fmt"
	"sync/atomic"

	"guideway/pmd"
)

// restored is how many bytes at the start of a packet a [Loop] writes anew
// each time: the Ethernet header, which an encapsulator replaces. What it
// writes in front of that is headroom, and what is behind stays as it is.
const restored = 16

// LoopConfig describes a Loop. The zero value of a field means what is said
// there.
type LoopConfig struct {
	Name   string // "loop"
	Queues int    // 1
	MAC    [6]byte
	MTU    int // 1500

	// Packets are received in turn, each at least 16 bytes long. There must
	// be one at least.
	Packets [][]byte

	// Frames is the number of buffers of a queue, the packets being spread
	// evenly over them: 128, or as many as there are packets. The packet
	// path may hold no more at once; and all that do not fit the caches
	// cost the loop itself its speed.
	Frames int

	// Flags are the receive flags, such as [pmd.FlagIPChecksumGood].
	Flags uint64

	// Fill, where set, is called for each packet as it is received, with the
	// number of packets that the queue received before, and may patch it:
	// another source address and port for each of a million flows, say. It
	// runs on the queue's core, concurrently with those of other queues.
	Fill func(i uint64, packet []byte)

	// Clock stamps bursts; nil advances by a microsecond at each.
	Clock func() int64
}

// Loop implements [pmd.Port] for benchmarks: Rx hands out prepared frames
// round and round, Alloc likewise 128 empty ones, Tx and Free take them and do
// nothing. Nothing is checked: a received frame must come back before the
// queue's Frames next ones have been received, an allocated one before the 128
// next ones.
type Loop struct {
	info   pmd.Info
	queues []*loopQueue
}

// loopQueue is one core's, and padded from the next one's.
type loopQueue struct {
	frames []loopFrame
	next   int
	fresh  [loopFresh]pmd.Frame // for Alloc
	used   int                  // of them, in this round
	count  uint64
	bytes  uint64
	flags  uint64
	now    int64
	fill   func(uint64, []byte)
	clock  func() int64

	// writer: the core, once per burst; readers: control
	rxPackets, rxBytes, txPackets atomic.Uint64
	_                             [64]byte
}

// loopFrame is two cache lines.
type loopFrame struct {
	pmd.Frame
	packet []byte          // the packet as received
	start  *[restored]byte // its first bytes
	front  [restored]byte  // what they are
	_      [8]byte
}

const (
	loopHeadroom = 128
	loopFresh    = 2 * pmd.MaxBurst
)

// line is the size of a cache line. Buffers lie an odd number of lines apart,
// so that their first lines fall into all sets of the cache alike.
const line = 64

// NewLoop makes a Loop. It panics where cfg makes none.
func NewLoop(cfg LoopConfig) *Loop {
	if cfg.Name == "" {
		cfg.Name = "loop"
	}
	setDefault(&cfg.Queues, 1)
	setDefault(&cfg.MTU, 1500)
	setDefault(&cfg.Frames, 128)
	if len(cfg.Packets) == 0 || cfg.Queues < 1 || cfg.Frames < 1 {
		panic(fmt.Sprintf("memport: a loop of %d packets, %d queues, %d frames", len(cfg.Packets), cfg.Queues, cfg.Frames))
	}
	l := &Loop{info: pmd.Info{
		Name:     cfg.Name,
		Device:   "memport.Loop",
		Driver:   "memport.Loop",
		MAC:      cfg.MAC,
		MTU:      cfg.MTU,
		Queues:   cfg.Queues,
		RxQueues: cfg.Queues,
		Socket:   -1,
	}}
	for range cfg.Queues {
		l.queues = append(l.queues, newLoopQueue(cfg))
	}
	return l
}

func newLoopQueue(cfg LoopConfig) *loopQueue {
	packets, longest := len(cfg.Packets), 2048
	for _, p := range cfg.Packets {
		longest = max(longest, len(p))
		if len(p) < restored || len(p) > 1<<16-1-loopHeadroom {
			panic(fmt.Sprintf("memport: a loop with a packet of %d bytes", len(p)))
		}
	}
	n := (max(cfg.Frames, packets) + packets - 1) / packets * packets
	size := loopHeadroom + longest
	stride := ((size+line-1)/line | 1) * line
	memory := make([]byte, n*stride)
	q := &loopQueue{
		frames: make([]loopFrame, n),
		flags:  cfg.Flags,
		now:    Start,
		fill:   cfg.Fill,
		clock:  cfg.Clock,
	}
	for i := range q.frames {
		f, packet := &q.frames[i], cfg.Packets[i%packets]
		buf := memory[i*stride:][:size:size]
		f.Init(buf, loopHeadroom, copy(buf[loopHeadroom:], packet))
		f.packet = f.Bytes()
		f.start = (*[restored]byte)(f.packet)
		f.front = *f.start
	}
	for i := range q.fresh {
		q.fresh[i].Init(make([]byte, size), loopHeadroom, 0)
	}
	return q
}

// Rx implements [pmd.Queue].
func (q *loopQueue) Rx(b *pmd.Burst, limit int) {
	if q.clock != nil {
		q.now = q.clock()
	} else {
		q.now += 1000
	}
	b.Now = q.now
	b.N = min(limit, len(b.Frames))
	for out := b.Frames[:b.N]; len(out) > 0; {
		n := q.restore(q.frames[q.next:], out)
		out = out[n:]
		if q.next += n; q.next == len(q.frames) {
			q.next = 0
		}
	}
	if q.fill != nil {
		for i, f := range b.Frames[:b.N] {
			q.fill(q.count+uint64(i), f.Bytes())
		}
	}
	q.count += uint64(b.N)
	q.rxPackets.Store(q.count)
	q.rxBytes.Store(q.bytes)
}

// restore makes frames as they were and puts them into out, as many as there
// are of both.
func (q *loopQueue) restore(frames []loopFrame, out []*pmd.Frame) int {
	frames = frames[:min(len(frames), len(out))]
	out = out[:len(frames)]
	bytes, flags := 0, q.flags
	for i := range frames {
		f := &frames[i]
		f.Reset(loopHeadroom, len(f.packet))
		f.SetFlags(flags)
		*f.start = f.front
		bytes += len(f.packet)
		out[i] = &f.Frame
	}
	q.bytes += uint64(bytes)
	return len(frames)
}

// Tx implements [pmd.Queue].
func (q *loopQueue) Tx(b *pmd.Burst) int {
	n := b.N
	b.N = 0
	q.txPackets.Store(q.txPackets.Load() + uint64(n)) // one writer: no read-modify-write
	return n
}

// Free implements [pmd.Queue].
func (q *loopQueue) Free(b *pmd.Burst) { b.N = 0 }

// Alloc implements [pmd.Queue].
func (q *loopQueue) Alloc(b *pmd.Burst, n int) int {
	for range n {
		f := &q.fresh[q.used]
		q.used = (q.used + 1) % loopFresh
		f.Reset(loopHeadroom, 0)
		b.Add(f)
	}
	return n
}

// Info implements [pmd.Port].
func (l *Loop) Info() pmd.Info { return l.info }

// Queue implements [pmd.Port].
func (l *Loop) Queue(i int) pmd.Queue { return l.queues[i] }

// Link implements [pmd.Port].
func (l *Loop) Link() pmd.Link { return pmd.Link{Up: true, FullDuplex: true, SpeedMbps: 10_000} }

// Stats implements [pmd.Port]. Sent bytes are not counted: reading the lengths
// would cost as much as the rest.
func (l *Loop) Stats() (pmd.Stats, error) {
	var s pmd.Stats
	for _, q := range l.queues {
		s.RxPackets += q.rxPackets.Load()
		s.RxBytes += q.rxBytes.Load()
		s.TxPackets += q.txPackets.Load()
	}
	return s, nil
}

// XStats implements [pmd.Port]: there are none.
func (l *Loop) XStats() ([]pmd.XStat, error) { return nil, nil }

// Close implements [pmd.Port].
func (l *Loop) Close() error { return nil }
