package lcore

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
)

// A chance makes bursts: of frames of which most are ordinary, and some are not in
// one thing or another.
type chance struct{ *rand.Rand }

func (c chance) one(in int) bool { return c.IntN(in) == 0 }

// frame makes one of a few flows to one of a few services, in a buffer of its own.
func (c chance) frame() (*pmd.Frame, []byte) {
	buf := make([]byte, 512)
	for i := range buf {
		buf[i] = byte(c.Uint32())
	}
	room := []int{128, 128, 128, 128, 64, 50, 49, 48, 0}[c.IntN(9)]
	p := buf[room:]
	proto := []uint8{packet.ProtoTCP, packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP}[c.IntN(4)]
	payload, tos := 8+c.IntN(60), uint8(c.Uint32())
	l4 := 34
	if c.one(2) {
		packet.PutEthernet(p, [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv6)
		dst := vip6.As16()
		dst[15] += byte(c.IntN(3))
		packet.PutIPv6(p[14:], 64, proto, [16]byte{0x20, 1, 15: byte(c.IntN(3))}, dst)
		packet.SetIPv6(p[14:], tos, uint16(payload))
		l4 = 54
	} else {
		packet.PutEthernet(p, [6]byte{2}, [6]byte{4}, 0, packet.EtherTypeIPv4)
		packet.PutIPv4(p[14:], 64, proto, 0xc6336401+uint32(c.IntN(3)), 0xcb00710a+uint32(c.IntN(3)))
		packet.SetIPv4(p[14:], tos, uint16(20+payload), packet.IPv4Rest(p[14:]))
	}
	binary.BigEndian.PutUint16(p[l4:], uint16(c.IntN(4)))
	binary.BigEndian.PutUint16(p[l4+2:], uint16(80+c.IntN(2)))
	p[l4+13] = []byte{packet.TCPAck, packet.TCPAck, packet.TCPSyn, packet.TCPFin, packet.TCPRst}[c.IntN(5)]
	n := max(l4+payload, 60) // padded
	if c.one(3) {
		n = l4 + payload
	}
	if c.one(5) { // a length at one of the limits, or near it
		limit, at := []int{n - 14, 20 + 8, 20 + 20}[c.IntN(3)], 16
		if l4 == 54 {
			limit, at = []int{n - 54, 8, 20}[c.IntN(3)], 18
		}
		binary.BigEndian.PutUint16(p[at:], uint16(limit-1+c.IntN(3)))
	}
	if c.one(10) {
		binary.BigEndian.PutUint16(p[20:], 1<<c.IntN(16)) // a bit of flags or offset
	}
	if c.one(10) {
		n = []int{53, 54, 73, 74}[c.IntN(4)]
	}
	if c.one(10) {
		p[c.IntN(70)] ^= 1 << c.IntN(8)
	}
	if c.one(20) {
		n -= c.IntN(n)
	}
	f := new(pmd.Frame)
	f.Init(buf, room, n)
	if c.one(40) {
		f.SetFlags(pmd.FlagIPChecksumBad)
	}
	if c.one(40) {
		f.SetSegments(2)
	}
	return f, buf
}

// TestReadBurst: the assembly finds what readEach finds.
func TestReadBurst(t *testing.T) {
	table, _ := chanceTable(t, 100)
	for seed := range uint64(20000) {
		c := chance{rand.New(rand.NewPCG(seed, 1))}
		var known destinations
		frames := make([]*pmd.Frame, c.IntN(6))
		for i := range frames {
			frames[i], _ = c.frame()
		}
		for i := range 24 {
			dst := []netip.Addr{vip, vip6}[i%2]
			for range i / 2 % 3 {
				dst = dst.Next()
			}
			k := flow.NewKey([]uint8{packet.ProtoTCP, packet.ProtoUDP}[i/6%2], netip.AddrPortFrom(dst, 1), netip.AddrPortFrom(dst, uint16(80+i/12)))
			if !c.one(4) {
				*known.slot(&k) = destination{hi: k.DstHi, lo: k.DstLo, rest: restOf(&k), service: uint16(c.Uint32()), l3: packet.EthernetLen}
			}
		}
		at, port := c.IntN(16), uint8(c.Uint32())
		var items [2][8]item
		var places [2][8]conntrack.Place
		n, bytes := readEach(frames, at, items[0][:], places[0][:], table, &known, port)
		if got, bytesToo := readBurst(frames, at, items[1][:], places[1][:], table, &known, port); got != n || bytesToo != bytes {
			t.Fatalf("seed %d: %d of %d frames, %d bytes, want %d, %d\n%x", seed, got, len(frames), bytesToo, n, bytes, frames[min(n, got)].Bytes())
		}
		for i := range n {
			a, b := items[0][i], items[1][i]
			a.tunnel, b.tunnel = 0, 0
			if a != b || places[0][i] != places[1][i] {
				t.Fatalf("seed %d, frame %d:\n%+v %x, want\n%+v %x", seed, i, b, places[1][i], a, places[0][i])
			}
		}
		if got, bytes := readBurst(frames, at, items[1][:], places[1][:], table, &destinations{}, port); got != 0 || bytes != 0 {
			t.Fatalf("seed %d: %d frames with no destination known", seed, got)
		}
	}
}

// chanceTable returns a small table and its memory.
func chanceTable(t testing.TB, flows int) (*conntrack.Table, []byte) {
	t.Helper()
	c := conntrack.Config{Flows: flows, Seed: flow.Seed{A: 1, B: 2, C: 3}, Timeouts: conntrack.Timeouts{
		TCPNew: time.Second, TCPEstablished: time.Minute, TCPClosing: time.Second, UDP: 20 * time.Second, Other: time.Second}}
	size := conntrack.Bytes(c.Flows)
	memory := make([]byte, size+63)
	for i := range 64 {
		c.Memory = memory[i:][:size]
		if table, err := conntrack.New(c); err == nil { // it is aligned
			return table, c.Memory
		}
	}
	t.Fatal("no memory is aligned")
	return nil, nil
}

// TestTrackBurst: the assembly does to the table, the counters and the items what
// trackEach does.
func TestTrackBurst(t *testing.T) {
	packetsInAll, late := uint64(0), 0
	for seed := range uint64(400) {
		c := chance{rand.New(rand.NewPCG(seed, 2))}
		endpoints := make([]fib.Endpoint, 1)
		for i := range uint32(8) {
			endpoints = append(endpoints, fib.Endpoint{Value: fib.MakeValue(i+1, uint32(c.IntN(2))), Service: uint16(c.IntN(3)), State: fib.State(c.IntN(8)),
				Path: fib.Path{Tunnel: c.Uint32N(100), Ways: uint16(c.IntN(4))}})
			if e := &endpoints[i+1]; e.State > fib.Serving {
				e.State = fib.Serving
			}
		}
		endpoints = endpoints[:8] // one more is not to be looked at
		var memory [2][]byte
		var tables [2]*conntrack.Table
		var services [2][]serviceCounter
		var packets [2][]uint64
		for i := range 2 {
			tables[i], memory[i] = chanceTable(t, []int{10, 30, 100}[seed%3])
			services[i], packets[i] = make([]serviceCounter, 3), make([]uint64, len(endpoints))
		}
		keys := make([]flow.Key, 40)
		for i := range keys {
			keys[i] = flow.Key{SrcLo: uint64(c.IntN(3)), DstLo: 5, Ports: c.Uint32N(3) << 16, Proto: []uint8{6, 17, 132, 47}[c.IntN(4)], IPv6: c.one(2)}
			if keys[i].Proto == packet.ProtoGRE {
				keys[i].Ports = 0 // it has none
			}
		}
		now := conntrack.Tick(c.Uint32())
		for range 200 {
			now += conntrack.Tick(c.IntN(3000))
			var items [2][burst]item
			var places [2][burst]conntrack.Place
			n := c.IntN(burst)
			for i := range n {
				it := item{key: keys[c.IntN(len(keys))], tunnel: noTunnel, service: uint16(c.IntN(3)), Common: flow.Common{Len: uint16(c.Uint32())}, port: uint8(c.Uint32())}
				it.hash = tables[0].Hash(&it.key)
				if c.one(30) {
					it.event = conntrack.Syn
				}
				if c.one(30) {
					it.marks = first
				}
				for j := range 2 {
					items[j][i], places[j][i] = it, tables[j].Place(&it.key, it.hash)
				}
			}
			insert := func(it *item) {
				value, ev := uint32(fib.MakeValue(c.Uint32N(10), uint32(c.IntN(2)))), conntrack.Event(c.IntN(3))
				for _, table := range tables {
					if _, ok := table.Find(&it.key, it.hash, now); !ok {
						table.Insert(&it.key, it.hash, value, now, ev)
					}
				}
			}
			for at := 0; at < n; at++ {
				done := 0
				for again, first := uint64(0), true; first || again != 0; first = false {
					n0, left, later := trackEach(items[0][at:n], places[0][at:n], again, tables[0], now, endpoints, services[0], packets[0])
					n1, gotLeft, gotLater := trackBurst(items[1][at:n], places[1][at:n], again, tables[1], now, endpoints, services[1], packets[1])
					if n1 != n0 || gotLeft != left || gotLater != later {
						t.Fatalf("seed %d: %d of %d items, left %b, %b for later; want %d, %b, %b: %+v", seed, n1, n-at, gotLeft, gotLater, n0, left, later, items[0][at:n])
					}
					if !first && later|left&^again != 0 {
						t.Fatalf("seed %d: asked for %b again, %b left, %b for later", seed, again, left, later)
					}
					for i := at; i < at+n0; i++ {
						if apart := places[1][i].Line - places[0][i].Line; first && apart != places[1][at].Line-places[0][at].Line {
							t.Fatalf("seed %d: item %d is not looked for where it should be", seed, i)
						}
					}
					for ; left != 0; left &= left - 1 {
						insert(&items[0][at+bits.TrailingZeros64(left)])
					}
					if first {
						done = n0
					}
					late += bits.OnesCount64(later)
					again = later
				}
				if at += done; at < n {
					insert(&items[0][at])
				}
			}
			if items[0] != items[1] || !slices.Equal(services[0], services[1]) || !slices.Equal(packets[0], packets[1]) {
				t.Fatalf("seed %d: items %+v\nwant %+v\ncounters %v %v, want %v %v", seed, items[1][:n], items[0][:n], services[1], packets[1], services[0], packets[0])
			}
		}
		if !bytes.Equal(memory[0], memory[1]) {
			t.Fatalf("seed %d: the tables differ", seed)
		}
		for _, s := range services[0] {
			packetsInAll += s.packets
		}
	}
	if packetsInAll < 10000 || late < 1000 {
		t.Fatalf("%d packets got a tunnel, %d were looked at twice", packetsInAll, late)
	}
}

// TestEncloseBurst: the assembly makes the frames that encloseEach makes.
func TestEncloseBurst(t *testing.T) {
	backends := []string{"10.0.0.1", "10.0.0.2", "2001:db8:b::1", "2001:db8:b::2"}
	wrapped := 0
	for seed := range uint64(5000) {
		c := chance{rand.New(rand.NewPCG(seed, 3))}
		var spec fib.Spec
		for _, b := range backends {
			s := fib.TunnelSpec{Src: netip.MustParseAddr("192.0.2.11"), Dst: netip.MustParseAddr(b), Port: uint16(c.IntN(2)), MTU: 150, SrcMAC: [6]byte{2, 3}, NextHopMAC: [6]byte{2, 5}}
			if s.Dst.Is6() {
				s.Src = wishSource6
			}
			if c.one(2) {
				s.VLAN = 1 + uint16(c.IntN(4094))
			}
			s.InnerIPv6, s.Marked = c.one(2), c.one(2)
			spec.Tunnels = append(spec.Tunnels, s)
		}
		snapshot, err := fib.Build(spec)
		if err != nil {
			t.Fatal(err)
		}
		tunnels := snapshot.Tunnels()
		var frames [2][pmd.MaxBurst]*pmd.Frame
		var bufs [2][burst][]byte
		items := make([]item, c.IntN(burst))
		for i := range items {
			f, buf := c.frame()
			frames[0][i], bufs[0][i] = f, buf
			bufs[1][i] = bytes.Clone(buf)
			frames[1][i] = new(pmd.Frame)
			frames[1][i].Init(bufs[1][i], f.Headroom(), f.Len())
			it := &items[i]
			it.at, it.l3, it.tunnel, it.hash = uint8(i), 14, c.Uint32N(4), c.Uint64()
			it.Len, it.TOS = uint16(max(f.Len()-14, 0)), uint8(c.Uint32())
			if c.one(20) {
				it.tunnel = noTunnel
			}
			if c.one(20) {
				it.Len = uint16(c.Uint32()) // of a frame that was not checked
			}
			if c.one(20) {
				it.hash &^= packet.FlowLabelMask
			}
		}
		var out [2]pmd.Burst
		var in [burst]bool // a tunnel
		from := c.IntN(pmd.MaxBurst + 1)
		for at := 0; at < len(items); at++ {
			port := uint16(c.IntN(2))
			n := encloseEach(items[at:], &frames[0], tunnels, port, &out[0], from)
			if got := encloseBurst(items[at:], &frames[1], tunnels, port, &out[1], from); got != n {
				t.Fatalf("seed %d: %d of %d items, want %d: %+v", seed, got, len(items)-at, n, items[at+min(n, got)])
			}
			for i := range n {
				a, b := out[0].Frames[from+i], out[1].Frames[from+i]
				if a != frames[0][items[at+i].at] || b != frames[1][items[at+i].at] {
					t.Fatalf("seed %d: not the item's frame at %d", seed, from+i)
				}
				in[at+i] = true
			}
			wrapped += n
			at += n
		}
		for i := range items {
			a, b := frames[0][i], frames[1][i]
			if in[i] { // the block's part in front of the header says nothing
				header := a.Len() - int(items[i].Len)
				for _, buf := range bufs {
					clear(buf[i][a.Headroom()-(fib.TunnelBlock-header) : a.Headroom()])
				}
			}
			if a.Headroom() != b.Headroom() || a.Len() != b.Len() || a.Total() != b.Total() || !bytes.Equal(bufs[0][i], bufs[1][i]) {
				t.Fatalf("seed %d, frame %d:\n%d %d %d %x, want\n%d %d %d %x", seed, i, b.Headroom(), b.Len(), b.Total(), bufs[1][i], a.Headroom(), a.Len(), a.Total(), bufs[0][i])
			}
		}
	}
	if wrapped < 5000 {
		t.Fatalf("%d frames got a tunnel", wrapped)
	}
}
