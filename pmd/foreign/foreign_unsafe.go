package foreign

import "unsafe" // an address

func address(b []byte) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b))) // mapped memory, which stays where it is
}
