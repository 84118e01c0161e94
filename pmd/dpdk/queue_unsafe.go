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
