package lcore

import (
	"unsafe" // for one store without the collector's write barrier

	"guideway/pmd"
)

// set puts a frame into the slot. The pointer is stored as a number, past the
// garbage collector's write barrier, as in pmd.Burst.Add.
func (h *handover) set(f *pmd.Frame) {
	*(*uintptr)(unsafe.Pointer(&h.frame)) = uintptr(unsafe.Pointer(f)) // a frame's memory does not hang on the slot: its pool keeps it for as long as the port is open
}
