package packet

// FlowLabelMask is the bits of a flow label, RFC 8200, 6: the last 20 of an
// IPv6 header's first 32.
const FlowLabelMask = 1<<20 - 1

// SetFlowLabel patches the flow label of the IPv6 header at the start of b with
// the last 20 bits of label. It is never zero, which stands for no label: zero
// becomes 1 (RFC 6437, 3 and appendix A).
func SetFlowLabel(b []byte, label uint32) {
	label &= FlowLabelMask
	if label == 0 {
		label = 1
	}
	_ = b[3]
	b[1] = b[1]&0xf0 | byte(label>>16)
	put16(b[2:], uint16(label))
}
