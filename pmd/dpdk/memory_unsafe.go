package dpdk

// #include "shim.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Alloc returns zeroed memory from EAL's heap on a NUMA node (-1: any),
// aligned to 64 bytes. It lives until [EAL.Close]. Go's garbage collector
// neither scans nor frees it: it must hold no Go pointers.
func (e *EAL) Alloc(bytes, socket int) ([]byte, error) {
	if bytes <= 0 {
		return nil, fmt.Errorf("dpdk: %d bytes of memory wanted", bytes)
	}
	var p unsafe.Pointer // C memory
	if !e.do(func() { p = C.gw_alloc(C.uint64_t(bytes), C.int(socket)) }) {
		return nil, ErrClosed
	}
	if p == nil {
		return nil, fmt.Errorf("dpdk: no %d MiB of memory on socket %d: raise dpdk.memory or the number of hugepages",
			(bytes+1<<20-1)>>20, socket)
	}
	return unsafe.Slice((*byte)(p), bytes), nil // C memory, freed by EAL.Close as documented
}

// cStrings returns a NULL-terminated vector in C memory. EAL keeps pointers to
// its arguments, so it is never freed.
func cStrings(list []string) **C.char {
	v := (**C.char)(C.calloc(C.size_t(len(list)+1), C.sizeof_uintptr_t)) // never freed
	vector := unsafe.Slice(v, len(list))                                 // within what was allocated
	for i, s := range list {
		vector[i] = C.CString(s)
	}
	return v
}

type cstring struct{ c *C.char }

func cString(s string) cstring { return cstring{C.CString(s)} }

func (s cstring) free() { C.free(unsafe.Pointer(s.c)) } // made by cString, freed once, by its caller's defer
