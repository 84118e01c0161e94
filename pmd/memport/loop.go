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
	// evenly over them. The more, the larger the part of the cache that
	// they take; the fewer, the fewer the packet path may hold at once:
	// 256, or as many as there are packets.
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
// round and round, Tx and Free take them and do nothing. Nothing is checked: a
// frame must come back before the queue's Frames next ones have been received.
type Loop struct {
	info   pmd.Info
	queues []*loopQueue
}

// loopQueue is one core's, and padded from the next one's.
type loopQueue struct {
	frames []loopFrame
	next   int
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

type loopFrame struct {
	pmd.Frame
	buf   []byte
	n     int
	front [restored]byte
}

const loopHeadroom = 128

// NewLoop makes a Loop. It panics where cfg makes none.
func NewLoop(cfg LoopConfig) *Loop {
	if cfg.Name == "" {
		cfg.Name = "loop"
	}
	setDefault(&cfg.Queues, 1)
	setDefault(&cfg.MTU, 1500)
	setDefault(&cfg.Frames, 256)
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
	packets := len(cfg.Packets)
	n := (max(cfg.Frames, packets) + packets - 1) / packets * packets
	q := &loopQueue{
		frames: make([]loopFrame, n),
		flags:  cfg.Flags,
		now:    Start,
		fill:   cfg.Fill,
		clock:  cfg.Clock,
	}
	for i := range q.frames {
		f, packet := &q.frames[i], cfg.Packets[i%packets]
		if len(packet) < restored || len(packet) > 1<<16-1-loopHeadroom {
			panic(fmt.Sprintf("memport: a loop with a packet of %d bytes", len(packet)))
		}
		f.buf = make([]byte, max(2048, len(packet))+loopHeadroom)
		f.n = copy(f.buf[loopHeadroom:], packet)
		copy(f.front[:], packet)
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
	limit = min(limit, len(b.Frames))
	next, bytes := q.next, 0
	for i := range limit {
		f := &q.frames[next]
		if next++; next == len(q.frames) {
			next = 0
		}
		f.Init(f.buf, loopHeadroom, f.n)
		f.SetFlags(q.flags)
		*(*[restored]byte)(f.buf[loopHeadroom:]) = f.front
		if q.fill != nil {
			q.fill(q.count+uint64(i), f.buf[loopHeadroom:loopHeadroom+f.n])
		}
		bytes += f.n
		b.Frames[i] = &f.Frame
	}
	b.N = limit
	q.next = next
	q.count += uint64(limit)
	q.bytes += uint64(bytes)
	q.rxPackets.Store(q.count)
	q.rxBytes.Store(q.bytes)
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
