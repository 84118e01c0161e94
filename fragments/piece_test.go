package fragments

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"guideway/maglev/flow"
	"guideway/maglev/packet"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var kindNames = [Kinds]string{"Unread", "First", "Later", "BadExtent", "TooShort", "Overlay", "BadChain"}

const more = 0x2000

func TestRead(t *testing.T) {
	const ports = 40000<<16 | 443
	for _, c := range []struct {
		name  string
		frame []byte
		want  Kind
		piece Piece
	}{
		{"IPv4 first", eth(0x0800, ip4(17, 7, more, nil, udp(8))), First,
			Piece{Key: key4(17, 7), Length: 16, More: true, Ports: ports, Proto: 17}},
		{"IPv4 first with options", eth(0x0800, ip4(6, 7, more, zeros(12), tcp(0x10), zeros(4))), First,
			Piece{Key: key4(6, 7), Length: 24, More: true, Ports: ports, Proto: 6}},
		{"IPv4 first, padded frame", eth(0x0800, ip4(17, 7, more, nil, udp(0)), zeros(18)), First,
			Piece{Key: key4(17, 7), Length: 8, More: true, Ports: ports, Proto: 17}},
		{"IPv4 first without ports", eth(0x0800, ip4(1, 7, more, nil, zeros(8))), First,
			Piece{Key: key4(1, 7), Length: 8, More: true, Proto: 1}},
		{"IPv4 later", eth(0x0800, ip4(17, 7, more|3, nil, zeros(16))), Later,
			Piece{Key: key4(17, 7), Offset: 24, Length: 16, More: true}},
		{"IPv4 last", eth(0x0800, ip4(17, 0xffff, 185, nil, zeros(1))), Later,
			Piece{Key: key4(17, 0xffff), Offset: 1480, Length: 1}},
		{"IPv4 Don't Fragment and the reserved bit mean nothing", eth(0x0800, ip4(17, 7, 0xc000|3, nil, zeros(16))), Later,
			Piece{Key: key4(17, 7), Offset: 24, Length: 16}},
		{"IPv4 last byte there is", eth(0x0800, ip4(17, 7, 8189, nil, zeros(3))), Later,
			Piece{Key: key4(17, 7), Offset: 65512, Length: 3}},
		{"IPv4 beyond 65535", eth(0x0800, ip4(17, 7, 8189, nil, zeros(4))), BadExtent, Piece{}},
		{"IPv4 empty", eth(0x0800, ip4(17, 7, 3, nil)), BadExtent, Piece{}},
		{"IPv4 empty first", eth(0x0800, ip4(17, 7, more, nil)), BadExtent, Piece{}},
		{"IPv4 not of eights", eth(0x0800, ip4(17, 7, more|3, nil, zeros(9))), BadExtent, Piece{}},
		{"IPv4 TCP first too short", eth(0x0800, ip4(6, 7, more, nil, tcp(0x02)[:16])), TooShort, Piece{}},
		{"IPv4 SCTP first too short", eth(0x0800, ip4(132, 7, more, nil, sctp()[:8])), TooShort, Piece{}},
		{"IPv4 SCTP first", eth(0x0800, ip4(132, 7, more, nil, sctp(), zeros(4))), First,
			Piece{Key: key4(132, 7), Length: 16, More: true, Ports: ports, Proto: 132}},
		{"IPv4 over the TCP header", eth(0x0800, ip4(6, 7, more|1, nil, zeros(8))), Overlay, Piece{}},
		{"IPv4 over the end of the TCP header", eth(0x0800, ip4(6, 7, more|2, nil, zeros(8))), Overlay, Piece{}},
		{"IPv4 behind the TCP header", eth(0x0800, ip4(6, 7, more|3, nil, zeros(8))), Later,
			Piece{Key: key4(6, 7), Offset: 24, Length: 8, More: true}},
		{"IPv4 over the SCTP header", eth(0x0800, ip4(132, 7, 1, nil, zeros(8))), Overlay, Piece{}},
		{"IPv4 behind the UDP header", eth(0x0800, ip4(17, 7, 1, nil, zeros(8))), Later,
			Piece{Key: key4(17, 7), Offset: 8, Length: 8}},

		{"IPv6 first", eth(0x86dd, ip6(44, frag(17, 0, 1, 9), udp(8))), First,
			Piece{Key: key6(9), Length: 16, More: true, Ports: ports, Proto: 17}},
		{"IPv6 first behind and before extensions", eth(0x86dd, ip6(0, ext(43, 1), ext(44, 0), frag(60, 0, 1, 9), ext(51, 1), auth(6, 1), tcp(0x12))), First,
			Piece{Key: key6(9), Length: 48, More: true, Ports: ports, Proto: 6}},
		{"IPv6 later", eth(0x86dd, ip6(44, frag(6, 1, 1, 0xdeadbeef), zeros(8))), Later,
			Piece{Key: key6(0xdeadbeef), Offset: 8, Length: 8, More: true}},
		{"IPv6 later with another next header", eth(0x86dd, ip6(44, frag(59, 3, 0, 9), zeros(5))), Later,
			Piece{Key: key6(9), Offset: 24, Length: 5}},
		{"IPv6 first ends in an extension header", eth(0x86dd, ip6(44, frag(60, 0, 1, 9), ext(17, 3)[:16])), TooShort, Piece{}},
		{"IPv6 first ends eight bytes short of an extension header's end", eth(0x86dd, ip6(44, frag(60, 0, 1, 9), ext(17, 1)[:8])), TooShort, Piece{}},
		{"IPv6 first ends before an extension header", eth(0x86dd, ip6(44, frag(60, 0, 1, 9), ext(60, 0))), TooShort, Piece{}},
		{"IPv6 first ends before the transport header", eth(0x86dd, ip6(44, frag(60, 0, 1, 9), ext(17, 1))), TooShort, Piece{}},
		{"IPv6 first ends in the transport header", eth(0x86dd, ip6(44, frag(60, 0, 1, 9), ext(6, 0), tcp(0)[:16])), TooShort, Piece{}},
		{"IPv6 first with a fragment header again", eth(0x86dd, ip6(44, frag(44, 0, 1, 9), frag(17, 0, 0, 9), udp(8))), BadChain, Piece{}},
		{"IPv6 first with nine extension headers", eth(0x86dd, ip6(44, frag(60, 0, 1, 9), bytes.Repeat(ext(60, 0), 8), ext(17, 0), udp(0))), BadChain, Piece{}},
		{"IPv6 first with eight extension headers", eth(0x86dd, ip6(44, frag(60, 0, 1, 9), bytes.Repeat(ext(60, 0), 7), ext(17, 0), udp(0))), First,
			Piece{Key: key6(9), Length: 72, More: true, Ports: ports, Proto: 17}},
		{"IPv6 first without transport", eth(0x86dd, ip6(44, frag(59, 0, 1, 9), zeros(8))), First,
			Piece{Key: key6(9), Length: 8, More: true, Proto: 59}},
		{"IPv6 empty", eth(0x86dd, ip6(44, frag(17, 3, 0, 9))), BadExtent, Piece{}},
		{"IPv6 not of eights", eth(0x86dd, ip6(44, frag(17, 3, 1, 9), zeros(7))), BadExtent, Piece{}},
		{"IPv6 last byte there is", eth(0x86dd, ip6(44, frag(17, 8191, 0, 9), zeros(7))), Later,
			Piece{Key: key6(9), Offset: 65528, Length: 7}},
		{"IPv6 beyond 65535", eth(0x86dd, ip6(44, frag(17, 8191, 0, 9), zeros(8))), BadExtent, Piece{}},
		{"IPv6 beyond 65535 by an extension header", eth(0x86dd, ip6(60, ext(44, 0), frag(17, 8190, 0, 9), zeros(8))), BadExtent, Piece{}},
	} {
		var h packet.Headers
		if r := packet.Parse(c.frame, 0, &h); r != packet.Fragment {
			t.Fatalf("%s: packet.Parse says %d", c.name, r)
		}
		p := Piece{Ports: 1, Proto: 1, Offset: 1, More: true}
		got := Read(c.frame, &h, &p)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, kindNames[got], kindNames[c.want])
		} else if got == First || got == Later {
			if diff := cmp.Diff(c.piece, p); diff != "" {
				t.Errorf("%s:\n%s", c.name, diff)
			}
		}
	}
}

// A whole packet and its fragments, wherever it is cut, are of one flow, one
// datagram, and one owner, and the fragments cover it.
func TestReadAgreesWithWholePackets(t *testing.T) {
	owners := mustOwners(t, fleet(7), 3)
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		proto := rapid.SampledFrom([]int{6, 17, 132, 1}).Draw(t, "protocol")
		transport := cat(map[int][]byte{6: tcp(0x18), 17: udp(0), 132: sctp(), 1: zeros(8)}[proto],
			zeros(rapid.IntRange(40, 9000).Draw(t, "payload")))
		id := rapid.Uint32Range(0, 1<<16-1).Draw(t, "id")
		var ip []byte
		at, naming, etherType := 0, 6, 0x86dd
		switch rapid.IntRange(0, 3).Draw(t, "shape") {
		case 0:
			ip, at, etherType = ip4(proto, 0, 0, nil, transport), 20, 0x0800
		case 1:
			ip, at, etherType = ip4(proto, 0, 0, zeros(8), transport), 28, 0x0800
		case 2:
			ip, at = ip6(proto, transport), 40
		case 3:
			ip, at, naming = ip6(0, ext(60, 1), ext(proto, 0), transport), 56, 40
		}
		var whole packet.Headers
		frame := eth(etherType, ip)
		if got := packet.Parse(frame, 0, &whole); got != packet.Whole {
			t.Fatalf("packet.Parse says %d", got)
		}
		var key, first flow.Key
		key.Read(frame, &whole)
		owner, _ := owners.Owner(&key)

		var pieces []Piece
		covered := 0
		for i, frame := range split(r, ip, at, naming, id, 32, 1<<16) {
			var h packet.Headers
			var p Piece
			if got := packet.Parse(frame, 0, &h); got != packet.Fragment {
				t.Fatalf("packet.Parse says %d", got)
			}
			var asFound flow.Key
			asFound.Read(frame, &h)
			kind := Read(frame, &h, &p)
			if want := map[bool]Kind{true: First, false: Later}[i == 0]; kind != want {
				t.Fatalf("fragment %d: %s", i, kindNames[kind])
			}
			if i == 0 {
				first.Read(frame, &h)
				if h.TCPFlags != whole.TCPFlags || h.Ports != whole.Ports || h.Proto != whole.Proto {
					t.Fatalf("headers %+v, of the whole %+v", h, whole)
				}
			}
			for _, k := range []*flow.Key{&p.Key, &asFound} {
				if got, _ := owners.Owner(k); got != owner {
					t.Fatalf("fragment %d belongs to node %d, the flow to %d", i, got, owner)
				}
			}
			if int(p.Offset) != covered {
				t.Fatalf("fragment %d begins at %d, want %d", i, p.Offset, covered)
			}
			covered += int(p.Length)
			pieces = append(pieces, p)
		}
		if first != key {
			t.Fatalf("flow of the first fragment %v, of the whole %v", first, key)
		}
		for i, p := range pieces {
			if p.Key != pieces[0].Key || p.More != (i < len(pieces)-1) || p.Key.Ports != id {
				t.Fatalf("fragment %d is %+v, the first %+v", i, p, pieces[0])
			}
		}
		if want := len(ip) - at; covered != want {
			t.Fatalf("fragments cover %d bytes of %d", covered, want)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(eth(0x0800, ip4(6, 7, more, zeros(12), tcp(0x10), zeros(4))))
	f.Add(eth(0x0800, ip4(17, 7, 185, nil, zeros(9))))
	f.Add(eth(0x86dd, ip6(0, ext(43, 1), ext(44, 0), frag(60, 0, 1, 9), ext(51, 1), auth(6, 1), tcp(0x12))))
	f.Add(eth(0x86dd, ip6(44, frag(44, 0, 1, 9), frag(17, 0, 0, 9), udp(8))))
	f.Add(eth(0x86dd, ip6(44, frag(17, 8191, 0, 9), zeros(8))))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var h packet.Headers
		if packet.Parse(frame, 0, &h) != packet.Fragment {
			return
		}
		before := h
		var p Piece
		kind := Read(frame, &h, &p)
		if kind == Unread || kind >= Kinds {
			t.Fatalf("kind %d", kind)
		}
		if kind != First && kind != Later {
			return
		}
		if (kind == First) != before.FirstFragment || (kind == First) != (p.Offset == 0) {
			t.Fatalf("%s at offset %d, packet.Parse says %v", kindNames[kind], p.Offset, before.FirstFragment)
		}
		if p.Length == 0 || p.Offset%8 != 0 || p.More && p.Length%8 != 0 || int(p.Offset)+int(p.Length) > 65535 || h.IPv6 && p.Key.Proto != 0 {
			t.Fatalf("%+v", p)
		}
		if kind == Later {
			if p.Ports != 0 || p.Proto != 0 || h != before {
				t.Fatalf("a later fragment with %+v, headers %+v", p, h)
			}
			return
		}
		if h.L4 < before.L4 || int(h.L4)+transportLen(h.Proto) > int(h.End) || h.End != before.End || h.Proto != p.Proto {
			t.Fatalf("headers %+v", h)
		}
		// What follows the fragment header is a packet of its own once the
		// header is gone: packet.Parse has to agree with us about it.
		var whole packet.Headers
		alone := eth(0x0800, ip4(int(h.Proto), 0, 0, nil, frame[h.L4:h.End]))
		if h.IPv6 {
			alone = eth(0x86dd, ip6(int(h.Proto), frame[h.L4:h.End]))
		}
		if got := packet.Parse(alone, 0, &whole); got != packet.Whole || whole.Ports != h.Ports || whole.TCPFlags != h.TCPFlags {
			t.Fatalf("packet.Parse says %d, %+v; Read %+v", got, whole, h)
		}
	})
}
