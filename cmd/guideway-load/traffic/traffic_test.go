package traffic

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"

	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

func service(text string, proto uint8) Service {
	a := netip.MustParseAddrPort(text)
	return Service{a.Addr(), a.Port(), proto}
}

var (
	web4 = service("203.0.113.10:80", packet.ProtoTCP)
	web6 = service("[2001:db8:cafe::10]:443", packet.ProtoTCP)
	dns4 = service("203.0.113.10:7001", packet.ProtoUDP)
	dns6 = service("[2001:db8:cafe::10]:7001", packet.ProtoUDP)
)

func spec() Spec {
	return Spec{
		DstMAC: [6]byte{2, 0, 0, 0, 0, 1}, SrcMAC: [6]byte{2, 0, 0, 0, 0, 2},
		Services: []Service{web4, web6, dns4, dns6},
		Sources4: netip.MustParsePrefix("10.0.0.0/8"), Sources6: netip.MustParsePrefix("2001:db8:a::/64"),
		LowPort: 1024, TopPort: 65535, Flows: 1000, Sizes: []int{64},
	}
}

func plan(t rapid.TB, s Spec) *Plan {
	t.Helper()
	p, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// specs draws plans of all kinds.
func specs(t *rapid.T) Spec {
	s := spec()
	s.Services = rapid.SliceOfNDistinct(rapid.SampledFrom(s.Services), 1, 4, func(s Service) Service { return s }).Draw(t, "services")
	s.VLAN = rapid.SampledFrom([]uint16{0, 0, 7}).Draw(t, "VLAN")
	s.Sources4 = netip.PrefixFrom(netip.MustParseAddr("10.1.2.3"), rapid.IntRange(4, 32).Draw(t, "bits4"))
	s.Sources6 = netip.PrefixFrom(netip.MustParseAddr("2001:db8:a::77"), rapid.IntRange(40, 128).Draw(t, "bits6"))
	s.Flows = rapid.IntRange(1, 300).Draw(t, "flows")
	s.LowPort = uint16(rapid.IntRange(1, 65000).Draw(t, "low"))
	s.TopPort = s.LowPort + uint16(rapid.IntRange(299, 535).Draw(t, "ports"))
	s.Life = rapid.SampledFrom([]int{0, 2, 3, 10}).Draw(t, "life")
	s.Sizes = rapid.SliceOfN(rapid.IntRange(1, 4000), 1, 5).Draw(t, "sizes")
	s.Cut = rapid.SampledFrom([]int{0, MinCut, 576, 1500}).Draw(t, "cut")
	if s.Cut == MinCut { // and at most pmd.MaxBurst pieces
		for i := range s.Sizes {
			s.Sizes[i] = min(s.Sizes[i], 1500)
		}
	}
	return s
}

// memory is a port for frames as long as specs has them.
func memory() *memport.Port {
	return memport.New(memport.Config{Frames: pmd.MaxBurst, BufferSize: 4300})
}

// burst has a stream make up to n packets and returns how many it was and their
// frames.
func burst(t rapid.TB, port *memport.Port, s Stream, n int, now int64) (packets int, frames [][]byte) {
	t.Helper()
	packets, room := s.Plan(n, pmd.MaxBurst)
	b, q := new(pmd.Burst), port.Queue(0)
	if packets == 0 || q.Alloc(b, room) != room {
		t.Fatalf("%d packets in %d frames", packets, room)
	}
	s.Put(b.Frames[:room], packets, now)
	q.Tx(b)
	return packets, port.Sent(0)
}

// tunnelled returns a frame's packet in GRE to end.
func tunnelled(frame []byte, end netip.Addr) []byte {
	at := packet.EthernetLen
	etherType := binary.BigEndian.Uint16(frame[12:])
	if etherType == packet.EtherTypeVLAN {
		at += packet.VLANLen
		etherType = binary.BigEndian.Uint16(frame[16:])
	}
	inner := frame[at:]
	out := make([]byte, packet.EthernetLen+packet.IPv6Len+packet.GRELen, 4200)
	n := 0
	if end.Is4() {
		n = packet.PutEthernet(out, [6]byte{}, [6]byte{}, 0, packet.EtherTypeIPv4)
		_, dst := words(end)
		packet.PutIPv4(out[n:], 64, packet.ProtoGRE, 0xc00002fe, uint32(dst))
		packet.SetIPv4(out[n:], 0, uint16(packet.IPv4Len+packet.GRELen+len(inner)), packet.IPv4Rest(out[n:]))
		n += packet.IPv4Len
	} else {
		n = packet.PutEthernet(out, [6]byte{}, [6]byte{}, 0, packet.EtherTypeIPv6)
		packet.PutIPv6(out[n:], 64, packet.ProtoGRE, [16]byte{0x20, 1}, end.As16())
		packet.SetIPv6(out[n:], 0, uint16(packet.GRELen+len(inner)))
		n += packet.IPv6Len
	}
	packet.PutGRE(out[n:], etherType)
	return append(out[:n+packet.GRELen], inner...)
}

// decode checks a frame with gopacket: a transport layer, and no checksum that is
// wrong.
func decode(t rapid.TB, frame []byte) gopacket.Packet {
	t.Helper()
	g := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	switch l := g.TransportLayer().(type) {
	case *layers.TCP:
		l.SetNetworkLayerForChecksum(g.NetworkLayer())
	case *layers.UDP:
		l.SetNetworkLayerForChecksum(g.NetworkLayer())
	default:
		t.Fatalf("no transport layer: %v", g)
	}
	for _, l := range g.Layers() {
		if l, ok := l.(gopacket.LayerWithChecksum); ok {
			if err, sum := l.VerifyChecksum(); err != nil || !sum.Valid {
				t.Fatalf("checksum: %v %+v\n%v", err, sum, g)
			}
		}
		if l == gopacket.Layer(g.TransportLayer()) {
			break // beyond are its guesses at what the ports stand for
		}
	}
	return g
}

// Every frame that a stream makes reads back as what it is, bare and in each
// kind of tunnel; its flow's packets come in order and as many as rounds; and
// gopacket finds nothing wrong with it, or with what pieces make together.
func TestMadeIsRead(t *testing.T) {
	ends := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:b::1")}
	rapid.Check(t, func(t *rapid.T) {
		s := specs(t)
		p, port := plan(t, s), memory()
		rounds, now := rapid.IntRange(1, 7).Draw(t, "rounds"), int64(0)
		stream := p.Stream()
		next := make([]uint32, s.Flows)
		var pieces assembly
		for left := rounds * s.Flows; left > 0; {
			n, frames := burst(t, port, stream, min(left, rapid.IntRange(1, 64).Draw(t, "burst")), now)
			left -= n
			for _, frame := range frames {
				var seen Seen
				p.Read(frame, &seen)
				if seen.Kind == Foreign || seen.Kind == Flooded || seen.Reversed || seen.Tunnel.GRE || Age(seen.Stamp, now+7) != 7 {
					t.Fatalf("read as %+v at %d: %x", seen, now, frame)
				}
				for i, end := range ends {
					inside, want := Seen{}, seen
					p.Read(tunnelled(frame, end), &inside)
					hi, lo := words(end)
					want.Tunnel = Tunnel{hi, lo, i == 1, true}
					if inside != want {
						t.Fatalf("in a tunnel read as %+v, want %+v", inside, want)
					}
				}
				if seen.Kind != Later {
					if seen.Sequence != next[seen.Flow] {
						t.Fatalf("flow %d: packet %d, want %d", seen.Flow, seen.Sequence, next[seen.Flow])
					}
					next[seen.Flow]++
				}
				if seen.Kind != Whole {
					if frame = pieces.add(t, frame, s.Cut); frame == nil {
						continue
					}
				}
				g := decode(t, frame)
				if tcp, ok := g.TransportLayer().(*layers.TCP); ok && s.Life > 0 {
					at := int(seen.Sequence) % s.Life
					if tcp.SYN != (at == 0) || tcp.FIN != (at == s.Life-1) || tcp.ACK != (at != 0) {
						t.Fatalf("packet %d of a connection of %d has flags %x", at, s.Life, frame)
					}
				}
			}
			now += 1 << 40
		}
		for flow, n := range next {
			if int(n) != rounds || stream.Sent(uint32(flow)) != uint64(rounds) {
				t.Fatalf("flow %d has %d packets after %d rounds; sent %d", flow, n, rounds, stream.Sent(uint32(flow)))
			}
		}
		if pieces.data != nil {
			t.Fatalf("a datagram is not whole")
		}
	})
}

// An assembly is a datagram whose pieces come in order.
type assembly struct {
	data []byte // as one frame
	id   uint32
}

// add adds a piece and returns the datagram once it is whole.
func (a *assembly) add(t *rapid.T, frame []byte, limit int) []byte {
	at := packet.EthernetLen
	if binary.BigEndian.Uint16(frame[12:]) == packet.EtherTypeVLAN {
		at += packet.VLANLen
	}
	if len(frame)-at > limit {
		t.Fatalf("a piece of %d bytes", len(frame)-at)
	}
	ip := frame[at:]
	var id uint32
	var offset, header int
	var more bool
	if ip[0]>>4 == 4 {
		bits := binary.BigEndian.Uint16(ip[6:])
		id, offset, more, header = uint32(binary.BigEndian.Uint16(ip[4:])), int(bits&0x1fff)*8, bits&0x2000 != 0, 20
	} else {
		bits := binary.BigEndian.Uint16(ip[42:])
		id, offset, more, header = binary.BigEndian.Uint32(ip[44:]), int(bits&^7), bits&1 != 0, 48
	}
	start := at + packet.IPv4Len
	if ip[0]>>4 == 6 {
		start = at + packet.IPv6Len
	}
	if a.data == nil {
		a.data, a.id = append([]byte{}, frame[:start]...), id
	}
	if len(a.data)-start != offset || id != a.id {
		t.Fatalf("a piece at %d of datagram %d behind %d bytes of %d", offset, id, len(a.data)-start, a.id)
	}
	if a.data = append(a.data, ip[header:]...); more {
		return nil
	}
	whole := a.data
	a.data = nil
	if ip = whole[at:]; ip[0]>>4 == 4 {
		binary.BigEndian.PutUint16(ip[6:], 0)
		packet.SetIPv4(ip, 0, uint16(len(ip)), packet.IPv4Rest(ip))
	} else {
		ip[6] = packet.ProtoUDP
		packet.SetIPv6(ip, 0, uint16(len(ip)-40))
	}
	return whole
}

// What a port did not take comes again: as many packets as are wholly among the
// frames that it left.
func TestUndo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := specs(t)
		p, port := plan(t, s), memory()
		stream := p.Stream()
		for range rapid.IntRange(1, 40).Draw(t, "bursts") {
			at := *stream
			n, frames := burst(t, port, stream, rapid.IntRange(1, 64).Draw(t, "burst"), 5)
			states, pieces := []Flows{at}, []int{}
			for range n {
				f, _, size := at.next()
				pieces = append(pieces, p.cut(f, size).n)
				at.advance()
				states = append(states, at)
			}
			refused := rapid.IntRange(0, len(frames)).Draw(t, "refused")
			want, left := 0, refused
			for want < n && pieces[n-1-want] <= left {
				left -= pieces[n-1-want]
				want++
			}
			if got := stream.Undo(refused); got != want || *stream != states[n-want] {
				t.Fatalf("of %d packets %d came back for %d frames, want %d; %+v, want %+v", n, got, refused, want, *stream, states[n-want])
			}
		}
	})
}

// Connections have clients of their own: none is another's, and with every end of
// a life a flow takes the next of its own.
func TestConnections(t *testing.T) {
	s := spec()
	s.Flows, s.Life, s.TopPort = 10, 2, 1027
	s.Sources4, s.Sources6 = netip.MustParsePrefix("10.0.0.8/30"), netip.MustParsePrefix("2001:db8:a::/126")
	p, port := plan(t, s), memory()
	const connections = 4 * 4 * 4        // services, hosts, ports
	const generations = connections / 12 // ten flows are two or three of each service
	if p.generations != generations {
		t.Fatalf("%d connections for each flow, want %d", p.generations, generations)
	}
	of := map[string]uint32{}
	stream := p.Stream()
	for range generations * 10 {
		_, frames := burst(t, port, stream, 2, 0)
		for _, frame := range frames {
			var seen Seen
			p.Read(frame, &seen)
			g := decode(t, frame)
			who := fmt.Sprint(g.NetworkLayer().NetworkFlow(), g.TransportLayer().TransportFlow(), g.TransportLayer().LayerType())
			if flow, known := of[who]; known && flow != seen.Flow {
				t.Fatalf("%s is of flows %d and %d", who, flow, seen.Flow)
			}
			of[who] = seen.Flow
		}
	}
	if len(of) != generations*10 {
		t.Errorf("%d connections, want %d", len(of), generations*10)
	}
}

// Numbers lead to clients and back; those that no flow ever has lead nowhere.
func TestNumbers(t *testing.T) {
	s := spec()
	s.Flows = 5 // of four services: of each eight numbers three are no flow's
	p := plan(t, s)
	for c := range 3 * p.stride {
		who := p.client(c)
		family := p.templates[who.service].clients
		flow, ok := p.flow(who.service, family.hi, family.lo|uint64(who.host), who.port)
		if want := c % p.stride; ok != (want < p.flows) || ok && uint64(flow) != want {
			t.Errorf("connection %d is of flow %d, %v", c, flow, ok)
		}
	}
}

// A plan that cannot be says why, all of it.
func TestFaults(t *testing.T) {
	s := Spec{LowPort: 9, TopPort: 8, Flows: MaxFlows + 1, Life: 1, Cut: 40, Sizes: []int{0}}
	_, err := New(s)
	for _, want := range []string{"0 services", "client ports 9 to 8", "100000001 flows", "of 1 packets", "fragments of 40", "frames of 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	s = spec()
	s.Services = append(s.Services, web4)
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), "203.0.113.10:80/tcp is there twice") {
		t.Errorf("a service twice: %v", err)
	}
	s = spec()
	s.Sizes, s.Cut = []int{2000}, MinCut
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), "frames of 2000 bytes make 82 fragments of 72 bytes, at most 64") {
		t.Errorf("too many fragments: %v", err)
	}
	s = spec()
	s.Sources6 = netip.Prefix{}
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), "[2001:db8:cafe::10]:443/tcp: no clients") {
		t.Errorf("no clients: %v", err)
	}
	s = spec()
	s.Sources4, s.TopPort = netip.MustParsePrefix("10.0.0.0/30"), 1024
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), "addresses and ports make 16") {
		t.Errorf("too few clients: %v", err)
	}
}
