package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// innerIPv4 and innerIPv6 are packets of n bytes as far as their headers go.
func innerIPv4(n int) []byte {
	p := make([]byte, n)
	p[0] = 0x45
	binary.BigEndian.PutUint16(p[ipv4TotalLenOff:], uint16(n))
	return p
}

func innerIPv6(n int) []byte {
	p := make([]byte, n)
	p[0] = 0x60
	binary.BigEndian.PutUint16(p[ipv6PayloadOff:], uint16(n-ipv6HeaderLen))
	return p
}

func gre(flags, proto uint16, inner []byte) []byte {
	h := binary.BigEndian.AppendUint16(nil, flags)
	return append(binary.BigEndian.AppendUint16(h, proto), inner...)
}

func patched(p []byte, at int, b byte) []byte {
	p[at] = b
	return p
}

func TestDecapsulate(t *testing.T) {
	longest := innerIPv4(65535)
	for _, c := range []struct {
		name string
		gre  []byte
		want error
	}{
		{"IPv4", gre(0, greProtoIPv4, innerIPv4(60)), nil},
		{"IPv4, header alone", gre(0, greProtoIPv4, innerIPv4(20)), nil},
		{"IPv4, the longest", gre(0, greProtoIPv4, longest), nil},
		{"IPv6", gre(0, greProtoIPv6, innerIPv6(80)), nil},
		{"IPv6, header alone", gre(0, greProtoIPv6, innerIPv6(40)), nil},
		{"nothing", nil, errGREShort},
		{"three bytes", []byte{0, 0, 8}, errGREShort},
		{"checksum flag", gre(0x8000, greProtoIPv4, innerIPv4(60)), errGREFlags},
		{"key flag", gre(0x2000, greProtoIPv4, innerIPv4(60)), errGREFlags},
		{"version 1", gre(1, greProtoIPv4, innerIPv4(60)), errGREFlags},
		{"ethernet inside", gre(0, 0x6558, innerIPv4(60)), errGREProtocol},
		{"no inner packet", gre(0, greProtoIPv4, nil), errInnerHeader},
		{"IPv6 named IPv4", gre(0, greProtoIPv4, innerIPv6(80)), errInnerHeader},
		{"IPv4 named IPv6", gre(0, greProtoIPv6, innerIPv4(80)), errInnerHeader},
		{"ihl 4", gre(0, greProtoIPv4, patched(innerIPv4(60), 0, 0x44)), errInnerHeader},
		{"total length below ihl", gre(0, greProtoIPv4, patched(innerIPv4(20), 0, 0x46)), errInnerHeader},
		{"IPv4 with padding", gre(0, greProtoIPv4, append(innerIPv4(40), 0, 0)), errInnerLength},
		{"IPv4 cut", gre(0, greProtoIPv4, innerIPv4(60)[:59]), errInnerLength},
		{"IPv6 with padding", gre(0, greProtoIPv6, append(innerIPv6(40), 0)), errInnerLength},
		{"IPv6 cut", gre(0, greProtoIPv6, innerIPv6(80)[:79]), errInnerLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner, err := decapsulate(c.gre)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && !bytes.Equal(inner, c.gre[greHeaderLen:]) {
				t.Error("the inner packet is not what was in the tunnel")
			}
		})
	}
}

// Whatever comes, decapsulate neither reads beyond it nor lets through a packet
// that a kernel would have to repair.
func FuzzDecapsulate(f *testing.F) {
	f.Add([]byte{})
	f.Add(gre(0, greProtoIPv4, innerIPv4(40)))
	f.Add(gre(0, greProtoIPv6, innerIPv6(60)))
	f.Add(gre(0, greProtoIPv4, patched(innerIPv4(24), 0, 0x46)))
	f.Add(gre(0xB000, greProtoIPv4, innerIPv4(40)))
	f.Fuzz(func(t *testing.T, packet []byte) {
		// Nothing lies behind the packet: a read beyond it is a crash.
		packet = packet[:len(packet):len(packet)]
		inner, err := decapsulate(packet)
		if err != nil {
			if inner != nil {
				t.Fatal("an error and a packet")
			}
			return
		}
		if len(inner)+greHeaderLen != len(packet) || packet[0]|packet[1] != 0 {
			t.Fatalf("took % x", packet)
		}
		switch inner[0] >> 4 {
		case 4:
			if total := int(inner[2])<<8 | int(inner[3]); total != len(inner) || int(inner[0]&15)*4 > total {
				t.Fatalf("took an IPv4 packet of %d bytes that says % x", len(inner), inner[:4])
			}
		case 6:
			if 40+(int(inner[4])<<8|int(inner[5])) != len(inner) {
				t.Fatalf("took an IPv6 packet of %d bytes that says % x", len(inner), inner[:6])
			}
		default:
			t.Fatalf("took IP version %d", inner[0]>>4)
		}
	})
}
