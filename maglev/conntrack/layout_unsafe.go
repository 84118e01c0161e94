package conntrack

import "unsafe" // unsafe.Offsetof only, in constants

// The layout of a Table and of its lines, for the packet path's assembly, which
// does what [Table.Place] and [Table.HitAt] do.
const (
	OffsetTableBase   = unsafe.Offsetof(Table{}.base)   // a constant
	OffsetTableV4     = unsafe.Offsetof(Table{}.v4)     // likewise
	OffsetTableV6     = unsafe.Offsetof(Table{}.v6)     // likewise
	OffsetTableSeed   = unsafe.Offsetof(Table{}.seed)   // likewise
	OffsetTableMarks  = unsafe.Offsetof(Table{}.marks)  // likewise: what is known of each mark, two words
	OffsetTableRenew  = unsafe.Offsetof(Table{}.renew)  // likewise: from which age on a stamp is renewed, by mark
	OffsetTableClass  = unsafe.Offsetof(Table{}.class)  // likewise: a byte for each protocol
	OffsetFamilyFirst = unsafe.Offsetof(family{}.first) // likewise
	OffsetFamilyCount = unsafe.Offsetof(family{}.count) // likewise

	OffsetPlaceLine = unsafe.Offsetof(Place{}.Line) // likewise
	OffsetPlaceName = unsafe.Offsetof(Place{}.Name) // likewise

	Slots          = slots // in a line
	LineBytes      = lineBytes
	OffsetPorts    = 4 * ports
	OffsetValues   = 4 * values
	OffsetStamps   = 4 * stamps
	OffsetMeta     = 4 * meta
	MarkBits       = markBits
	MarkMask       = markMask
	NearMask       = nearMask
	MarkClassMask  = classMask
	OffsetTimeout  = unsafe.Offsetof(marking{}.timeout) // likewise
	OffsetDataFlip = unsafe.Offsetof(marking{}.flip)    // likewise
	SizeofMarking  = unsafe.Sizeof(marking{})           // likewise
)
