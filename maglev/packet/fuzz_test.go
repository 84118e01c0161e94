package packet

import "testing"

// FuzzParse holds what every caller builds on, for any bytes: offsets are in
// order and within the frame, ports are there when they are said to be, and
// nothing behind the IP packet matters. The corpus is every shape of the table
// tests, each also cut in its middle.
func FuzzParse(f *testing.F) {
	for _, shapes := range [][]shape{wellFormed, faulty} {
		for _, s := range shapes {
			f.Add(s.frame, s.vlan, []byte{0x45, 0xff})
			f.Add(s.frame[:len(s.frame)*2/3], s.vlan, []byte(nil))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte, id uint16, padding []byte) {
		h, again := Headers{}, stale
		// No room behind the frame: reading on would panic.
		result := Parse(frame[:len(frame):len(frame)], id, &h)
		if result == Unparsed || result >= Results {
			t.Fatalf("result %d", result)
		}
		if result != Whole && result != Fragment {
			return
		}
		if got := Parse(frame, id, &again); got != result || again != h {
			t.Fatalf("a second time: %s %+v, first %s %+v", name(got), again, name(result), h)
		}
		checkHeaders(t, frame, result, h)

		end := int(h.End)
		for _, other := range [][]byte{frame[:end:end], cat(frame[:end], padding), cat(frame, padding)} {
			var o Headers
			if got := Parse(other, id, &o); got != result || o != h {
				t.Fatalf("with %d bytes behind the packet: %s %+v, with %d: %s %+v", len(other)-end, name(got), o, len(frame)-end, name(result), h)
			}
		}
		// A byte less is not a whole packet.
		if got := Parse(frame[:end-1], id, &again); got == Whole || got == Fragment {
			t.Fatalf("a byte of the packet is missing: %s", name(got))
		}
	})
}

func checkHeaders(t *testing.T, frame []byte, result Result, h Headers) {
	t.Helper()
	l3, l4, end := int(h.L3), int(h.L4), int(h.End)
	header, version := IPv4Len, byte(4)
	if h.IPv6 {
		header, version = IPv6Len, 6
	}
	if l3 != EthernetLen && l3 != EthernetLen+VLANLen || l3+header > l4 || l4 > end || end > len(frame) {
		t.Fatalf("offsets %d, %d, %d in a frame of %d", l3, l4, end, len(frame))
	}
	if frame[l3]>>4 != version {
		t.Fatalf("IPv6 %v with version %d", h.IPv6, frame[l3]>>4)
	}
	ported := result == Whole && (h.Proto == ProtoTCP || h.Proto == ProtoUDP || h.Proto == ProtoSCTP)
	if h.Ports != ported || h.Ports && l4+8 > end {
		t.Fatalf("ports %v of protocol %d, %d bytes", h.Ports, h.Proto, end-l4)
	}
	if h.TCPFlags != 0 && (!h.Ports || h.Proto != ProtoTCP || h.TCPFlags != frame[l4+13]) {
		t.Fatalf("TCP flags %#02x of protocol %d", h.TCPFlags, h.Proto)
	}
	if h.FirstFragment && result != Fragment {
		t.Fatal("a first fragment that is none")
	}
	if result == Fragment && h.IPv6 && h.Proto != ProtoFragment {
		t.Fatalf("a fragment of protocol %d", h.Proto)
	}
}
