package lcore

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd/memport"
)

// What does not fit and may not be fragmented is answered with what would fit.
func TestTooBigIsAnswered(t *testing.T) {
	for _, c := range []struct {
		name    string
		backend string
		ipv6    bool
		mtu     int
	}{
		{"IPv4 over IPv4", "10.0.0.1", false, 1476},
		{"IPv6 over IPv4", "10.0.0.1", true, 1476},
	} {
		f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, c.backend)
		for _, source := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::11")} {
			f.icmp.Source4, f.icmp.Source6 = netip.Addr{}, netip.Addr{}
			if source.Is4() {
				f.icmp.Source4 = source
			} else {
				f.icmp.Source6 = source
			}
			f.publish()
			fits := datagram(1, 1000, 7, c.mtu-28, 1500, c.ipv6)
			big := datagram(1, 1000, 7, c.mtu-27, 1500, c.ipv6)
			if c.ipv6 {
				fits = datagram(1, 1000, 7, c.mtu-48, 1500, true)
				big = datagram(1, 1000, 7, c.mtu-47, 1500, true)
			}
			for _, p := range [][]byte{fits[0], big[0]} {
				if !c.ipv6 {
					p[20] |= 0x40
					packet.SetIPv4(p[14:34], 0, uint16(len(p)-14), packet.IPv4Rest(clearFields(p[14:34])))
				}
			}
			want := f.verdicts(TooBigAnswered)
			f.inject(0, 0, fits...)
			f.run()
			if n := f.verdicts(TooBigAnswered); n != want || len(f.take()) != 1 {
				t.Fatalf("%s: a packet of %d bytes does not fit", c.name, c.mtu)
			}
			asked := bytes.Clone(big[0])
			f.inject(0, 0, big...)
			f.run()
			sent := f.take()
			if n := f.verdicts(TooBigAnswered); n != want+1 || len(sent) != 1 {
				t.Fatalf("%s: %d answers, %d frames sent", c.name, n-want, len(sent))
			}
			answer := sent[0]
			if !bytes.Equal(answer[:6], asked[6:12]) {
				t.Errorf("%s: sent to %x, not back to %x", c.name, answer[:6], asked[6:12])
			}
			ip := answer[14:]
			if c.ipv6 {
				wantFrom := netip.AddrFrom16([16]byte(asked[14+24:]))
				if source.Is6() {
					wantFrom = source
				}
				if from := netip.AddrFrom16([16]byte(ip[8:])); from != wantFrom {
					t.Errorf("%s: from %v, want %v", c.name, from, wantFrom)
				}
				if ip[40] != 2 || binary.BigEndian.Uint32(ip[44:]) != uint32(c.mtu) {
					t.Errorf("%s: type %d, MTU %d", c.name, ip[40], binary.BigEndian.Uint32(ip[44:]))
				}
				continue
			}
			wantFrom := netip.AddrFrom4([4]byte(asked[14+16:]))
			if source.Is4() {
				wantFrom = source
			}
			if from := netip.AddrFrom4([4]byte(ip[12:])); from != wantFrom {
				t.Errorf("%s: from %v, want %v", c.name, from, wantFrom)
			}
			if ip[20] != 3 || ip[21] != 4 || binary.BigEndian.Uint16(ip[26:]) != uint16(c.mtu) {
				t.Errorf("%s: type %d, code %d, MTU %d", c.name, ip[20], ip[21], binary.BigEndian.Uint16(ip[26:]))
			}
		}
		f.shut()
	}
}

// clearFields returns a copy of an IPv4 header without what SetIPv4 sets.
func clearFields(b []byte) []byte {
	c := bytes.Clone(b)
	c[1], c[2], c[3], c[10], c[11] = 0, 0, 0, 0, 0
	return c
}

func TestErrorsAreLimited(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, "10.0.0.1")
	f.icmp.Rate = 100
	f.publish()
	for range 30 {
		f.inject(0, 0, datagram(1, 1000, 7, 1440, 1500, true)...)
		f.run()
	}
	if told, silent := f.verdicts(TooBigAnswered), f.verdicts(TooBig); told != 10 || silent != 20 {
		t.Errorf("%d were told and %d were not, want 10 and 20", told, silent)
	}
	f.shut()
}

// Without Don't Fragment the packet is cut before it goes into tunnels, and
// what comes out at the backend is the packet; a fragment can be cut again.
func TestTooBigIsSplit(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, "10.0.0.1", "10.0.0.2")
	for i := range 50 {
		for _, whole := range [][][]byte{datagram(i, 1000, 70+i, 1460, 1500, false), datagram(i, 1000, 70+i, 4000, 1500, false)} {
			var want []byte
			for _, p := range whole {
				p[20] &^= 0x40
				packet.SetIPv4(p[14:34], 0, uint16(len(p)-14), packet.IPv4Rest(clearFields(p[14:34])))
				want = append(want, p[34:]...)
			}
			f.inject(0, 0, whole...)
			f.run()
			got := make([]byte, len(want))
			first, n, backend := 0, 0, ""
			for _, frame := range f.take() {
				dst, inner := outer(t, frame)
				if backend != "" && dst != backend {
					t.Fatalf("pieces went to %s and %s", backend, dst)
				}
				backend = dst
				if len(frame)-14 > 1500 {
					t.Fatalf("a frame of %d bytes", len(frame))
				}
				if packet.Fold(packet.Sum(inner[:20])) != 0xffff {
					t.Fatalf("the inner checksum is wrong: %x", inner[:20])
				}
				at := int(binary.BigEndian.Uint16(inner[6:])&0x1fff) * 8
				if at == 0 {
					first++
				}
				n += copy(got[at:], inner[20:])
			}
			if n != len(want) || first != 1 || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes came of %d, with %d first fragments", n, len(want), first)
			}
		}
	}
	f.split = false
	f.publish()
	big := datagram(1, 1000, 7, 1460, 1500, false)
	big[0][20] &^= 0x40
	packet.SetIPv4(big[0][14:34], 0, uint16(len(big[0])-14), packet.IPv4Rest(clearFields(big[0][14:34])))
	f.inject(0, 0, big...)
	f.run()
	if n := f.verdicts(TooBig); n != 1 || len(f.take()) != 0 {
		t.Errorf("%d too big, want one where nothing is split", n)
	}
	f.shut()
}

// A closed port is refused as a host does; errors and later fragments are not
// spoken of.
func TestClosedPortIsRefused(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 1, rxQueues: 1}, "10.0.0.1")
	closed := bytes.Clone(datagram(1, 1000, 7, 50, 1500, false)[0])
	closed[23] = packet.ProtoTCP
	packet.SetIPv4(closed[14:34], 0, uint16(len(closed)-14), packet.IPv4Rest(clearFields(closed[14:34])))
	f.inject(0, 0, closed)
	f.run()
	if sent := f.take(); len(sent) != 1 || sent[0][34] != 3 || sent[0][35] != 3 || f.verdicts(PortRefused) != 1 {
		t.Errorf("sent %x", sent)
	}
	f.icmp.Refuse = false
	f.publish()
	f.inject(0, 0, closed)
	f.run()
	if sent := f.take(); len(sent) != 0 || f.verdicts(NoService) != 1 {
		t.Errorf("sent %x", sent)
	}
	f.shut()
}

// A fragment that must not be cut and does not fit the tunnels to backends is
// answered by the node that it came to, whoever owns its datagram.
func TestTooBigFragmentIsAnsweredAtOnce(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 3, cores: 1, rxQueues: 1}, "10.0.0.1")
	for i := range 50 {
		pieces := datagram(i, 1000, i, 4000, 1500, true)
		f.inject(i%3, 0, pieces...)
		f.run()
		answers := 0
		for _, frame := range f.take() {
			if binary.BigEndian.Uint16(frame[12:]) == packet.EtherTypeIPv6 && frame[20] == packet.ProtoICMPv6 {
				answers++
				if frame[54] != 2 || binary.BigEndian.Uint32(frame[58:]) != 1476 {
					t.Fatalf("answered by %x", frame)
				}
			}
		}
		if want := len(pieces) - 1; answers != want { // the last one fits
			t.Fatalf("%d answers to %d fragments that are too long", answers, want)
		}
	}
	f.nodes[0].port.Advance(2e9)
	f.shut()
}

// A service that is down tells who asks, if it is to; flows it has go on.
func TestUnreachableVIP(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1")
	program := r.world.program(t)
	program.ICMP.Rate = 1000
	r.group.Publish(program)
	r.backendOf(tcp4(1, syn, 0))
	r.world.set("10.0.0.1", fib.Draining)
	for _, unreachable := range []bool{false, true} {
		r.world.unreachable = unreachable
		program := r.world.program(t)
		program.ICMP.Rate = 1000
		r.group.Publish(program)
		if got := r.backendOf(tcp4(1, ack, 0)); got != "10.0.0.1" {
			t.Errorf("the flow that was there went to %s", got)
		}
		sent := r.forward(tcp4(2, syn, 0))
		if unreachable && (len(sent) != 1 || sent[0][34] != 3 || sent[0][35] != 1) || !unreachable && len(sent) != 0 {
			t.Errorf("unreachable %v: sent %x", unreachable, sent)
		}
	}
	r.want(NoBackend, 1)
	r.want(VIPUnreachable, 1)
}
