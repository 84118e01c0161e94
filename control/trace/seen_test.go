package trace

import (
	"bytes"
	"net/netip"
	"testing"

	"guideway/maglev/fib"
	"guideway/maglev/packet"
)

// What craft has made is read as that, wherever on its way it is met.
func TestRead(t *testing.T) {
	tunnels := []struct{ src, dst string }{{"192.0.2.11", "192.0.2.12"}, {"2001:db8::11", "2001:db8::12"}}
	for _, k := range flows() {
		for _, split := range []bool{false, true} {
			for i, b := range craft(k, 0x1234, split, func([]byte, Piece) {}) {
				want := Seen{Key: k, Size: len(b)}
				if split {
					want.Piece, want.ID = First+Piece(i), 0x1234
					if i > 0 {
						want.Key.Ports, want.Offset = 0, packet.TracedLen4-packet.IPv4Len
						if k.IPv6 {
							want.Offset = packet.TracedLen6 - packet.IPv6Len - fragmentLen
						}
					}
				}
				plain := inEthernet(b)
				for name, frame := range map[string][]byte{"alone": b, "in Ethernet": plain, "tagged": tagged(plain)} {
					if got, err := Read(frame); err != nil || got != want {
						t.Errorf("%v, piece %d, %s: %+v, %v, want %+v", k, i, name, got, err, want)
					}
				}
				if src, dst := TunnelEnds(plain); src != k.Src() || dst != k.Dst() {
					t.Errorf("%v > %v, want %v", src, dst, k)
				}
				for _, ends := range tunnels {
					src, dst := netip.MustParseAddr(ends.src), netip.MustParseAddr(ends.dst)
					for _, vlan := range []uint16{0, 42} {
						frame := inTunnel(t, b, fib.TunnelSpec{Src: src, Dst: dst, InnerIPv6: k.IPv6, Marked: true, MTU: 1500, VLAN: vlan})
						inside := want
						inside.From = src
						if got, err := Read(frame); err != nil || got != inside || len(frame) > packet.TracedFrame || !packet.TracedLen(len(frame)) {
							t.Errorf("%v, piece %d, by %v: %+v, %v", k, i, src, got, err)
						}
						if s, d := TunnelEnds(frame); s != src || d != dst {
							t.Errorf("tunnel %v > %v", s, d)
						}
					}
				}
			}
		}
	}
}

func tagged(frame []byte) []byte {
	return append(append(bytes.Clone(frame[:12]), 0x81, 0, 0, 42), frame[12:]...)
}

// inTunnel is a packet as a node sends it on.
func inTunnel(t *testing.T, b []byte, spec fib.TunnelSpec) []byte {
	t.Helper()
	four, six := spec, spec
	four.InnerIPv6, six.InnerIPv6 = false, true
	s, err := fib.Build(fib.Spec{
		Tunnels: []fib.TunnelSpec{four, six}, Nodes: []fib.NodeSpec{{Ways: 1, Tunnel4: 0, Tunnel6: 1}, {}}, Endpoints: []fib.EndpointSpec{{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tunnel := s.Tunnel(map[bool]uint32{true: 1}[spec.InnerIPv6])
	frame := make([]byte, fib.TunnelBlock+len(b))
	tunnel.Write((*[fib.TunnelBlock]byte)(frame), uint16(len(b)), 0, 0)
	copy(frame[fib.TunnelBlock:], b)
	return frame[fib.TunnelBlock-int(tunnel.Len):]
}

func FuzzRead(f *testing.F) {
	for _, k := range flows() {
		for _, b := range craft(k, 1, k.SrcPort()%2 == 1, func([]byte, Piece) {}) {
			f.Add(b)
			f.Add(inEthernet(b))
			f.Add(tagged(inEthernet(b)))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Read(b)
		if err == nil && (s.Size == 0 || s.Size > len(b) || !s.Key.Src().IsValid()) {
			t.Fatalf("%+v of %x", s, b)
		}
		TunnelEnds(b)
	})
}
