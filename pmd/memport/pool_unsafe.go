package memport

import (
	"unsafe"

	"guideway/pmd"
)

// slot returns the slot that f is the first field of; nil where f is not in
// one of this pool.
func (p *Pool) slot(f *pmd.Frame) *slot {
	const size = unsafe.Sizeof(slot{})                                                     // a constant
	off := uintptr(unsafe.Pointer(f)) - uintptr(unsafe.Pointer(unsafe.SliceData(p.slots))) // numbers: never turned back into pointers
	if off%size != 0 || off/size >= uintptr(len(p.slots)) {
		return nil
	}
	return &p.slots[off/size]
}
