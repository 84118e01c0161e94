package flow

import (
	"encoding/binary"
	"math/bits"
)

// Toeplitz returns the hash by which devices spread packets over their receive
// queues, under the device's key of at least 40 bytes: over the addresses, and
// over the ports where these are asked for (Microsoft, "RSS hashing types").
// The steering of a rare packet, one that the device could not see the flow
// of, is what it is for: it takes one step for each bit that is set in the
// fields.
func (k *Key) Toeplitz(key []byte, ports bool) uint32 {
	var fields [9]uint32
	n := 2
	if k.IPv6 {
		fields = [9]uint32{
			uint32(k.SrcHi >> 32), uint32(k.SrcHi), uint32(k.SrcLo >> 32), uint32(k.SrcLo),
			uint32(k.DstHi >> 32), uint32(k.DstHi), uint32(k.DstLo >> 32), uint32(k.DstLo),
		}
		n = 8
	} else {
		fields[0], fields[1] = uint32(k.SrcLo), uint32(k.DstLo)
	}
	if ports {
		fields[n] = k.Ports
		n++
	}
	var hash uint32
	for i, field := range fields[:n] {
		// Bit b of the fields, if it is set, adds the bits b to b+31 of the
		// key. Those of all 32 bits of this field are within 64.
		window := binary.BigEndian.Uint64(key[4*i:])
		for field != 0 {
			b := bits.LeadingZeros32(field)
			hash ^= uint32(window << b >> 32)
			field &^= 1 << 31 >> b
		}
	}
	return hash
}
