package lcore

//lint:file-ignore U1000 the assembly uses them

import (
	"unsafe" // unsafe.Offsetof and Sizeof only, in constants

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// What the assembly must know of other packages' types: the compiler writes these
// constants, and the layout of this package's own types, into go_asm.h.
const (
	maxBurst    = pmd.MaxBurst
	frontLen    = pmd.FrontLen
	burstFrames = unsafe.Offsetof(pmd.Burst{}.Frames) // a constant

	frameBuf      = pmd.OffsetBuf
	frameOff      = pmd.OffsetDataOff
	frameSegments = pmd.OffsetSegments
	frameFlags    = pmd.OffsetFlags
	framePktLen   = pmd.OffsetPktLen
	frameDataLen  = pmd.OffsetDataLen
	frameBufLen   = pmd.OffsetBufLen
	checksumBad   = pmd.FlagIPChecksumBad

	maxFrame  = packet.MaxFrame
	newsFlags = packet.TCPSyn | packet.TCPFin | packet.TCPRst // without these, tcpEvents has Data
	tcp       = packet.ProtoTCP
	udp       = packet.ProtoUDP

	keySrcHi = unsafe.Offsetof(flow.Key{}.SrcHi) // likewise
	keySrcLo = unsafe.Offsetof(flow.Key{}.SrcLo) // likewise
	keyDstHi = unsafe.Offsetof(flow.Key{}.DstHi) // likewise
	keyDstLo = unsafe.Offsetof(flow.Key{}.DstLo) // likewise
	keyPorts = unsafe.Offsetof(flow.Key{}.Ports) // likewise
	keyProto = unsafe.Offsetof(flow.Key{}.Proto) // likewise
	keyIPv6  = unsafe.Offsetof(flow.Key{}.IPv6)  // likewise

	commonLen = unsafe.Offsetof(flow.Common{}.Len) // likewise
	commonTOS = unsafe.Offsetof(flow.Common{}.TOS) // likewise

	seedA = unsafe.Offsetof(flow.Seed{}.A) // likewise
	seedB = unsafe.Offsetof(flow.Seed{}.B) // likewise
	seedC = unsafe.Offsetof(flow.Seed{}.C) // likewise

	tableBase   = conntrack.OffsetTableBase
	tableV4     = conntrack.OffsetTableV4
	tableV6     = conntrack.OffsetTableV6
	tableSeed   = conntrack.OffsetTableSeed
	tableMarks  = conntrack.OffsetTableMarks
	tableClass  = conntrack.OffsetTableClass
	tableRenew  = conntrack.OffsetTableRenew
	familyFirst = conntrack.OffsetFamilyFirst
	familyCount = conntrack.OffsetFamilyCount

	placeLine = conntrack.OffsetPlaceLine
	placeName = conntrack.OffsetPlaceName

	lineSlots     = conntrack.Slots
	linePorts     = conntrack.OffsetPorts
	lineValues    = conntrack.OffsetValues
	lineStamps    = conntrack.OffsetStamps
	lineMeta      = conntrack.OffsetMeta
	nearMask      = conntrack.NearMask
	markMask      = conntrack.MarkMask
	markClassMask = conntrack.MarkClassMask
	markTimeout   = conntrack.OffsetTimeout
	markFlip      = conntrack.OffsetDataFlip

	endpointTunnel = unsafe.Offsetof(fib.Endpoint{}.Path) + unsafe.Offsetof(fib.Path{}.Tunnel) // likewise
	endpointWays   = unsafe.Offsetof(fib.Endpoint{}.Path) + unsafe.Offsetof(fib.Path{}.Ways)   // likewise
	serving        = fib.Serving
	idMask         = fib.MaxEndpoints

	tunnelMaxInner = fib.OffsetTunnelMaxInner
	tunnelPort     = fib.OffsetTunnelPort
	tunnelLen      = fib.OffsetTunnelLen
	tunnelIPv6     = fib.OffsetTunnelIPv6
	tunnelRest     = fib.OffsetTunnelRest
	tunnelBlock    = fib.OffsetTunnelBlock
	tunnelSize     = fib.SizeofTunnel

	overhead4 = fib.GREOverhead4
	overhead6 = fib.GREOverhead6

	// Sizes, as what to shift an index by.
	itemShift        = 6
	lineShift        = 6
	placeShift       = 4
	endpointShift    = 4
	serviceShift     = 4
	destinationShift = 5
)

// Each of these compiles only where the difference is zero: what the assembly takes
// for granted of sizes and of what lies side by side.
const (
	_ = -uint(unsafe.Sizeof(item{}) ^ 1<<itemShift)                                             // a constant
	_ = -uint(conntrack.LineBytes ^ 1<<lineShift)                                               // a constant
	_ = -uint(unsafe.Sizeof(conntrack.Place{}) ^ 1<<placeShift)                                 // likewise
	_ = -uint(unsafe.Sizeof(fib.Endpoint{}) ^ 1<<endpointShift)                                 // likewise
	_ = -uint(unsafe.Sizeof(serviceCounter{}) ^ 1<<serviceShift)                                // likewise
	_ = -uint(unsafe.Sizeof(destination{}) ^ 1<<destinationShift)                               // likewise
	_ = -uint(conntrack.SizeofMarking ^ 8)                                                      // likewise
	_ = -uint(unsafe.Offsetof(item{}.l3) ^ (unsafe.Offsetof(item{}.service) + 2))               // likewise
	_ = -uint(unsafe.Offsetof(destination{}.l3) ^ (unsafe.Offsetof(destination{}.service) + 2)) // likewise
	_ = -uint(unsafe.Offsetof(item{}.event) ^ (unsafe.Offsetof(item{}.at) + 1))                 // likewise
	_ = -uint(unsafe.Offsetof(item{}.port) ^ (unsafe.Offsetof(item{}.at) + 2))                  // likewise
	_ = -uint(unsafe.Offsetof(item{}.marks) ^ (unsafe.Offsetof(item{}.at) + 3))                 // likewise
	_ = -uint(unsafe.Offsetof(flow.Common{}.Len))                                               // likewise
	_ = -uint(unsafe.Offsetof(flow.Common{}.TOS) ^ 2)                                           // likewise
	_ = -uint(unsafe.Offsetof(flow.Common{}.TCPFlags) ^ 3)                                      // likewise
	_ = -uint(keySrcLo ^ (keySrcHi + 8))                                                        // likewise
	_ = -uint(keyDstHi ^ (keySrcHi + 16))                                                       // likewise
	_ = -uint(keyDstLo ^ (keySrcHi + 24))                                                       // likewise
	_ = -uint(unsafe.Offsetof(flow.Key{}.Proto) ^ (keyPorts + 4))                               // likewise
	_ = -uint(unsafe.Offsetof(flow.Key{}.IPv6) ^ (keyPorts + 5))                                // likewise
	_ = -uint(unsafe.Offsetof(fib.Endpoint{}.Value))                                            // likewise
	_ = -uint(unsafe.Offsetof(fib.Endpoint{}.Service) ^ 4)                                      // likewise
	_ = -uint(unsafe.Offsetof(fib.Endpoint{}.State) ^ 6)                                        // likewise
)
