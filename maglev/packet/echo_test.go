package packet

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// checksum6 is ICMPv6's, over the pseudo header too (RFC 8200, 8.1).
func checksum6(ip []byte) uint16 {
	body := ip[40:]
	return ^plainSum(cat(ip[8:40], word(0), word(len(body)), word(0), word(58), body))
}

// ping is an echo request with a right checksum.
func ping(ipv6 bool, payload []byte) []byte {
	if ipv6 {
		f := eth(0x86dd, ip6(58, icmp(128, 0, payload)))
		put16(f[14+40+2:], checksum6(f[14:]))
		return f
	}
	f := eth(0x0800, ip4(1, 0, nil, icmp(8, 0, payload)))
	put16(f[14+20+2:], ^plainSum(f[34:]))
	return f
}

func TestAnswerEcho(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ipv6 := rapid.Bool().Draw(t, "ipv6")
		payload := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "payload")
		request := append(ping(ipv6, payload), zeros(rapid.IntRange(0, 8).Draw(t, "padding"))...)
		answer := bytes.Clone(request)
		var h Headers
		if r := Parse(answer, 0, &h); r != Whole || !EchoRequest(answer, &h) {
			t.Fatalf("%x is no echo request: %s", request, name(r))
		}
		AnswerEcho(answer, &h)

		p := gopacket.NewPacket(answer[:h.End], layers.LayerTypeEthernet, gopacket.Default)
		if e := p.ErrorLayer(); e != nil {
			t.Fatal(e.Error())
		}
		if !bytes.Equal(answer[:6], request[6:12]) || !bytes.Equal(answer[6:12], request[:6]) {
			t.Fatalf("stations %x", answer[:12])
		}
		if ipv6 {
			ip := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
			if !bytes.Equal(ip.SrcIP, dst6) || !bytes.Equal(ip.DstIP, src6) || ip.HopLimit != 64 {
				t.Fatalf("%v > %v, hop limit %d", ip.SrcIP, ip.DstIP, ip.HopLimit)
			}
			if sum := checksum6(answer[14:h.End]); sum != 0 && sum != 0xffff || answer[54] != 129 {
				t.Fatalf("type %d, checksum is off by %#x", answer[54], sum)
			}
		} else {
			ip := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
			if !bytes.Equal(ip.SrcIP, dst4) || !bytes.Equal(ip.DstIP, src4) || ip.TTL != 64 {
				t.Fatalf("%v > %v, TTL %d", ip.SrcIP, ip.DstIP, ip.TTL)
			}
			if plainSum(answer[14:34]) != 0xffff || plainSum(answer[34:h.End]) != 0xffff || answer[34] != 0 {
				t.Fatalf("type %d, or a wrong checksum: %x", answer[34], answer[14:h.End])
			}
		}
		if rest := int(h.L4) + 4; !bytes.Equal(answer[rest:], request[rest:]) {
			t.Fatalf("identifier, sequence number, data or padding changed: %x", answer[rest:])
		}
	})
}

func TestWhatIsNotAnswered(t *testing.T) {
	v4, v6 := ping(false, zeros(8)), ping(true, zeros(8))
	source := func(frame []byte, at int, address ...byte) []byte {
		c := cat(frame)
		copy(c[at:], address)
		return c
	}
	for name, frame := range map[string][]byte{
		"reply":                    patched(v4, 34, 0),
		"IPv6 reply":               patched(v6, 54, 129),
		"ICMPv6's type in ICMP":    patched(v4, 34, 128),
		"from a multicast address": source(v4, 26, 224, 0, 0, 1),
		"from broadcast":           source(v4, 26, 255, 255, 255, 255),
		"from this network":        source(v4, 26, 0, 0, 0, 0),
		"from loopback":            source(v4, 26, 127, 0, 0, 1),
		"IPv6 multicast":           source(v6, 22, 0xff, 2),
		"IPv6 unspecified":         source(v6, 22, zeros(16)...),
		"IPv6 loopback":            source(v6, 22, append(zeros(15), 1)...),
		"IPv4 options":             eth(0x0800, ip4(1, 0, zeros(4), icmp(8, 0, nil))),
		"IPv6 extensions":          eth(0x86dd, ip6(60, ext(58, 0), icmp(128, 0, nil))),
		"seven bytes":              eth(0x0800, ip4(1, 0, nil, icmp(8, 0, nil)[:7])),
		"a UDP packet":             eth(0x0800, ip4(17, 0, nil, udp(8))),
	} {
		var h Headers
		if r := Parse(frame, 0, &h); r != Whole {
			t.Fatalf("%s: parse: %d", name, r)
		}
		if EchoRequest(frame, &h) {
			t.Errorf("%s counts as an echo request", name)
		}
	}
	var h Headers
	for _, frame := range [][]byte{v4, v6} {
		if Parse(frame, 0, &h); !EchoRequest(frame, &h) {
			t.Errorf("%x is none", frame)
		}
	}
}
