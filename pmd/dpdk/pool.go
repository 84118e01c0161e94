package dpdk

// #include "shim.h"
import "C"

import (
	"fmt"
	"math/bits"
	"slices"

	"guideway/pmd"
)

// cacheSize is how many frames a thread keeps of each pool for itself: some
// bursts' worth, so that most bursts never touch the shared ring.
const cacheSize = 256

// A pool is a mempool of frames. Every port has its own, on its own NUMA node,
// with buffers of the size that its MTU needs. It outlives its port for as
// long as other ports' transmit rings, or the packet path, hold its frames.
type pool struct {
	name string
	size int
	idle bool // the port is closed
	kept int  // frames that the driver did not return when the port was closed
	c    *C.struct_gw_pool
}

// free counts the frames in the pool, those in the caches of threads too.
func (p *pool) free() int { return int(C.gw_pool_free_count(p.c)) }

// missing counts the frames that somebody still has to return.
func (p *pool) missing() int { return p.size - p.free() - p.kept }

func (p *pool) delete() { C.gw_pool_delete(p.c) }

// poolSize is the number of frames that a port can have in use at once: its
// rings full, every thread's cache at its flush threshold, a burst being
// received and one being worked on by every thread, and what the caller
// holds. It is rounded up to 2^n-1, the size that uses all of a ring of 2^n.
func poolSize(rings, lcores, extra int) int {
	threads := lcores + 1 // and EAL's main lcore
	n := rings + threads*(cacheSize*3/2+2*pmd.MaxBurst) + extra
	return 1<<bits.Len(uint(n)) - 1
}

// room is the size of a buffer, without headroom, that an MTU takes: Ethernet,
// two VLAN tags and the packet, behind the further headroom that AF_XDP keeps
// for XDP programs.
func room(mtu int) int {
	const xdp = 256
	return xdp + 14 + 2*4 + mtu
}

// dataRoom is the size that it gets. Devices program buffer sizes in KiB, and
// many refuse less than 2 KiB.
func dataRoom(mtu int) int {
	const kib = 1 << 10
	return max(2*kib, (room(mtu)+kib-1)/kib*kib)
}

// newPool makes a pool for the named port of a driver.
func (e *EAL) newPool(port, driver string, size, mtu, socket int) (*pool, error) {
	e.reap()
	e.serial++
	// DPDK allows 25 bytes, and a name only once.
	p := &pool{name: fmt.Sprintf("gw%d-%.16s", e.serial, port), size: size}
	name := cString(p.name)
	defer name.free()
	var err error
	bytes := dataRoom(mtu)
	if driver == "net_af_xdp" {
		// It shows the kernel as much memory as all frames take side by side.
		// But frames do not lie across pages, so that the last ones would be
		// beyond what the kernel knows: with ordinary pages nearly half of
		// them, and a port that comes to them is deaf from then on. Frames
		// of a page each have no gaps between them.
		bytes = room(mtu)
		err = errno(C.gw_pool_new_paged(name.c, C.uint32_t(size), cacheSize, C.uint32_t(bytes), C.int(socket), &p.c))
	} else {
		err = errno(C.gw_pool_new(name.c, C.uint32_t(size), cacheSize, C.uint32_t(bytes), C.int(socket), &p.c))
	}
	if err != nil {
		return nil, fmt.Errorf("pool of %d frames of %d bytes on socket %d (%d MiB): %w; raise dpdk.memory or the number of hugepages",
			size, bytes, socket, size*(bytes+256)>>20, err)
	}
	e.pools = append(e.pools, p)
	return p, nil
}

// reap deletes the pools of closed ports that have all their frames again.
func (e *EAL) reap() {
	e.pools = slices.DeleteFunc(e.pools, func(p *pool) bool {
		whole := p.idle && p.missing() == 0
		if whole {
			p.delete()
		}
		return whole
	})
}

// Pools tells how full the pools are: those of open ports, and those of
// closed ports that lack frames or have just got them back. It may be called
// while the queues are polled; the numbers are then of no single moment.
func (e *EAL) Pools() (list []pmd.Pool) {
	e.do(func() {
		for _, p := range e.pools {
			list = append(list, pmd.Pool{Name: p.name, Size: p.size, Free: p.free()})
		}
	})
	return list
}
