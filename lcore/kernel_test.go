package lcore

import (
	"bytes"
	"encoding/binary"
	"testing"

	"guideway/maglev/packet"
)

// arp is an ARP request, padded to the minimum of Ethernet.
func arp() []byte {
	b := make([]byte, 60)
	packet.PutEthernet(b, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, [6]byte{2, 0xcc}, 0, packet.EtherTypeARP)
	return b
}

// foreign is a UDP packet to an address that is no VIP.
func foreign(dstPort int) []byte {
	b := bytes.Clone(datagram(1, 1000, 0, 20, 1500, false)[0])
	copy(b[30:], []byte{192, 0, 2, 11})
	binary.BigEndian.PutUint16(b[36:], uint16(dstPort))
	return b
}

func tagged(frame []byte, vlan uint16) []byte {
	return bytes.Join([][]byte{frame[:12], {0x81, 0, byte(vlan >> 8), byte(vlan)}, frame[12:]}, nil)
}

// What is for no VIP goes up as it came, but for the port's tag, whatever core
// it arrives on; what the kernel sends goes out, tagged.
func TestKernelPath(t *testing.T) {
	for _, vlan := range []uint16{0, 42} {
		f := newFleet(t, fleetShape{nodes: 1, cores: 2, rxQueues: 2, kernel: true, vlan: vlan}, "10.0.0.1")
		wire := func(frame []byte) []byte {
			if vlan != 0 {
				return tagged(frame, vlan)
			}
			return frame
		}
		for q := range 2 {
			for _, frame := range [][]byte{arp(), foreign(22), foreign(3784)} {
				f.inject(0, q, wire(frame))
				f.run()
				up := f.nodes[0].tap.Sent(0)
				if len(up) != 1 || !bytes.Equal(up[0], frame) {
					t.Fatalf("VLAN %d, queue %d: %x went up for %x", vlan, q, up, frame)
				}
			}
		}
		if vlan == 0 { // a priority is no VLAN
			f.inject(0, 0, tagged(arp(), 0))
			f.run()
			if up := f.nodes[0].tap.Sent(0); len(up) != 1 || !bytes.Equal(up[0], arp()) {
				t.Fatalf("%x went up for a frame with a priority", up)
			}
		}
		// Of another VLAN, or of none: not the interface's.
		f.inject(0, 0, tagged(arp(), 43))
		if vlan != 0 {
			f.inject(0, 0, arp())
		}
		f.run()
		if up := f.nodes[0].tap.Sent(0); len(up) != 0 {
			t.Errorf("VLAN %d: %x went up", vlan, up)
		}
		f.take()

		ours := foreign(22)
		copy(ours[30:], []byte{198, 51, 100, 9})
		f.nodes[0].tap.Inject(0, arp(), ours)
		f.run()
		if sent := f.take(); len(sent) != 2 || !bytes.Equal(sent[0], wire(arp())) || !bytes.Equal(sent[1], wire(ours)) {
			t.Errorf("VLAN %d: the kernel sent two frames, out went %x", vlan, sent)
		}
		if n := f.verdicts(FromKernel); n != 2 {
			t.Errorf("%d frames came from the kernel, want 2", n)
		}
		f.shut()
	}
}

// A flood of one class leaves the others alone.
func TestKernelIsPolicedByClass(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1, kernel: true}, "10.0.0.1")
	for c := range classes {
		f.nodes[0].workers[0].upLimits[0][c] = newLimit(100)
	}
	for range 50 {
		f.inject(0, 0, foreign(9))
	}
	f.inject(0, 0, arp(), foreign(3784))
	f.run()
	if up, limited := f.verdicts(ToKernel), f.verdicts(KernelLimited); up != 12 || limited != 40 {
		t.Errorf("%d went up, %d did not, want 10 of the flood and two others, and 40", up, limited)
	}
	f.nodes[0].tap.Sent(0)
	f.shut()
}

func TestClassOf(t *testing.T) {
	bgp := foreign(179)
	bgp[23] = packet.ProtoTCP
	bgp = append(bgp, make([]byte, 20)...)
	binary.BigEndian.PutUint16(bgp[16:], uint16(len(bgp)-14))
	solicitation := make([]byte, 14+40+24)
	packet.PutEthernet(solicitation, [6]byte{0x33, 0x33, 0xff}, [6]byte{2, 0xcc}, 0, packet.EtherTypeIPv6)
	packet.PutIPv6(solicitation[14:], 255, packet.ProtoICMPv6, [16]byte{0xfe, 0x80}, [16]byte{0xff, 2})
	packet.SetIPv6(solicitation[14:], 0, 24)
	solicitation[54] = 135
	echo := bytes.Clone(solicitation)
	echo[0], echo[54] = 2, 128
	ospf := foreign(0)
	ospf[0], ospf[23] = 1, protoOSPF
	for _, c := range []struct {
		name  string
		frame []byte
		want  class
	}{
		{"ARP", arp(), neighbours},
		{"neighbour solicitation", solicitation, neighbours},
		{"ping over IPv6", echo, rest},
		{"BGP", bgp, routing},
		{"BFD", foreign(3784), routing},
		{"OSPF", ospf, routing},
		{"SSH or whatever", foreign(22), rest},
	} {
		var h packet.Headers
		v := parseVerdicts[packet.Parse(c.frame, 0, &h)]
		if v == Unset {
			v = NotVIP
		}
		if got := classOf(c.frame, v, &h); got != c.want {
			t.Errorf("%s is of class %d, want %d", c.name, got, c.want)
		}
	}
}
