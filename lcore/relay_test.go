package lcore

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"guideway/maglev/packet"
)

// unreachable is an ICMP error from a router about the answer to a UDP packet of
// a client.
func unreachable(asked []byte) []byte {
	quote := bytes.Clone(asked[14 : 14+28])
	copy(quote[12:], asked[30:34])
	copy(quote[16:], asked[26:30])
	copy(quote[20:], asked[36:38])
	copy(quote[22:], asked[34:36])
	b := make([]byte, 42, 42+len(quote))
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 1}, [6]byte{2, 0xdd}, 0, packet.EtherTypeIPv4)
	v := udpVIP.As4()
	packet.PutIPv4(b[14:], 60, packet.ProtoICMP, 0x0a636363, binary.BigEndian.Uint32(v[:]))
	packet.SetIPv4(b[14:], 0, uint16(28+len(quote)), packet.IPv4Rest(b[14:]))
	b[34], b[35] = 3, 4
	return append(b, quote...)
}

// An error that comes to any queue finds its flow's entry on whatever core that
// is, also when the lookup table would say otherwise by now.
func TestErrorsFindTheirCore(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 1, cores: 3, rxQueues: 1}, "10.0.0.1", "10.0.0.2")
	was := map[int]string{}
	for i := range 100 {
		f.inject(0, 0, datagram(i, 1000, 0, 10, 1500, false)...)
		f.run()
		was[i], _ = outer(t, f.take()[0])
	}
	f.backends = []string{"10.0.0.3", "10.0.0.1", "10.0.0.4", "10.0.0.2", "10.0.0.5"}
	// The endpoints' numbers follow the table's members, and so move: give the
	// two that were there the numbers that they had.
	f.numbers = map[netip.Addr]uint32{netip.MustParseAddr("10.0.0.1"): 1, netip.MustParseAddr("10.0.0.2"): 2}
	f.publish()
	entries := f.entries()
	for i := range 100 {
		f.inject(0, 0, unreachable(datagram(i, 1000, 0, 10, 1500, false)[0]))
		f.run()
		sent := f.take()
		if len(sent) != 1 {
			t.Fatalf("flow %d: %d frames for one error", i, len(sent))
		}
		if got, _ := outer(t, sent[0]); got != was[i] {
			t.Fatalf("flow %d is on %s, its error went to %s", i, was[i], got)
		}
	}
	if n := f.entries(); n != entries {
		t.Errorf("%d entries, were %d", n, entries)
	}
	if f.verdicts(HandedOver) == 0 {
		t.Error("nothing was handed over")
	}
	f.shut()
}

// An error about a flow that only another node knows goes there, too; nobody
// sends it on from there, and a flood of them is bounded.
func TestErrorsAreRelayed(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 3, cores: 2, rxQueues: 1}, "10.0.0.1", "10.0.0.2")
	asked := datagram(1, 1000, 0, 10, 1500, false)[0]
	f.inject(1, 0, asked)
	f.run()
	want, _ := outer(t, f.take()[0])

	message := unreachable(asked)
	f.inject(0, 0, message)
	f.run()
	sent := f.take()
	if len(sent) != 2 {
		t.Fatalf("%d errors went to backends, want one by the table and one by the entry", len(sent))
	}
	for _, s := range sent {
		got, inner := outer(t, s)
		if got != want || !bytes.Equal(inner, message[14:]) {
			t.Errorf("to %s went %x, want to %s %x", got, inner, want, message[14:])
		}
	}
	if relayed, unknown := f.verdicts(Relayed), f.verdicts(RelayUnknown); relayed != 2 || unknown != 1 {
		t.Errorf("%d copies, of which %d found nothing, want 2 and 1", relayed, unknown)
	}

	f.inject(1, 0, message) // where the entry is
	f.run()
	if n := len(f.take()); n != 1 || f.verdicts(Relayed) != 2 {
		t.Errorf("%d errors to backends, and %d copies in all: want one more and none", n, f.verdicts(Relayed))
	}

	f.icmp.Rate = 100
	f.publish()
	for range 20 {
		f.inject(0, 0, message)
		f.run()
	}
	if n := f.verdicts(Relayed); n != 2+20 {
		t.Errorf("%d copies, want ten times two more", n)
	}
	f.icmp.Relay = false
	f.publish()
	f.inject(2, 0, message)
	f.run()
	if n := f.verdicts(Relayed); n != 2+20 {
		t.Errorf("%d copies where none are asked for", n)
	}
	f.shut()
}

// What is marked as redirected counts only if it comes from a node, to this
// node, and is what nodes redirect.
func TestForgedRedirects(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 2, cores: 1, rxQueues: 1, kernel: true}, "10.0.0.1")
	inside := datagram(1, 1000, 7, 3000, 1500, false)[1][14:]
	marked := func(src, dst netip.Addr, mark byte, inner []byte) []byte {
		b := make([]byte, 38, 38+len(inner))
		packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 1}, [6]byte{2, 0xdd}, 0, packet.EtherTypeIPv4)
		s, d := src.As4(), dst.As4()
		packet.PutIPv4(b[14:], 60, packet.ProtoGRE, binary.BigEndian.Uint32(s[:]), binary.BigEndian.Uint32(d[:]))
		packet.SetIPv4(b[14:], 0, uint16(24+len(inner)), packet.IPv4Rest(b[14:]))
		packet.PutGRE(b[34:], packet.EtherTypeIPv4)
		b[34] = mark
		return append(b, inner...)
	}
	stranger := netip.MustParseAddr("198.51.100.66")
	for _, c := range []struct {
		name  string
		frame []byte
		want  Verdict
	}{
		{"from a stranger", marked(stranger, f.addrs[0], 1, inside), Stranger},
		{"with another mark", marked(f.addrs[1], f.addrs[0], 2, inside), BadRedirect},
		{"a whole packet", marked(f.addrs[1], f.addrs[0], 1, datagram(1, 1000, 0, 10, 1500, false)[0][14:]), BadRedirect},
		{"nothing inside", marked(f.addrs[1], f.addrs[0], 1, nil), BadRedirect},
		{"a tunnel in the tunnel", marked(f.addrs[1], f.addrs[0], 1, marked(f.addrs[1], f.addrs[0], 1, inside)[14:]), ToKernel},
		{"without a mark", marked(f.addrs[1], f.addrs[0], 0, inside), ToKernel},
		{"to a VIP", marked(f.addrs[1], udpVIP, 1, inside), Tunnelled},
		{"to somebody else", marked(f.addrs[1], stranger, 1, inside), ToKernel},
	} {
		before := f.verdicts(c.want)
		f.inject(0, 0, c.frame)
		f.run()
		if f.verdicts(c.want) != before+1 {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
	if n := len(f.take()); n != 0 {
		t.Errorf("%d frames were sent", n)
	}
	f.nodes[0].tap.Sent(0)
	f.shut()
}

// A first fragment that no service takes is refused where it came to this node
// by itself, and not where another node sent it: that one would get the answer.
func TestRedirectedIsNotRefused(t *testing.T) {
	f := newFleet(t, fleetShape{nodes: 2, cores: 1, rxQueues: 1}, "10.0.0.1")
	for i := range 40 {
		piece := bytes.Clone(datagram(i, 1000, i, 3000, 1500, false)[0])
		piece[23] = packet.ProtoTCP
		packet.SetIPv4(piece[14:34], 0, uint16(len(piece)-14), packet.IPv4Rest(clearFields(piece[14:34])))
		f.inject(0, 0, piece)
		f.run()
	}
	refused, silent := f.verdicts(PortRefused), f.verdicts(NoService)
	if refused == 0 || silent == 0 || refused+silent != 40 {
		t.Errorf("%d refused and %d not, of 40: want some of each", refused, silent)
	}
	for _, frame := range f.take() {
		if !bytes.Equal(frame[:6], []byte{2, 0xcc, 0, 0, 0, 0}) {
			t.Errorf("answered to %x", frame[:6])
		}
	}
	f.shut()
}
