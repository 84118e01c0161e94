package memport

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"guideway/pmd"
)

// queue implements [pmd.Queue].
type queue struct {
	port  *Port
	index int
	room  int // frames that fit tx; 0: any number

	busy atomic.Bool // a poller is inside

	mu sync.Mutex // guards rx and tx: a test injects and reads while a core polls
	rx []packet
	tx []*slot

	// writer: the poller, rxErrors the injector; readers: control
	rxPackets, rxBytes, rxNoFrame, rxErrors atomic.Uint64
	txPackets, txBytes, txRefused           atomic.Uint64
}

type packet struct {
	data  []byte
	flags uint64
}

// enter guards against two pollers and against use after Close.
func (q *queue) enter(op string, b *pmd.Burst) {
	switch {
	case !q.busy.CompareAndSwap(false, true):
		panic(fmt.Sprintf("memport: %s: two goroutines are in queue %d of %s", op, q.index, q.port.info.Name))
	case q.port.closed.Load():
		panic(fmt.Sprintf("memport: %s: port %s is closed", op, q.port.info.Name))
	case b.N < 0 || b.N > pmd.MaxBurst:
		panic(fmt.Sprintf("memport: %s: a burst of %d frames", op, b.N))
	}
}

func (q *queue) leave() { q.busy.Store(false) }

// Rx implements [pmd.Queue]. A packet that finds the pool empty is dropped and
// counted.
func (q *queue) Rx(b *pmd.Burst, limit int) {
	q.enter("Rx", b)
	defer q.leave()
	if b.N != 0 {
		panic(fmt.Sprintf("memport: Rx: the burst still holds %d frames", b.N))
	}
	if limit < 1 || limit > pmd.MaxBurst {
		panic(fmt.Sprintf("memport: Rx: limit %d", limit))
	}
	b.Now = q.port.now.Load()
	q.mu.Lock()
	n := min(limit, len(q.rx))
	packets := slices.Clone(q.rx[:n])
	q.rx = slices.Delete(q.rx, 0, n)
	q.mu.Unlock()
	for _, p := range packets {
		s := q.port.pool.take(p.data, p.flags)
		if s == nil {
			q.rxNoFrame.Add(1)
			continue
		}
		q.rxPackets.Add(1)
		q.rxBytes.Add(uint64(s.Len()))
		b.Add(&s.Frame)
	}
}

// Tx implements [pmd.Queue]. A full ring is not offered the rest again: who
// would make room is the test that called us.
func (q *queue) Tx(b *pmd.Burst) int {
	q.enter("Tx", b)
	defer q.leave()
	n := b.N
	if q.room > 0 {
		q.mu.Lock()
		n = min(n, q.room-len(q.tx))
		q.mu.Unlock()
	}
	for _, f := range b.Frames[:n] {
		s := q.port.pool.send(f)
		q.port.record(f.Bytes())
		q.txPackets.Add(1)
		q.txBytes.Add(uint64(f.Len()))
		q.mu.Lock()
		q.tx = append(q.tx, s)
		q.mu.Unlock()
	}
	for _, f := range b.Frames[n:b.N] {
		q.port.pool.give("Tx", f, held)
		q.txRefused.Add(1)
	}
	b.N = 0
	return n
}

// Free implements [pmd.Queue].
func (q *queue) Free(b *pmd.Burst) {
	q.enter("Free", b)
	defer q.leave()
	for _, f := range b.Frames[:b.N] {
		q.port.pool.give("Free", f, held)
	}
	b.N = 0
}

// Alloc implements [pmd.Queue].
func (q *queue) Alloc(b *pmd.Burst, n int) int {
	q.enter("Alloc", b)
	defer q.leave()
	if n < 0 || n > pmd.MaxBurst-b.N {
		panic(fmt.Sprintf("memport: Alloc: %d frames into a burst that holds %d", n, b.N))
	}
	return q.port.pool.takeFresh(b, n)
}

// reset empties both rings.
func (q *queue) reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.tx {
		q.port.pool.give("Close", &s.Frame, sent)
	}
	q.rx, q.tx = nil, nil
}

// Inject queues copies of packets to be received, in order. Packets longer
// than a buffer arrive as the first of several segments; those for a queue
// that does not receive are counted as errors.
func (p *Port) Inject(queue int, packets ...[]byte) { p.InjectFlagged(queue, 0, packets...) }

// InjectFlagged is Inject with the receive flags of a device, such as
// [pmd.FlagIPChecksumBad].
func (p *Port) InjectFlagged(queue int, flags uint64, packets ...[]byte) {
	q := p.queues[queue]
	if queue >= p.info.RxQueues {
		q.rxErrors.Add(uint64(len(packets)))
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, data := range packets {
		q.rx = append(q.rx, packet{slices.Clone(data), flags})
	}
}

// Pending returns how many injected packets of a queue have not been received.
func (p *Port) Pending(queue int) int {
	q := p.queues[queue]
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.rx)
}

// Sent returns copies of what a queue has sent since the last call, in order,
// and frees the frames.
func (p *Port) Sent(queue int) [][]byte {
	q := p.queues[queue]
	q.mu.Lock()
	frames := q.tx
	q.tx = nil
	q.mu.Unlock()
	var list [][]byte
	for _, s := range frames {
		list = append(list, slices.Clone(s.Bytes()))
		p.pool.give("Sent", &s.Frame, sent)
	}
	return list
}
