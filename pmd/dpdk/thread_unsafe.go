package dpdk

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// nameThread names the calling thread in the eyes of top and ps; at most 15
// bytes are kept.
func nameThread(name string) {
	b := append([]byte(name), 0)
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b[0])), 0, 0, 0) // the kernel copies it before the call returns
}
