package pmd

import "unsafe" // the one place that turns a driver's addresses into slices

// A Frame is one packet in a driver's buffer: headroom, then Len bytes of
// data, then tailroom.
//
// Its memory layout is that of the first cache line of DPDK's struct
// rte_mbuf, so that the vector a receive burst fills *is* a vector of
// *Frame: nothing is translated or copied between C and Go. pmd/dpdk proves
// each offset when it is compiled. Frames are never copied and never made by
// hand; drivers make them (see [Frame.Init]).
//
//	 0  buf_addr  8 buf_iova
//	16  data_off 18 refcnt 20 nb_segs 22 port   24 ol_flags
//	32  packet_type 36 pkt_len 40 data_len 42 vlan_tci 44 hash
//	52  vlan_tci_outer 54 buf_len   56 pool
type Frame struct {
	buf     unsafe.Pointer // lifetime: the driver's, at least until the frame is handed back
	_       uint64
	off     uint16
	_       uint16
	nbSegs  uint16
	port    uint16
	flags   uint64
	_       uint32
	pktLen  uint32
	dataLen uint16
	_       uint16
	_       [2]uint32
	_       uint16
	bufLen  uint16
	_       uint64
}

// Offsets of the fields of Frame, for drivers to prove against their own.
const (
	OffsetBuf      = unsafe.Offsetof(Frame{}.buf)     // a constant; nothing is dereferenced
	OffsetDataOff  = unsafe.Offsetof(Frame{}.off)     // likewise
	OffsetSegments = unsafe.Offsetof(Frame{}.nbSegs)  // likewise
	OffsetPort     = unsafe.Offsetof(Frame{}.port)    // likewise
	OffsetFlags    = unsafe.Offsetof(Frame{}.flags)   // likewise
	OffsetPktLen   = unsafe.Offsetof(Frame{}.pktLen)  // likewise
	OffsetDataLen  = unsafe.Offsetof(Frame{}.dataLen) // likewise
	OffsetBufLen   = unsafe.Offsetof(Frame{}.bufLen)  // likewise
	SizeofFrame    = unsafe.Sizeof(Frame{})           // likewise
)

// Flags that drivers set on received frames (DPDK's RTE_MBUF_F_RX_*; pmd/dpdk
// proves the values).
const (
	FlagIPChecksumBad  = 1 << 4
	FlagIPChecksumGood = 1 << 7
)

// Init makes f a single-segment frame over buf with n bytes of data after
// headroom bytes. For drivers whose buffers are Go memory.
func (f *Frame) Init(buf []byte, headroom, n int) {
	f.buf = unsafe.Pointer(unsafe.SliceData(buf)) // kept alive by f.buf itself
	f.bufLen = uint16(len(buf))
	f.Reset(headroom, n)
}

// Reset makes f a single-segment frame again, with n bytes of data after
// headroom bytes of the buffer that it has. For drivers that keep frames.
func (f *Frame) Reset(headroom, n int) {
	f.off = uint16(headroom)
	f.dataLen, f.pktLen = uint16(n), uint32(n)
	f.nbSegs, f.flags = 1, 0
}

// Bytes returns the packet: the data of the first segment. The slice is valid
// until the frame is handed back or its start or end is moved.
func (f *Frame) Bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(f.buf, f.off)), f.dataLen) // off+dataLen <= bufLen is the driver's invariant and ours
}

// Add appends f. The caller sees to it that N < MaxBurst: a stage never adds
// more frames than the one receive burst that it works on.
//
// The pointer is stored as a number, past the garbage collector's write
// barrier, which costs a hundred nanoseconds while a collection runs.
func (b *Burst) Add(f *Frame) {
	b.Put(b.N, f)
	b.N++
}

// Put is Add for a loop that counts for itself and sets N in the end: f becomes
// frame i, i < MaxBurst.
func (b *Burst) Put(i int, f *Frame) {
	// A frame's memory does not hang on the vector: its pool keeps it for as long as the port is open.
	(*[MaxBurst]uintptr)(unsafe.Pointer(&b.Frames))[i&(MaxBurst-1)] = uintptr(unsafe.Pointer(f))
}

// Window returns n bytes of the buffer that begin at bytes behind the start of
// the data, or in front of it, in the headroom, where at is negative. It is nil
// where that is not all within the buffer.
func (f *Frame) Window(at, n int) []byte {
	first := int(f.off) + at
	if first < 0 || n < 0 || first+n > int(f.bufLen) {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(f.buf, first)), n) // within the buffer, as just checked
}

// FrontLen is the length of what Front returns, and the least headroom with which
// frames come.
const FrontLen = 64

// Front returns the FrontLen bytes that end at bytes behind the start of the data,
// 0 <= at <= Len: where a header in front of them goes. It is nil where the
// headroom is too small.
func (f *Frame) Front(at int) *[FrontLen]byte {
	first := int(f.off) + at - FrontLen
	if uint(first) >= uint(f.bufLen) || first+FrontLen > int(f.bufLen) {
		return nil
	}
	return (*[FrontLen]byte)(unsafe.Add(f.buf, first)) // within the buffer, as just checked
}

// Start returns the address of the first byte of data, for prefetching only.
func (f *Frame) Start() uintptr {
	return uintptr(f.buf) + uintptr(f.off) // a number: never turned back into a pointer
}
