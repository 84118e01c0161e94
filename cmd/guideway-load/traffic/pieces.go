package traffic

import (
	"encoding/binary"

	"guideway/maglev/packet"
	"guideway/pmd"
)

// cuts says how a datagram is cut: n pieces with step bytes of data each, but
// for the last.
type cuts struct {
	n, step int
	payload int // transport header and data of the whole
}

// cut plans the pieces of a datagram that would take size bytes as one frame.
// It is longer than that by up to pieceTagLen bytes where its last piece would
// not hold a tag.
func (p *Plan) cut(t *template, size int) cuts {
	payload := size - t.l4
	limit := p.spec.Cut
	if limit == 0 || t.proto != packet.ProtoUDP || size-t.l3 <= limit {
		return cuts{1, payload, payload}
	}
	step := limit - packet.IPv4Len
	if t.ipv6 {
		step = limit - packet.IPv6Len - ipv6FragmentLen
	}
	step &^= 7
	if rest := payload % step; rest != 0 && rest < pieceTagLen {
		payload += pieceTagLen - rest
	}
	return cuts{(payload + step - 1) / step, step, payload}
}

// frameLen is the length of the frame with piece i.
func (t *template) frameLen(c cuts, i int) int {
	if c.n == 1 {
		return t.l4 + c.payload
	}
	n := t.l4 + min(c.step, c.payload-i*c.step)
	if t.ipv6 {
		n += ipv6FragmentLen
	}
	return n
}

// putPiece makes f the piece i of a datagram, which has an identification and is
// of a flow.
func (t *template) putPiece(f *pmd.Frame, c cuts, i int, id, flow uint32, o *one) {
	size := t.frameLen(c, i)
	b := f.Window(0, max(size, headLen))
	if b == nil {
		return
	}
	*(*[headLen]byte)(b) = t.head
	data := size - min(c.step, c.payload-i*c.step) // where it begins
	clear(b[t.l4:])
	src := t.base | o.host
	binary.BigEndian.PutUint32(b[t.src:], src)
	offset, more := uint16(i*c.step), uint16(0)
	if i < c.n-1 {
		more = 1
	}
	ip := b[t.l3:]
	if t.ipv6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(size-t.l4))
		ip[6] = packet.ProtoFragment
		h := b[t.l4:]
		h[0] = t.proto
		binary.BigEndian.PutUint16(h[2:], offset|more)
		binary.BigEndian.PutUint32(h[4:], id)
	} else {
		length, at := uint16(size-t.l3), more*ipv4MoreFragments|offset/8
		binary.BigEndian.PutUint16(ip[ipv4Total:], length)
		binary.BigEndian.PutUint16(ip[ipv4ID:], uint16(id))
		binary.BigEndian.PutUint16(ip[ipv4Offset:], at)
		binary.BigEndian.PutUint16(ip[ipv4Checksum:], ^packet.Fold(t.ipSum+halves(src)+uint64(length)+uint64(uint16(id))+uint64(at)))
	}
	tag := b[data:]
	if i == 0 {
		udp := b[data:]
		tag = udp[udpLen:]
		binary.BigEndian.PutUint16(udp, o.port)
		copy(udp[2:4], t.head[t.l4+2:])
		binary.BigEndian.PutUint16(udp[4:], uint16(c.payload))
		each := putTag(tag, o.stamp, o.sequence) + halves(flow)
		sum := t.sum + halves(src) + uint64(o.port) + 2*uint64(c.payload) + uint64(c.n)*each
		binary.BigEndian.PutUint16(udp[6:], udpChecksum(sum))
	} else {
		putTag(tag, o.stamp, o.sequence)
	}
	binary.BigEndian.PutUint32(tag[tagFlow:], flow)
	f.Recut(0, size)
}
