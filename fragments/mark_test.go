package fragments

import (
	"bytes"
	"net/netip"
	"testing"

	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

var passageNames = [Passages]string{"Plain", "Redirected", "Stranger", "BadMark"}

// The nodes of these tests: 198.51.100.7 and 2001:db8::7 are where the frames
// of frames_test.go come from.
func twoFamilies(tb testing.TB) *Owners {
	return mustOwners(tb, []Node{
		{Addr: netip.MustParseAddr("203.0.113.10")},
		{Addr: netip.MustParseAddr("198.51.100.7")},
		{Addr: netip.MustParseAddr("2001:db8::7"), Down: true},
	}, 0)
}

func gre(flags, etherType int) []byte { return cat(word(flags), word(etherType)) }

func TestRedirected(t *testing.T) {
	inner4, inner6 := ip4(17, 7, more|3, nil, zeros(16)), ip6(44, frag(17, 3, 1, 9), zeros(8))
	stranger := eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800), inner4))
	stranger[14+15]++
	itself := eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800), inner4))
	copy(itself[14+12:], dst4)
	for _, c := range []struct {
		name  string
		frame []byte
		want  Passage
		inner int
	}{
		{"IPv4 in IPv4", eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800), inner4)), Redirected, 14 + 24},
		{"IPv6 in IPv4 with options", eth(0x0800, ip4(47, 0, 0, zeros(4), gre(0x0100, 0x86dd), inner6)), Redirected, 14 + 28},
		{"IPv4 in IPv6, from a node that is down", eth(0x86dd, ip6(47, gre(0x0100, 0x0800), inner4)), Redirected, 14 + 44},
		{"IPv6 in IPv6", eth(0x86dd, ip6(60, ext(47, 0), gre(0x0100, 0x86dd), inner6)), Redirected, 14 + 52},
		{"not GRE", eth(0x0800, ip4(17, 0, 0, nil, gre(0x0100, 0x0800), inner4)), Plain, 0},
		{"GRE ends in its header", eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800)[:3])), Plain, 0},
		{"no mark", eth(0x0800, ip4(47, 0, 0, nil, gre(0, 0x0800), inner4)), Plain, 0},
		{"a key, no mark", eth(0x0800, ip4(47, 0, 0, nil, gre(0x2000, 0x0800), inner4)), Plain, 0},
		{"another source", stranger, Stranger, 0},
		{"from ourselves", itself, Stranger, 0},
		{"recursion control 2", eth(0x0800, ip4(47, 0, 0, nil, gre(0x0200, 0x0800), inner4)), BadMark, 0},
		{"a checksum", eth(0x0800, ip4(47, 0, 0, nil, gre(0x8100, 0x0800), inner4)), BadMark, 0},
		{"version 1", eth(0x0800, ip4(47, 0, 0, nil, gre(0x0101, 0x0800), inner4)), BadMark, 0},
		{"ARP inside", eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0806), inner4)), BadMark, 0},
		{"nothing inside but padding", eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800)), zeros(22)), BadMark, 0},
	} {
		var h packet.Headers
		if r := packet.Parse(c.frame, 0, &h); r != packet.Whole {
			t.Fatalf("%s: packet.Parse says %d", c.name, r)
		}
		if inner, got := twoFamilies(t).Redirected(c.frame, &h); got != c.want || inner != c.inner {
			t.Errorf("%s: %s at %d, want %s at %d", c.name, passageNames[got], inner, passageNames[c.want], c.inner)
		}
	}
}

// What one node wraps and marks, another unwraps as it was.
func TestMarkAndUnwrap(t *testing.T) {
	for _, c := range []struct {
		etherType int
		inner     []byte
	}{
		{0x0800, ip4(17, 7, more|3, nil, zeros(16))},
		{0x0800, ip4(17, 7, more|3, nil, zeros(8))},
		{0x86dd, ip6(44, frag(17, 3, 1, 9), zeros(1408))},
	} {
		for _, vlan := range []uint16{0, 7} {
			header := make([]byte, packet.GRELen)
			packet.PutGRE(header, uint16(c.etherType))
			packet.MarkGRE(header)
			outer := cat(ip4(47, 0, 0, nil, header, c.inner), zeros(9)) // and padding
			frame := eth(0x0800, outer)
			want := eth(c.etherType, c.inner)
			if vlan != 0 {
				frame = eth(0x8100, word(int(vlan)), word(0x0800), outer)
				want = eth(0x8100, word(int(vlan)), word(c.etherType), c.inner)
			}
			f, free := frameOf(frame)
			var h packet.Headers
			packet.Parse(f.Bytes(), vlan, &h)
			inner, got := twoFamilies(t).Redirected(f.Bytes(), &h)
			if got != Redirected {
				t.Fatalf("%s", passageNames[got])
			}
			Unwrap(f, &h, inner, vlan)
			if !bytes.Equal(f.Bytes(), want) {
				t.Errorf("VLAN %d: unwrapped\n%x, want\n%x", vlan, f.Bytes(), want)
			}
			if r := packet.Parse(f.Bytes(), vlan, &h); r != packet.Fragment {
				t.Errorf("packet.Parse says %d", r)
			}
			free()
		}
	}
}

// frameOf returns a received frame.
func frameOf(packet []byte) (f *pmd.Frame, free func()) {
	port := memport.New(memport.Config{Frames: 1, BufferSize: 1<<16 - 1})
	b := new(pmd.Burst)
	port.Inject(0, packet)
	port.Queue(0).Rx(b, 1)
	return b.Frames[0], func() { port.Queue(0).Free(b) }
}

func FuzzRedirected(f *testing.F) {
	inner4, inner6 := ip4(17, 7, more|3, nil, zeros(16)), ip6(44, frag(17, 3, 1, 9), zeros(8))
	f.Add(eth(0x0800, ip4(47, 0, 0, zeros(4), gre(0x0100, 0x86dd), inner6)), uint16(0))
	f.Add(eth(0x86dd, ip6(47, gre(0x0100, 0x0800), inner4)), uint16(0))
	f.Add(eth(0x8100, word(7), word(0x86dd), ip6(60, ext(47, 0), gre(0x0100, 0x86dd), inner6)), uint16(7))
	f.Add(eth(0x0800, ip4(47, 0, 0, nil, gre(0x0100, 0x0800)), zeros(22)), uint16(0))
	owners := twoFamilies(f)
	f.Fuzz(func(t *testing.T, frame []byte, vlan uint16) {
		vlan &= 0xfff
		var h packet.Headers
		if len(frame) > 1<<15 || packet.Parse(frame, vlan, &h) != packet.Whole {
			return
		}
		inner, passage := owners.Redirected(frame, &h)
		if passage >= Passages {
			t.Fatalf("passage %d", passage)
		}
		if passage != Redirected {
			if inner != 0 {
				t.Fatalf("%s with a packet at %d", passageNames[passage], inner)
			}
			return
		}
		if inner <= int(h.L4) || inner >= int(h.End) {
			t.Fatalf("inner packet at %d, between %d and %d", inner, h.L4, h.End)
		}
		want := bytes.Clone(frame[inner:h.End])
		fr, free := frameOf(frame)
		defer free()
		Unwrap(fr, &h, inner, vlan)
		b := fr.Bytes()
		if !bytes.HasSuffix(b, want) || !bytes.Equal(b[:12], frame[:12]) {
			t.Fatalf("unwrapped to %x", b)
		}
		if r := packet.Parse(b, vlan, &h); r < packet.BadVersion && r != packet.Whole && r != packet.Fragment {
			t.Fatalf("packet.Parse says %d of %x", r, b)
		}
	})
}
