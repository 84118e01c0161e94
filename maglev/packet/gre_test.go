package packet

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestMarkGRE(t *testing.T) {
	for _, inner := range []uint16{EtherTypeIPv4, EtherTypeIPv6} {
		b := dirty(GRELen + 1)
		PutGRE(b, inner)
		MarkGRE(b)
		if want := []byte{1, 0, byte(inner >> 8), byte(inner), 0xff}; !bytes.Equal(b, want) {
			t.Errorf("% x, want % x", b, want)
		}
		g := decode(t, b[:GRELen], layers.LayerTypeGRE, layers.LayerTypeGRE).Layer(layers.LayerTypeGRE).(*layers.GRE)
		if g.RecursionControl != 1 || g.Flags != 0 || g.Version != 0 || g.KeyPresent || g.ChecksumPresent || g.SeqPresent || g.RoutingPresent {
			t.Errorf("%+v", g)
		}
	}
}
