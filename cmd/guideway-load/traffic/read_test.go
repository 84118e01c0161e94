package traffic

import (
	"bytes"
	"net/netip"
	"testing"

	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

func floodSpec(kind FloodKind) FloodSpec {
	return FloodSpec{
		Kind: kind, Sources4: netip.MustParsePrefix("198.18.0.0/15"), Sources6: netip.MustParsePrefix("2001:db8:f::/48"),
		LowPort: 1024, TopPort: 65535, Size: 64,
	}
}

// A flood's packets are sound, of no flow, and hardly ever from the same client.
func TestFlood(t *testing.T) {
	for kind, name := range map[FloodKind]string{FloodSYN: "SYN", FloodNew: "new", FloodFirsts: "firsts", FloodLaters: "laters"} {
		t.Run(name, func(t *testing.T) {
			s := spec()
			p, port := plan(t, s), memory()
			flood, err := p.Flood(floodSpec(kind))
			if err != nil {
				t.Fatal(err)
			}
			clients, families := map[string]bool{}, map[bool]int{}
			const packets = 100 * pmd.MaxBurst
			for range packets / pmd.MaxBurst {
				_, frames := burst(t, port, flood, pmd.MaxBurst, 7)
				for _, frame := range frames {
					var seen Seen
					if p.Read(frame, &seen); seen.Kind != Flooded || Age(seen.Stamp, 8) != 1 {
						t.Fatalf("read as %+v: %x", seen, frame)
					}
					ipv6 := frame[12] == 0x86
					families[ipv6]++
					at := packet.EthernetLen + packet.IPv4Src
					if ipv6 {
						at = packet.EthernetLen + packet.IPv6Src + 12
					}
					clients[string(frame[at:at+4])] = true
					if kind == FloodSYN || kind == FloodNew {
						decode(t, frame)
					}
					var h packet.Headers
					result := packet.Parse(frame, 0, &h)
					if want := map[FloodKind]packet.Result{FloodSYN: packet.Whole, FloodNew: packet.Whole}[kind]; want != packet.Unparsed && result != want {
						t.Fatalf("%v: %x", result, frame)
					} else if want == packet.Unparsed && (result != packet.Fragment || h.FirstFragment != (kind == FloodFirsts)) {
						t.Fatalf("%v, first %v: %x", result, h.FirstFragment, frame)
					}
				}
			}
			if families[false] < packets/3 || families[true] < packets/3 {
				t.Errorf("by family: %v", families)
			}
			if len(clients) < packets*8/10 {
				t.Errorf("%d clients in %d packets", len(clients), packets)
			}
		})
	}
}

func TestFloodFaults(t *testing.T) {
	p := plan(t, spec())
	s := floodSpec(FloodSYN)
	s.Sources4 = netip.MustParsePrefix("10.9.0.0/16")
	if _, err := p.Flood(s); err == nil {
		t.Error("the flows' clients flood")
	}
	s.Sources4, s.Sources6 = netip.Prefix{}, netip.Prefix{}
	if _, err := p.Flood(s); err == nil {
		t.Error("a flood from nobody")
	}
	only := spec()
	only.Services = []Service{web4}
	if _, err := plan(t, only).Flood(floodSpec(FloodLaters)); err == nil {
		t.Error("fragments of UDP to a TCP service")
	}
}

// reversed swaps addresses and ports, as testpmd's 5tswap does.
func reversed(frame []byte) []byte {
	r := bytes.Clone(frame)
	at, n := packet.EthernetLen+packet.IPv4Src, 4
	l4 := packet.EthernetLen + packet.IPv4Len
	if frame[12] == 0x86 {
		at, n, l4 = packet.EthernetLen+packet.IPv6Src, 16, packet.EthernetLen+packet.IPv6Len
	}
	copy(r[at:], frame[at+n:][:n])
	copy(r[at+n:], frame[at:][:n])
	copy(r[l4:], frame[l4+2:][:2])
	copy(r[l4+2:], frame[l4:][:2])
	return r
}

func TestReversed(t *testing.T) {
	p, port := plan(t, spec()), memory()
	_, frames := burst(t, port, p.Stream(), pmd.MaxBurst, 0)
	for _, frame := range frames {
		var seen, back Seen
		p.Read(frame, &seen)
		p.Read(reversed(frame), &back)
		if seen.Reversed = true; seen.Kind != Whole || back != seen {
			t.Fatalf("reversed read as %+v, want %+v", back, seen)
		}
	}
}

// What is not the plan's is foreign: each of these is a packet of it with one
// thing wrong.
func TestForeign(t *testing.T) {
	p, port := plan(t, spec()), memory()
	_, frames := burst(t, port, p.Stream(), pmd.MaxBurst, 0)
	inside := tunnelled(frames[0], netip.MustParseAddr("192.0.2.1"))
	for name, broken := range map[string]func(b []byte) []byte{
		"too short":       func(b []byte) []byte { return b[:len(b)-1] },
		"another type":    func(b []byte) []byte { b[13] = 6; return b },
		"another version": func(b []byte) []byte { b[14] = 0x65; return b },
		"IP options":      func(b []byte) []byte { b[14] = 0x46; return b },
		"a GRE key":       func(b []byte) []byte { b[34] = 0x20; return b },
		"a marked GRE":    func(b []byte) []byte { b[34] |= packet.GREMarked >> 8; return b },
		"an ARP in GRE":   func(b []byte) []byte { b[37] = 6; return b },
		"ICMP":            func(b []byte) []byte { b[38+9] = 1; return b },
		"another service": func(b []byte) []byte { b[38+22]++; return b },
	} {
		var seen Seen
		if p.Read(broken(bytes.Clone(inside)), &seen); seen.Kind != Foreign {
			t.Errorf("%s: read as %+v", name, seen)
		}
	}
	var seen Seen
	if p.Read(inside, &seen); seen.Kind != Whole {
		t.Errorf("unbroken: read as %+v", seen)
	}
}

// Whatever comes, what is read of it is within the plan, padding is no part of
// it, and in a tunnel it is the same.
func FuzzRead(f *testing.F) {
	s := spec()
	s.Cut, s.Sizes = 576, []int{64, 700}
	p, port := plan(f, s), memory()
	flood, err := p.Flood(floodSpec(FloodLaters))
	if err != nil {
		f.Fatal(err)
	}
	for _, stream := range []Stream{p.Stream(), flood} {
		_, frames := burst(f, port, stream, 16, 0)
		for i, frame := range frames {
			f.Add(frame)
			f.Add(tunnelled(frame, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:b::1")}[i%2]))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var seen, again Seen
		p.Read(frame, &seen)
		if seen.Kind >= Kinds || int(seen.Flow) >= p.Flows() || seen.Stamp > stampMask {
			t.Fatalf("read as %+v", seen)
		}
		if seen.Kind == Foreign {
			return
		}
		if p.Read(append(bytes.Clone(frame), 1, 2, 3), &again); again != seen {
			t.Fatalf("padded read as %+v, want %+v", again, seen)
		}
		if seen.Tunnel.GRE || len(frame) > 4000 {
			return
		}
		p.Read(tunnelled(frame, netip.MustParseAddr("192.0.2.1")), &again)
		if again.Tunnel = (Tunnel{}); again != seen {
			t.Fatalf("in a tunnel read as %+v, want %+v", again, seen)
		}
	})
}

// Making and reading packets allocates nothing.
func TestNoAllocs(t *testing.T) {
	s := spec()
	s.Cut, s.Sizes, s.Life = 576, []int{64, 700}, 10
	p := plan(t, s)
	stream, flood := p.Stream(), must(p.Flood(floodSpec(FloodNew)))
	q := memport.NewLoop(memport.LoopConfig{Packets: [][]byte{make([]byte, 64)}}).Queue(0)
	b, seen := new(pmd.Burst), new(Seen)
	for name, stream := range map[string]Stream{"flows": stream, "flood": flood} {
		if n := testing.AllocsPerRun(100, func() {
			packets, frames := stream.Plan(pmd.MaxBurst, pmd.MaxBurst)
			q.Alloc(b, frames)
			stream.Put(b.Frames[:frames], packets, 0)
			for _, f := range b.Frames[:frames] {
				p.Read(f.Bytes(), seen)
			}
			stream.Undo(frames / 2)
			q.Tx(b)
		}); n != 0 {
			t.Errorf("%s: %v allocations a burst", name, n)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkPut and BenchmarkRead are what the generator adds to its port, for
// each packet.
func BenchmarkPut(b *testing.B) {
	each(b, func(b *testing.B, p *Plan, q pmd.Queue) {
		stream, burst := p.Stream(), new(pmd.Burst)
		for n := 0; n < b.N; n += pmd.MaxBurst {
			q.Alloc(burst, pmd.MaxBurst)
			stream.Put(burst.Frames[:], pmd.MaxBurst, int64(n))
			q.Tx(burst)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	each(b, func(b *testing.B, p *Plan, q pmd.Queue) {
		burst, seen := new(pmd.Burst), new(Seen)
		q.Alloc(burst, pmd.MaxBurst)
		p.Stream().Put(burst.Frames[:], pmd.MaxBurst, 0)
		for n := range b.N {
			p.Read(burst.Frames[n%pmd.MaxBurst].Bytes(), seen)
		}
		if seen.Kind != Whole {
			b.Fatalf("%+v", seen)
		}
	})
}

func each(b *testing.B, f func(*testing.B, *Plan, pmd.Queue)) {
	for name, service := range map[string]Service{"IPv4/TCP": web4, "IPv6/TCP": web6, "IPv4/UDP": dns4, "IPv6/UDP": dns6} {
		b.Run(name, func(b *testing.B) {
			s := spec()
			s.Services, s.Flows = []Service{service}, 1<<16
			f(b, plan(b, s), memport.NewLoop(memport.LoopConfig{Packets: [][]byte{make([]byte, 64)}}).Queue(0))
		})
	}
}
