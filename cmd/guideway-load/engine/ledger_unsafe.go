package engine

import "unsafe" // for an address to prefetch

// address returns where a flow's account is, for prefetching only.
func (l *ledger) address(flow uint32) uintptr {
	return uintptr(unsafe.Pointer(&l.flows[flow])) // a number: never turned back into a pointer
}
