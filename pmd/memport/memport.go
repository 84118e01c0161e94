// Package memport is a port in memory: [pmd.Port] without a device, for tests
// and benchmarks of the packet path.
//
// A [Port] keeps books. Every frame is either in the pool, with the packet
// path, or sent and not yet read; handing back a frame that the packet path
// does not have, polling a queue from two goroutines at once, or using a
// closed port panics with the reason. What a test forgets shows in
// [Port.Pool].
//
// A [Loop] keeps none: it hands out the same prepared packets round and round
// at next to no cost, so that a benchmark measures the packet path alone.
package memport

import (
	"fmt"
	"sync"
	"sync/atomic"

	"guideway/pmd"
)

// Start is what a port's clock shows when it is made, in nanoseconds. It is
// not zero, so that a time of zero can be seen to be forgotten.
const Start int64 = 1_000_000_000_000

// Config describes a port. The zero value of a field means what is said there.
type Config struct {
	Name     string // "mem"
	Queues   int    // queue pairs: 1
	RxQueues int    // how many of them receive: all
	MAC      [6]byte
	MTU      int // 1500

	// RSS is what the port says of how it spreads packets; nil: nothing. The
	// test is who spreads them.
	RSS *pmd.RSS

	// Pool is where the port's frames come from. Ports whose frames cross,
	// received on one and sent on another, must share one. nil makes a pool
	// of the next three fields.
	Pool       *Pool
	Frames     int // frames in the pool: 1024
	BufferSize int // bytes of a buffer, headroom included: 2048 + Headroom
	Headroom   int // bytes in front of a received packet: 128

	// TxRing is how many sent frames a queue holds until [Port.Sent] reads
	// them. When it is full, Tx refuses. 0: no limit but the pool.
	TxRing int
}

// Port implements [pmd.Port].
type Port struct {
	info   pmd.Info
	pool   *Pool
	queues []*queue
	now    atomic.Int64
	closed atomic.Bool

	capture struct {
		sync.Mutex
		w *pcapWriter // nil: no capture
	}
}

// New makes a port. It panics where the numbers of cfg make no port.
func New(cfg Config) *Port {
	if cfg.Name == "" {
		cfg.Name = "mem"
	}
	setDefault(&cfg.Queues, 1)
	setDefault(&cfg.RxQueues, cfg.Queues)
	setDefault(&cfg.MTU, 1500)
	if cfg.Queues < 1 || cfg.RxQueues < 0 || cfg.RxQueues > cfg.Queues || cfg.TxRing < 0 {
		panic(fmt.Sprintf("memport: %d queues, %d of them receiving, transmit rings of %d", cfg.Queues, cfg.RxQueues, cfg.TxRing))
	}
	if cfg.Pool == nil {
		setDefault(&cfg.Frames, 1024)
		setDefault(&cfg.Headroom, 128)
		setDefault(&cfg.BufferSize, 2048+cfg.Headroom)
		cfg.Pool = NewPool(cfg.Name, cfg.Frames, cfg.BufferSize, cfg.Headroom)
	}
	p := &Port{
		pool: cfg.Pool,
		info: pmd.Info{
			Name:     cfg.Name,
			Device:   "memport",
			Driver:   "memport",
			MAC:      cfg.MAC,
			MTU:      cfg.MTU,
			Queues:   cfg.Queues,
			RxQueues: cfg.RxQueues,
			RSS:      cfg.RSS,
			Socket:   -1,
		},
	}
	p.now.Store(Start)
	for i := range cfg.Queues {
		p.queues = append(p.queues, &queue{port: p, index: i, room: cfg.TxRing})
	}
	return p
}

func setDefault(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

// Info implements [pmd.Port].
func (p *Port) Info() pmd.Info { return p.info }

// Queue implements [pmd.Port].
func (p *Port) Queue(i int) pmd.Queue { return p.queues[i] }

// Link implements [pmd.Port]: up until closed.
func (p *Port) Link() pmd.Link {
	if p.closed.Load() {
		return pmd.Link{}
	}
	return pmd.Link{Up: true, FullDuplex: true, SpeedMbps: 10_000}
}

// Stats implements [pmd.Port]. RxErrors counts what was injected into queues
// that do not receive, TxErrors what Tx refused for want of room.
func (p *Port) Stats() (pmd.Stats, error) {
	var s pmd.Stats
	for _, q := range p.queues {
		s.RxPackets += q.rxPackets.Load()
		s.RxBytes += q.rxBytes.Load()
		s.RxNoFrame += q.rxNoFrame.Load()
		s.RxErrors += q.rxErrors.Load()
		s.TxPackets += q.txPackets.Load()
		s.TxBytes += q.txBytes.Load()
		s.TxErrors += q.txRefused.Load()
	}
	return s, nil
}

// XStats implements [pmd.Port]: there are none.
func (p *Port) XStats() ([]pmd.XStat, error) { return nil, nil }

// Pool tells how full the port's pool is. Frames that were sent and not read
// by [Port.Sent] are not in it.
func (p *Port) Pool() pmd.Pool { return p.pool.Count() }

// Held returns how many frames of the port's pool the packet path has: those
// received on this or another port of the pool and neither sent nor freed.
func (p *Port) Held() int { return p.pool.held() }

// Now returns the port's clock.
func (p *Port) Now() int64 { return p.now.Load() }

// SetNow sets the clock that stamps bursts. It panics where that would be a
// step back.
func (p *Port) SetNow(ns int64) {
	if old := p.now.Swap(ns); ns < old {
		panic(fmt.Sprintf("memport: %s: the clock steps back from %d to %d", p.info.Name, old, ns))
	}
}

// Advance moves the clock ns nanoseconds on.
func (p *Port) Advance(ns int64) { p.SetNow(p.now.Load() + ns) }

// Close implements [pmd.Port]: what was sent and not read is freed, what was
// injected and not received is dropped. It returns the first error of a
// running capture.
func (p *Port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	for _, q := range p.queues {
		q.reset()
	}
	return p.stopCapture()
}
