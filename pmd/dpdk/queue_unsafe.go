package dpdk

// #include "shim.h"
import "C"

import (
	"unsafe"

	"guideway/pmd"
)

// burst is b as C has it. The vector in it holds only mbufs, which are C
// memory, and C writes mbufs over mbufs: the collector has nothing to find in
// it and misses nothing.
func burst(b *pmd.Burst) *C.struct_gw_burst {
	return (*C.struct_gw_burst)(unsafe.Pointer(b)) // a pointer like any other: it keeps b alive until the call returns
}

// Where the hot calls are in C.
var (
	rxAddress   = unsafe.Pointer(C.gw_rx)   // code
	txAddress   = unsafe.Pointer(C.gw_tx)   // likewise
	freeAddress = unsafe.Pointer(C.gw_free) // likewise
)

// These call nothing, and tell so, if the stack is another goroutine's.

func (q *queue) rxDirect(b *pmd.Burst, limit int) (ok bool) {
	_, ok = q.rx.Call(rxAddress, unsafe.Pointer(q.c), unsafe.Pointer(b), uintptr(limit)) // C memory, and as in burst
	return ok
}

func (q *queue) txDirect(b *pmd.Burst) (sent int, ok bool) {
	n, ok := q.tx.Call(txAddress, unsafe.Pointer(q.c), unsafe.Pointer(b), 0) // likewise
	return int(uint32(n)), ok
}

func (q *queue) freeDirect(b *pmd.Burst) (ok bool) {
	_, ok = q.rx.Call(freeAddress, unsafe.Pointer(b), nil, 0) // likewise
	return ok
}
