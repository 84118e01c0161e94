package pmd

// Len returns the number of bytes of data in the first segment.
func (f *Frame) Len() int { return int(f.dataLen) }

// Total returns the number of bytes of data in all segments.
func (f *Frame) Total() int { return int(f.pktLen) }

// Headroom returns how many bytes fit in front of the data.
func (f *Frame) Headroom() int { return int(f.off) }

// Tailroom returns how many bytes fit behind the data.
func (f *Frame) Tailroom() int { return int(f.bufLen) - int(f.off) - int(f.dataLen) }

// Segments returns how many buffers the packet is spread over. The packet
// path works on single-segment frames; ports size their buffers to the MTU so
// that anything else is an oversized packet.
func (f *Frame) Segments() int { return int(f.nbSegs) }

// Flags returns the driver's receive flags, see [FlagIPChecksumBad].
func (f *Frame) Flags() uint64 { return f.flags }

// SetFlags replaces the driver's receive flags. For drivers.
func (f *Frame) SetFlags(flags uint64) { f.flags = flags }

// SetSegments replaces the segment count. For drivers.
func (f *Frame) SetSegments(n int) { f.nbSegs = uint16(n) }

// IPChecksumBad tells whether the device checked the IPv4 header checksum and
// found it wrong.
func (f *Frame) IPChecksumBad() bool {
	return f.flags&(FlagIPChecksumBad|FlagIPChecksumGood) == FlagIPChecksumBad
}

// Plain tells whether the packet is in one buffer and the device found nothing
// wrong with it: what holds for nearly every frame, in one test.
func (f *Frame) Plain() bool { return f.nbSegs == 1 && f.flags&FlagIPChecksumBad == 0 }

// Grow moves the start of the data n bytes to the front, into the headroom.
// It reports false, and changes nothing, where the headroom is too small. The
// new bytes hold garbage.
func (f *Frame) Grow(n int) bool {
	if n < 0 || n > int(f.off) {
		return false
	}
	f.off -= uint16(n)
	f.dataLen += uint16(n)
	f.pktLen += uint32(n)
	return true
}

// Shrink moves the start of the data n bytes to the back, 0 <= n <= Len. It
// reports false, and changes nothing, for any other n.
func (f *Frame) Shrink(n int) bool {
	if n < 0 || n > int(f.dataLen) {
		return false
	}
	f.off += uint16(n)
	f.dataLen -= uint16(n)
	f.pktLen -= uint32(n)
	return true
}

// Recut makes the n bytes that begin at bytes behind the start of the data
// (in front of it, where at is negative) the data. It reports false, and
// changes nothing, where that is not all within the buffer. Only for
// single-segment frames.
func (f *Frame) Recut(at, n int) bool {
	first := int(f.off) + at
	if first < 0 || n < 0 || first+n > int(f.bufLen) {
		return false
	}
	f.off, f.dataLen, f.pktLen = uint16(first), uint16(n), uint32(n)
	return true
}

// Trim cuts the data behind its first n bytes, 0 <= n <= Len. It reports
// false, and changes nothing, for any other n. Only for single-segment frames.
func (f *Frame) Trim(n int) bool {
	if n < 0 || n > int(f.dataLen) {
		return false
	}
	f.dataLen = uint16(n)
	f.pktLen = uint32(n)
	return true
}
