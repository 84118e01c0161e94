//go:build amd64 || arm64

package prefetch

// lines is in assembly.
//
//go:noescape
func lines(addrs *[Max]uintptr, n int)

// line is in assembly.
func line(addr uintptr)
