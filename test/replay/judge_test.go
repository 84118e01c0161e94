package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// A judge compares what came out of a capture's run with what was expected of
// each frame.
type judge struct {
	t *testing.T
	*expectation
	in       [][]byte // the capture
	fromHost [][]byte // what the kernel sent
	out      []*sent
	up       [][]byte // what the kernel got

	backends map[string]netip.Addr // by frame number: where it was tunnelled to
	ways     map[string]string     // by flow: the outer source and label
}

// frames judges every frame, then what is left. Of those whose end is chance as
// many must have come out as ended so.
func (j *judge) frames(ended map[string]int) {
	j.t.Helper()
	j.backends, j.ways = map[string]netip.Addr{}, map[string]string{}
	least, _ := j.ends()
	cameOut := map[string]int{}
	for i, l := range j.expectation.frames {
		for _, c := range l.sent {
			err := j.clause(l, c, j.in[i])
			if l.chance() {
				n := cameOut[l.verdicts[0][0]]
				if err == nil {
					n++
				}
				cameOut[l.verdicts[0][0]] = n
			} else if err != nil {
				j.t.Errorf("frame %s, %s: %v\nin  %x", l.number, l.what, err, clip(j.in[i]))
			}
		}
	}
	for v, n := range cameOut {
		if want := ended[v] - least[v]; n != want {
			j.t.Errorf("%s by chance: %d, and %d came out", v, want, n)
		}
	}
	for i, l := range j.kernel {
		if err := j.fromKernel(j.fromHost[i]); err != nil {
			j.t.Errorf("frame %s, %s: %v", l.number, l.what, err)
		}
	}
	for _, s := range j.out {
		if !s.used && !j.chatter(s) {
			j.t.Errorf("by %s left what nobody foresaw: %x", s.port, clip(s.frame))
		}
	}
	j.spreads()
}

func clip(b []byte) []byte { return b[:min(len(b), 100)] }

// chatter tells whether a frame is what a kernel says by itself.
func (j *judge) chatter(s *sent) bool {
	return slices.Contains(j.some, "from_kernel") && !s.tunnel
}

func (j *judge) clause(l *line, c clause, in []byte) error {
	switch c.kind {
	case "to", "as", "node":
		return j.tunnelled(l, c, in)
	case "error":
		return j.error(c, in)
	case "echo":
		return j.echo(in)
	case "up":
		return j.raised(in)
	}
	return fmt.Errorf("what is %q?", c.kind)
}

// tunnelled looks for the packet, or its pieces, in tunnels.
func (j *judge) tunnelled(l *line, c clause, in []byte) error {
	want := packetOf(in)
	if c.inside {
		want = insideOf(want)
	}
	if want == nil {
		return fmt.Errorf("no packet is in it")
	}
	var found []*sent
	for _, s := range j.out {
		if s.used || !s.tunnel || s.marked != (c.kind == "node") || c.kind == "node" && s.dst.String() != c.to {
			continue
		}
		if c.pieces > 0 && !pieceOf(s.inner, want) || c.pieces == 0 && !bytes.Equal(clamped(s.inner, want, c.mss), want) {
			continue
		}
		if found = append(found, s); len(found) == max(c.pieces, 1) {
			break
		}
	}
	if len(found) != max(c.pieces, 1) {
		return fmt.Errorf("it came out in %d pieces", len(found))
	}
	if c.pieces > 0 {
		if err := joined(found, want); err != nil {
			return err
		}
	}
	for _, s := range found {
		s.used = true
		if err := j.tunnel(l, c, s); err != nil {
			return fmt.Errorf("%w\nout %x", err, clip(s.frame))
		}
	}
	return nil
}

// tunnel judges the tunnel of one packet.
func (j *judge) tunnel(l *line, c clause, s *sent) error {
	if port := or(c.by, "wan"); s.port != port {
		return fmt.Errorf("left by %s", s.port)
	}
	if c.tos >= 0 && int(tosOf(s.ip)) != c.tos {
		return fmt.Errorf("outer TOS %#x", tosOf(s.ip))
	}
	if c.mss > 0 && !whole(s.inner) {
		return fmt.Errorf("the TCP checksum is wrong")
	}
	if c.kind == "node" {
		if s.src != defaultSources[0] {
			return fmt.Errorf("from %s to another node", s.src)
		}
		return nil
	}
	as := c.as
	if c.kind == "as" {
		as = c.to
	} else if !slices.Contains(j.addresses(c.to), s.dst) {
		return fmt.Errorf("to %s", s.dst)
	}
	if other, known := j.backends[as]; as != "" && (!known || other != s.dst) {
		return fmt.Errorf("to %s, but frame %s to %s", s.dst, as, other)
	}
	if len(j.sources) > 0 && !slices.Contains(j.sources, s.src) {
		return fmt.Errorf("from %s, which is not of the pool", s.src)
	}
	if was, known := j.backends[l.number]; known && was != s.dst {
		return fmt.Errorf("pieces to %s and %s", s.dst, was)
	}
	j.backends[l.number] = s.dst
	if flow := flowOf(s.inner); flow != "" {
		way := fmt.Sprint(s.src, s.label)
		if was, known := j.ways[flow]; known && was != way {
			return fmt.Errorf("source and flow label are %s, those of earlier packets of the flow %s", way, was)
		}
		j.ways[flow] = way
	}
	return nil
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// addresses are those that a word stands for.
func (j *judge) addresses(name string) []netip.Addr {
	if set, known := j.sets[name]; known {
		return set
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a}
	}
	j.t.Fatalf("%s.expect: %q is neither a set nor an address", j.name, name)
	return nil
}

// spreads checks that all of some backends, and all sources, are used.
func (j *judge) spreads() {
	used := map[netip.Addr]bool{}
	for _, s := range j.out {
		if s.tunnel {
			used[s.dst], used[s.src] = true, true
		}
	}
	want := slices.Clone(j.sources)
	for _, name := range j.spread {
		want = append(want, j.addresses(name)...)
	}
	for _, a := range want {
		if !used[a] {
			j.t.Errorf("%s is not used", a)
		}
	}
}

// insideOf is the packet in a GRE packet over IPv4.
func insideOf(packet []byte) []byte {
	if len(packet) < 25 || packet[0] != 0x45 || packet[9] != 47 {
		return nil
	}
	return packetOf(append(append(make([]byte, 12), packet[22:24]...), packet[24:]...))
}

// flowOf names the flow of an IPv4 or IPv6 packet of TCP or UDP that is neither
// a fragment nor has options; "" of any other.
func flowOf(b []byte) string {
	if b[0] == 0x45 && (b[9] == 6 || b[9] == 17) && binary.BigEndian.Uint16(b[6:])&0x3fff == 0 {
		return fmt.Sprintf("%x %x", b[9], b[12:24])
	}
	if b[0]>>4 == 6 && (b[6] == 6 || b[6] == 17) {
		return fmt.Sprintf("%x %x", b[6], b[8:44])
	}
	return ""
}

// clamped is a SYN as it would have come in, given that its MSS was lowered to
// mss: with its MSS and its checksum as in want. With mss 0, and where the MSS
// is another, it is b.
func clamped(b, want []byte, mss int) []byte {
	at := bytes.Index(b, append([]byte{2, 4}, word(mss)...))
	if mss == 0 || at < 0 || len(b) != len(want) {
		return b
	}
	tcp := 20
	if b[0]>>4 == 6 {
		tcp = 40
	}
	b = bytes.Clone(b)
	copy(b[at+2:at+4], want[at+2:])
	copy(b[tcp+16:tcp+18], want[tcp+16:])
	return b
}

// pieceOf tells whether b is a fragment of the IPv4 packet want, which may be
// one itself.
func pieceOf(b, want []byte) bool {
	if b[0]>>4 != 4 || len(b) >= len(want) || b[9] != want[9] || !bytes.Equal(b[4:6], want[4:6]) || !bytes.Equal(b[12:20], want[12:20]) {
		return false
	}
	at := offset(b) - offset(want)
	return at >= 0 && at < len(want)
}

func offset(b []byte) int { return int(binary.BigEndian.Uint16(b[6:])&0x1fff) * 8 }

// joined checks that pieces make up an IPv4 packet: all of its data, once each,
// More Fragments on all but the last, or on it, too, if the packet was a
// fragment that had it.
func joined(pieces []*sent, want []byte) error {
	slices.SortFunc(pieces, func(a, b *sent) int { return offset(a.inner) - offset(b.inner) })
	at, data := offset(want), want[int(want[0]&15)*4:]
	for i, s := range pieces {
		header := int(s.inner[0]&15) * 4
		if sum(s.inner[:header]) != 0xffff {
			return fmt.Errorf("piece %d has a wrong header checksum", i)
		}
		got, more := s.inner[header:], s.inner[6]&0x20 != 0
		if offset(s.inner) != at || !bytes.HasPrefix(data, got) || more != (i < len(pieces)-1 || want[6]&0x20 != 0) {
			return fmt.Errorf("piece %d: %d bytes at %d, more: %v", i, len(got), offset(s.inner), more)
		}
		at, data = at+len(got), data[len(got):]
	}
	if len(data) != 0 {
		return fmt.Errorf("the last %d bytes are missing", len(data))
	}
	return nil
}

// checkCounts compares how frames ended with what was expected.
func (j *judge) checkCounts(ended map[string]int) {
	j.t.Helper()
	least, beyond := j.ends()
	var wrong []string
	for v, n := range ended {
		if n < least[v] || n > least[v]+beyond[v] {
			wrong = append(wrong, fmt.Sprintf("%s: %d, want %d", v, n, least[v]))
		}
		delete(least, v)
	}
	for v, n := range least {
		wrong = append(wrong, fmt.Sprintf("%s: none, want %d", v, n))
	}
	if slices.Sort(wrong); wrong != nil {
		j.t.Errorf("frames ended by\n  %s", strings.Join(wrong, "\n  "))
	}
}
