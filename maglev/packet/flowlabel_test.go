package packet

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestSetFlowLabel(t *testing.T) {
	for _, class := range []uint8{0, 0xb9, 0xff} {
		for _, c := range []struct{ label, want uint32 }{
			{0, 1}, {1, 1}, {0x12345, 0x12345}, {0xfffff, 0xfffff}, {0x100000, 1}, {0xabc12345, 0x12345}, {1<<32 - 1, 0xfffff},
		} {
			b := dirty(IPv6Len + 1)
			PutIPv6(b, 64, 59, [16]byte{1}, [16]byte{2})
			SetIPv6(b, class, 0)
			want := bytes.Clone(b)
			SetFlowLabel(b, c.label)
			ip := decode(t, b[:IPv6Len], layers.LayerTypeIPv6, layers.LayerTypeIPv6).NetworkLayer().(*layers.IPv6)
			if ip.Version != 6 || ip.TrafficClass != class || ip.FlowLabel != c.want {
				t.Errorf("class %#02x, label %#x: %+v", class, c.label, ip)
			}
			if !bytes.Equal(b[4:], want[4:]) {
				t.Errorf("wrote behind the label")
			}
		}
	}
}
