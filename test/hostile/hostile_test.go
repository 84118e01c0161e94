package hostile

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

var targets = Targets{
	MAC: [6]byte{2, 0, 0, 0, 0, 0x11}, Router: [6]byte{2, 0, 0, 0, 0, 0x99}, MTU: 1500,
	Services: []Service{{netip.MustParseAddr("203.0.113.10"), tcp, 80}, {netip.MustParseAddr("203.0.113.53"), udp, 0}, {netip.MustParseAddr("2001:db8:cafe::10"), 0, 0}},
	Self:     addrs("192.0.2.11", "2001:db8::11"), Nodes: addrs("192.0.2.12", "2001:db8::12"), Backends: addrs("10.0.0.1", "2001:db8:b::1"),
}

// The same seed gives the same frames, another one others, and none is longer
// than it may be or needs memory.
func TestSource(t *testing.T) {
	const frames = 50_000
	a, b, c := New(1, targets), New(1, targets), New(2, targets)
	x, y, z := make([]byte, 0, 2*MaxFrame), make([]byte, 0, 2*MaxFrame), make([]byte, 0, 2*MaxFrame)
	alike := 0
	for i := range frames {
		fa, fb, fc := a.Next(x), b.Next(y), c.Next(z)
		if !bytes.Equal(fa, fb) {
			t.Fatalf("frame %d: %x, and by the same seed %x", i, fa, fb)
		}
		if len(fa) > MaxFrame {
			t.Fatalf("frame %d has %d bytes", i, len(fa))
		}
		if bytes.Equal(fa, fc) {
			alike++
		}
	}
	if alike > frames/100 {
		t.Errorf("%d frames are alike by two seeds", alike)
	}
	if n := testing.AllocsPerRun(10_000, func() { a.Next(x) }); n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
}

// What is not mutated and means to be sound is, as another implementation reads
// it: an honest crowd is in there.
func TestHonestFramesAreSound(t *testing.T) {
	s := New(3, targets)
	s.b = make([]byte, 0, 2*MaxFrame)
	for name, r := range map[string]func(*Source){
		"segment": (*Source).segment, "message": (*Source).message, "nextPiece": (*Source).nextPiece, "truthfulError": (*Source).truthfulError,
		"oversized": (*Source).oversized, "echo": (*Source).echo, "redirected": (*Source).redirected,
	} {
		for range 2000 {
			r(s)
			src, dst, proto, rest, err := header(s.b[14:])
			if err != nil {
				t.Fatalf("%s: %v: %x", name, err, s.b)
			}
			if dst.Is4() && checksum(s.b[14:len(s.b)-len(rest)]) != 0xffff {
				t.Fatalf("%s: a wrong checksum: %x", name, s.b)
			}
			p := gopacket.NewPacket(s.b, layers.LayerTypeEthernet, gopacket.NoCopy)
			if p.NetworkLayer() == nil || !bytes.Equal(p.NetworkLayer().NetworkFlow().Src().Raw(), src.AsSlice()) {
				t.Fatalf("%s: from %v to %v by %d, but gopacket reads %v", name, src, dst, proto, p)
			}
			if name == "truthfulError" && proto == icmp4 && checksum(rest) != 0xffff {
				t.Fatalf("%s: a wrong ICMP checksum: %x", name, rest)
			}
		}
	}
}

// Every shape comes in a mere ten thousand frames.
func TestShapes(t *testing.T) {
	seen := map[string]int{}
	s, b := New(4, targets), make([]byte, 0, MaxFrame)
	for range 10_000 {
		f := s.Next(b)
		if len(f) < 34 {
			seen["cut"]++
			continue
		}
		if f[0]&1 != 0 {
			seen["group"]++
		}
		ip := f[14:]
		switch binary.BigEndian.Uint16(f[12:]) {
		case typeARP:
			seen["ARP"]++
		case typeVLAN, typeQinQ:
			seen["tag"]++
		case typeIPv4:
			word := binary.BigEndian.Uint16(ip[6:])
			switch {
			case word&moreOf != 0 && word&0x1fff == 0:
				seen["first fragment"]++
			case word&0x1fff != 0:
				seen["later fragment"]++
			}
			if ip[0] > 0x45 {
				seen["options"]++
			}
			switch {
			case ip[9] == gre && len(f) > 40 && ip[20] == 1:
				seen["marked tunnel"]++
			case ip[9] == gre:
				seen["tunnel"]++
			}
			if int(binary.BigEndian.Uint16(ip[2:])) > len(ip) {
				seen["a length that lies"]++
			}
			if len(ip) > 1500 {
				seen["too long"]++
			}
			if len(ip) > 1476 && word&dontFragment != 0 {
				seen["too long for the tunnel, with DF"]++
			}
			seen[[...]string{icmp4: "ICMP", tcp: "TCP", udp: "UDP", sctp: "SCTP", 255: "other"}[ip[9]]]++
		case typeIPv6:
			if len(ip) > 40 {
				seen[map[byte]string{fragmentHeader: "IPv6 fragment", icmp6: "ICMPv6", hopByHop: "hop-by-hop", routingHeader: "routing header", destination: "destination options"}[ip[6]]]++
			}
		default:
			seen["not IP"]++
		}
	}
	for _, shape := range []string{
		"cut", "group", "ARP", "tag", "first fragment", "later fragment", "options", "marked tunnel", "tunnel", "a length that lies", "too long",
		"too long for the tunnel, with DF", "ICMP", "TCP", "UDP", "SCTP", "IPv6 fragment", "ICMPv6", "hop-by-hop", "routing header", "destination options", "not IP",
	} {
		if seen[shape] < 5 {
			t.Errorf("%s: %d times", shape, seen[shape])
		}
	}
}

// sent is a sound frame in a tunnel to a backend.
func sent() []byte {
	s := &Source{t: targets}
	s.t.MAC, s.t.Router = targets.Router, targets.MAC
	s.random = New(1, targets).random
	s.text = make([]byte, 2*MaxFrame)
	at := s.outer(targets.Self[0], targets.Backends[0], 0, typeIPv4)
	inner := s.open(client(targets.Services[0].VIP, 1), targets.Services[0].VIP, udp)
	s.transport(flow{ports: 1<<16 | 53, proto: udp}, 100)
	s.seal(inner)
	s.seal(at)
	return s.b
}

// Sound finds each fault that a broken encapsulation would have.
func TestSound(t *testing.T) {
	good := sent()
	if kind, err := targets.Sound(good); err != nil || kind != Forwarded {
		t.Fatalf("%v, %v: %x", kind, err, good)
	}
	change := func(at int, with ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], with)
		s := Source{b: b, l3: 14}
		s.sum(14)
		return b
	}
	flipped := bytes.Clone(good)
	flipped[24]++
	narrow := targets
	narrow.MTU = len(good) - 15
	if _, err := narrow.Sound(good); err == nil {
		t.Error("a packet beyond the MTU passes")
	}
	tagged := targets
	tagged.VLAN = 7
	if _, err := tagged.Sound(good); err == nil {
		t.Error("an untagged frame passes in a VLAN")
	}
	for name, b := range map[string][]byte{
		"cut": good[:10], "padded": append(bytes.Clone(good), 0), "checksum": flipped, "source station": change(11, 9),
		"outer length": change(17, good[17]+1), "EtherType": change(12, 0x86, 0xdd), "version": change(14, 0x65),
		"to itself": change(30, 192, 0, 2, 11), "to nobody of ours": change(30, 10, 0, 0, 2), "from nobody of ours": change(26, 10, 0, 0, 2),
		"marked to a backend": change(34, 1), "GRE flags": change(34, 0x20), "GRE protocol": change(36, 0x86, 0xdd),
		"inner length": change(41, good[41]+1), "inner destination": change(38+16, 9),
	} {
		if _, err := targets.Sound(b); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	s, buf := New(1, targets), make([]byte, 0, MaxFrame)
	bytes := 0
	for b.Loop() {
		bytes += len(s.Next(buf))
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "B/frame")
}
