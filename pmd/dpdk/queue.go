package dpdk

// #cgo noescape gw_rx
// #cgo nocallback gw_rx
// #cgo noescape gw_tx
// #cgo nocallback gw_tx
// #cgo noescape gw_free
// #cgo nocallback gw_free
// #cgo noescape gw_pool_take
// #cgo nocallback gw_pool_take
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"

	"guideway/pmd"
	"guideway/pmd/foreign"
)

// queue implements [pmd.Queue].
type queue struct {
	c    *C.struct_gw_queue
	pool *C.struct_gw_pool // the port's

	// Stacks for C, each of the goroutine that receives, or sends, first. Nil, and for
	// others: calls go by cgo.
	rx, tx *foreign.Stack
}

// inKernel are the drivers whose queues are the kernel's: each burst is a system call
// or more, which may take long. Go's scheduler is told of those.
var inKernel = []string{"net_af_xdp", "net_af_packet", "net_tap", "net_pcap", "net_virtio_user"}

// newQueue makes the queue of an index. It sends no frame longer than longest;
// 0: the driver sees to that. direct calls pass Go's scheduler by.
func newQueue(port C.uint16_t, index int, receives bool, pool *C.struct_gw_pool, longest, socket int, direct bool) (*queue, error) {
	rx := C.int(0)
	if receives {
		rx = 1
	}
	q := &queue{c: C.gw_queue_new(port, C.uint16_t(index), rx, txRetries, C.uint32_t(longest), C.int(socket)), pool: pool}
	if q.c == nil {
		return nil, fmt.Errorf("no memory for queue %d on socket %d", index, socket)
	}
	if direct && foreign.Supported {
		var err error
		for _, s := range []**foreign.Stack{&q.rx, &q.tx} {
			if *s, err = foreign.NewStack(); err != nil {
				return nil, errors.Join(err, q.delete())
			}
		}
	}
	return q, nil
}

func (q *queue) delete() (err error) {
	C.gw_queue_delete(q.c)
	for _, s := range []*foreign.Stack{q.rx, q.tx} {
		if s != nil {
			err = errors.Join(err, s.Delete())
		}
	}
	return err
}

// Rx implements [pmd.Queue].
func (q *queue) Rx(b *pmd.Burst, limit int) {
	if q.rx == nil || !q.rxDirect(b, limit) {
		C.gw_rx(q.c, burst(b), C.uint32_t(limit))
	}
}

// Tx implements [pmd.Queue].
func (q *queue) Tx(b *pmd.Burst) int {
	if q.tx != nil {
		if sent, ok := q.txDirect(b); ok {
			return sent
		}
	}
	return int(C.gw_tx(q.c, burst(b)))
}

// Free implements [pmd.Queue].
func (q *queue) Free(b *pmd.Burst) {
	if q.rx == nil || !q.freeDirect(b) {
		C.gw_free(burst(b))
	}
}

// Alloc implements [pmd.Queue].
func (q *queue) Alloc(b *pmd.Burst, n int) int {
	return int(C.gw_pool_take(q.pool, burst(b), C.uint32_t(n)))
}

// Now returns the time on the clock of [pmd.Burst].Now, for the control plane.
func Now() int64 { return int64(C.gw_now()) }

// ClockRate returns how many ticks a second that clock is made of, in Hz, as EAL
// has measured it. They are counted since the machine was booted; another process
// may measure a little more or less.
func ClockRate() uint64 { return uint64(C.gw_clock_rate()) }
