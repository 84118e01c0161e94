package fib

import "unsafe" // unsafe.Offsetof and Sizeof only, in constants

// The layout of a Tunnel, for the packet path's assembly.
const (
	OffsetTunnelMaxInner = unsafe.Offsetof(Tunnel{}.MaxInner) // a constant
	OffsetTunnelPort     = unsafe.Offsetof(Tunnel{}.Port)     // likewise
	OffsetTunnelLen      = unsafe.Offsetof(Tunnel{}.Len)      // likewise
	OffsetTunnelIPv6     = unsafe.Offsetof(Tunnel{}.ipv6)     // likewise
	OffsetTunnelRest     = unsafe.Offsetof(Tunnel{}.rest)     // likewise
	OffsetTunnelBlock    = unsafe.Offsetof(Tunnel{}.block)    // likewise
	SizeofTunnel         = unsafe.Sizeof(Tunnel{})            // likewise
)
