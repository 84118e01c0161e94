package replay

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

var (
	client = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	node   = net.HardwareAddr{2, 0, 0, 0, 0, 0x11}
)

// A shape is one frame of the capture with what must become of it.
type shape struct {
	name    string
	frame   []byte
	verdict string
}

// writeCapture writes frames as a capture that net_pcap reads.
func writeCapture(t *testing.T, file string, shapes []shape) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, s := range shapes {
		if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(s.frame), Length: len(s.frame)}, s.frame); err != nil {
			t.Fatal(err)
		}
	}
}

// readCapture returns the frames of a capture.
func readCapture(t *testing.T, file string) (frames [][]byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.ReadPacketData()
		if err != nil {
			return frames
		}
		frames = append(frames, frame)
	}
}

func serialize(fix bool, l ...gopacket.SerializableLayer) []byte {
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: fix, ComputeChecksums: fix}, l...); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// ip builds the layers below a transport header.
func ip(src, dst string, proto layers.IPProtocol, tos uint8) (gopacket.SerializableLayer, gopacket.SerializableLayer, gopacket.NetworkLayer) {
	eth := &layers.Ethernet{SrcMAC: client, DstMAC: node, EthernetType: layers.EthernetTypeIPv4}
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	if s.Is4() {
		h := &layers.IPv4{Version: 4, TTL: 61, Protocol: proto, SrcIP: s.AsSlice(), DstIP: d.AsSlice(), TOS: tos, Id: 7}
		return eth, h, h
	}
	eth.EthernetType = layers.EthernetTypeIPv6
	h := &layers.IPv6{Version: 6, HopLimit: 61, NextHeader: proto, SrcIP: s.AsSlice(), DstIP: d.AsSlice(), TrafficClass: tos, FlowLabel: 0xabcde}
	return eth, h, h
}

func tcp(src string, port int, dst string, dstPort int, flags string, payload int) []byte {
	eth, l3, network := ip(src, dst, layers.IPProtocolTCP, 0xb8)
	h := &layers.TCP{SrcPort: layers.TCPPort(port), DstPort: layers.TCPPort(dstPort), Window: 1024,
		SYN: flags == "S", ACK: flags == "A", FIN: flags == "F"}
	h.SetNetworkLayerForChecksum(network)
	return serialize(true, eth, l3, h, gopacket.Payload(make([]byte, payload)))
}

func udp(src string, port int, dst string, dstPort, payload int) []byte {
	eth, l3, network := ip(src, dst, layers.IPProtocolUDP, 0)
	h := &layers.UDP{SrcPort: layers.UDPPort(port), DstPort: layers.UDPPort(dstPort)}
	h.SetNetworkLayerForChecksum(network)
	return serialize(true, eth, l3, h, gopacket.Payload(make([]byte, payload)))
}

// icmp is a message from a router to the first VIP, with what it quotes.
func icmp(kind uint8, quote []byte) []byte {
	eth, l3, _ := ip("198.51.100.254", "203.0.113.10", layers.IPProtocolICMPv4, 0)
	return serialize(true, eth, l3, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, 0)}, gopacket.Payload(quote))
}

// padded fills a frame up to the Ethernet minimum with bytes that must not
// come out again.
func padded(frame []byte) []byte {
	for len(frame) < 60 {
		frame = append(frame, 0xee)
	}
	return frame
}

// patched returns a copy of a frame with one byte changed.
func patched(frame []byte, at int, value byte) []byte {
	c := append([]byte(nil), frame...)
	c[at] = value
	return c
}

func mustExist(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := os.Stat(filepath.Join(dir, n)); err != nil {
			t.Fatal(fmt.Errorf("net_pcap wrote no %s: %w", n, err))
		}
	}
}
