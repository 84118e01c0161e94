package flow

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// microsoftKey and the vectors below are those of Microsoft, "Verifying the
// RSS hash calculation", which gives destinations first.
var microsoftKey, _ = hex.DecodeString("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")

func TestToeplitzVectors(t *testing.T) {
	for _, c := range []struct {
		dst, src             string
		addresses, withPorts uint32
	}{
		{"161.142.100.80:1766", "66.9.149.187:2794", 0x323e8fc2, 0x51ccc178},
		{"65.69.140.83:4739", "199.92.111.2:14230", 0xd718262a, 0xc626b0ea},
		{"12.22.207.184:38024", "24.19.198.95:12898", 0xd2d0a5de, 0x5c2b394a},
		{"209.142.163.6:2217", "38.27.205.30:48228", 0x82989176, 0xafc7327f},
		{"202.188.127.2:1303", "153.39.163.191:44251", 0x5d1809c5, 0x10e828a2},
		{"[3ffe:2501:200:3::1]:1766", "[3ffe:2501:200:1fff::7]:2794", 0x2cc18cd5, 0x40207d3d},
		{"[ff02::1]:4739", "[3ffe:501:8::260:97ff:fe40:efab]:14230", 0x0f0c461c, 0xdde51bbf},
		{"[fe80::200:f8ff:fe21:67cf]:38024", "[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", 0x4b61e985, 0x02d1feef},
	} {
		k := key(6, c.src, c.dst)
		if got := k.Toeplitz(microsoftKey, false); got != c.addresses {
			t.Errorf("%v: %#08x, want %#08x", k, got, c.addresses)
		}
		if got := k.Toeplitz(microsoftKey, true); got != c.withPorts {
			t.Errorf("%v with ports: %#08x, want %#08x", k, got, c.withPorts)
		}
	}
}

// toeplitz is the definition, bit by bit: the key moves left over the input.
func toeplitz(key, input []byte) (hash uint32) {
	bit := func(b []byte, i int) byte { return b[i/8] >> (7 - i%8) & 1 }
	for i := range len(input) * 8 {
		if bit(input, i) == 0 {
			continue
		}
		for j := range 32 {
			hash ^= uint32(bit(key, i+j)) << (31 - j)
		}
	}
	return hash
}

func TestToeplitz(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := 4
		if rapid.Bool().Draw(t, "ipv6") {
			size = 16
		}
		address := rapid.SliceOfN(rapid.Byte(), size, size)
		src, dst := address.Draw(t, "src"), address.Draw(t, "dst")
		src[0], dst[0] = src[0]|0x20, dst[0]|0x20 // never IPv4-mapped
		secret := rapid.SliceOfN(rapid.Byte(), 40, 52).Draw(t, "key")
		k := Key{Ports: rapid.Uint32().Draw(t, "ports"), Proto: 17}
		a, _ := netip.AddrFromSlice(src)
		b, _ := netip.AddrFromSlice(dst)
		k.SetSrc(a)
		k.SetDst(b)
		input := append(append([]byte{}, src...), dst...)
		if got, want := k.Toeplitz(secret, false), toeplitz(secret, input); got != want {
			t.Fatalf("%v: %#08x, want %#08x", k, got, want)
		}
		input = append(input, byte(k.Ports>>24), byte(k.Ports>>16), byte(k.Ports>>8), byte(k.Ports))
		if got, want := k.Toeplitz(secret, true), toeplitz(secret, input); got != want {
			t.Fatalf("%v with ports: %#08x, want %#08x", k, got, want)
		}
	})
}

func TestToeplitzDoesNotAllocate(t *testing.T) {
	k := key(6, "[2001:db8::7]:4711", "[2001:db8:cafe::10]:443")
	if n := testing.AllocsPerRun(100, func() { k.Ports += k.Toeplitz(microsoftKey, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkToeplitz(b *testing.B) {
	for name, k := range map[string]Key{
		"IPv4": key(6, "198.51.100.7:4711", "203.0.113.10:80"),
		"IPv6": key(6, "[2001:db8::7]:4711", "[2001:db8:cafe::10]:443"),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				k.Ports += k.Toeplitz(microsoftKey, true)
			}
		})
	}
}
