package packet

// An IPv4 option says in its first byte whether every fragment has it (RFC 791,
// 3.1).
const (
	ipv4OptionCopied = 0x80
	ipv4OptionsMax   = 40
)

// FragmentMin is the least size that every module forwards a packet of without
// fragmenting it: the longest header and eight bytes (RFC 791, 3.2).
const FragmentMin = 68

// Pieces says how [FragmentIPv4] cuts a packet: the first N-1 pieces as long as
// the size allows with data in multiples of eight bytes, the last with what
// is left.
type Pieces struct {
	N int // how many: 1 where the packet fits as it is

	total    uint16 // length of the packet
	fragment uint16 // its flags and its own offset
	header   uint16 // length of its header
	later    uint16 // length of the header of all pieces but the first
	first    uint16 // data in the first piece
	step     uint16 // data in each other but the last
}

// FragmentIPv4 plans how ip, which begins with an IPv4 packet, is cut into
// pieces of at most size bytes (RFC 791, 3.2). The packet may be a fragment
// itself. It reports false where the packet is not to be cut:
//
//   - it has Don't Fragment, or size is below [FragmentMin];
//   - it is cut off, or its header checksum is wrong, which pieces with right
//     ones would hide;
//   - its options cannot be read;
//   - it is no fragment that a correct host or router makes: it has More
//     Fragments and data that is no multiple of eight bytes, or ends beyond what a packet can.
//
// To make the pieces, [Pieces.Put] the second and all later ones, into other
// buffers, and [Pieces.First] turns the packet itself into the first.
func FragmentIPv4(ip []byte, size int) (p Pieces, ok bool) {
	if len(ip) < IPv4Len || ip[0]>>4 != 4 {
		return Pieces{}, false
	}
	header, total, fragment := int(ip[0]&0x0f)*4, int(be16(ip[ipv4Length:])), be16(ip[ipv4Fragment:])
	if header < IPv4Len || total < header || total > len(ip) {
		return Pieces{}, false
	}
	p = Pieces{N: 1, total: uint16(total), fragment: fragment, header: uint16(header), first: uint16(total - header)}
	if total <= size {
		return p, true
	}
	offset, data := int(fragment&ipv4Offset)*8, total-header
	if size < FragmentMin || fragment&ipv4DontFragment != 0 || Fold(Sum(ip[:header])) != 0xffff ||
		fragment&ipv4MoreFragments != 0 && data%8 != 0 || offset+total > 1<<16-1 {
		return Pieces{}, false
	}
	_, copied, ok := copiedOptions(ip[IPv4Len:header])
	if !ok {
		return Pieces{}, false
	}
	later := IPv4Len + copied
	first, step, room := (size-header)&^7, (size-later)&^7, size-later
	// The last piece may take up to seven bytes more than those before it.
	p.N += max(1, (data-first-(room-step)+step-1)/step)
	p.later, p.first, p.step = uint16(later), uint16(first), uint16(step)
	return p, true
}

// Len returns the length of piece i, 0 <= i < N, in bytes.
func (p *Pieces) Len(i int) int {
	_, n := p.data(i)
	if i == 0 {
		return int(p.header) + n
	}
	return int(p.later) + n
}

// data returns where in the packet's data piece i begins and how long it is.
func (p *Pieces) data(i int) (at, n int) {
	if i == 0 {
		return 0, int(p.first)
	}
	at = int(p.first) + (i-1)*int(p.step)
	if n = int(p.step); i == p.N-1 {
		n = int(p.total) - int(p.header) - at
	}
	return at, n
}

// Put writes piece i, 0 < i < N, to the start of b. ip is the packet that p is
// of; First may have been called. Put reports false, and writes nothing, where
// b is shorter than Len(i).
//
// Options that are not for every fragment are left out, and the others moved
// together (RFC 791, 3.2).
func (p *Pieces) Put(b, ip []byte, i int) bool {
	if i <= 0 || i >= p.N || len(b) < p.Len(i) {
		return false
	}
	at, n := p.data(i)
	header, later := int(p.header), int(p.later)
	copy(b[later:later+n], ip[header+at:])
	copy(b, ip[:IPv4Len])
	if later > IPv4Len {
		options, copied, _ := copiedOptions(ip[IPv4Len:header])
		copy(b[IPv4Len:], options[:copied])
	}
	b[0] = 0x40 | byte(later/4)
	p.seal(b[:later], i)
	return true
}

// First turns ip, the packet that p is of, into the first piece, in place, and
// returns its length, Len(0). What is behind it in ip stays as it is.
func (p *Pieces) First(ip []byte) int {
	if p.N > 1 {
		p.seal(ip[:p.header], 0)
	}
	return p.Len(0)
}

// seal writes into the header of piece i what depends on the piece. The offset
// counts from the packet's own, and only the last piece can be the end of what
// the packet was a piece of.
func (p *Pieces) seal(header []byte, i int) {
	at, n := p.data(i)
	fragment := p.fragment + uint16(at/8)
	if i < p.N-1 {
		fragment |= ipv4MoreFragments
	}
	put16(header[ipv4Length:], uint16(len(header)+n))
	put16(header[ipv4Fragment:], fragment)
	put16(header[ipv4Checksum:], 0)
	put16(header[ipv4Checksum:], ^Fold(Sum(header)))
}

// copiedOptions picks those of a header's options that every fragment has, and
// returns how long they are with the padding to whole words. It reports false
// for options that cannot be told apart.
func copiedOptions(options []byte) (copied [ipv4OptionsMax]byte, n int, ok bool) {
	for len(options) > 0 {
		length := optionLen(options)
		if length == 0 {
			return copied, 0, false
		}
		if options[0]&ipv4OptionCopied != 0 {
			n += copy(copied[n:], options[:length])
		}
		options = options[length:]
	}
	return copied, (n + 3) &^ 3, true
}
