package lcore

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"guideway/maglev/fib"
	"guideway/maglev/packet"
	"guideway/pmd/memport"
)

// about is an ICMP error from a router about a packet that a backend sent for
// the flow of a packet from the client: its addresses and ports turned round.
func about(fromClient []byte, kind byte) []byte {
	inner := bytes.Clone(fromClient[14 : 14+28])
	copy(inner[12:], fromClient[14+16:14+20])
	copy(inner[16:], fromClient[14+12:14+16])
	copy(inner[20:], fromClient[14+22:14+24])
	copy(inner[22:], fromClient[14+20:14+22])
	b := make([]byte, 14+20+8, 14+20+8+len(inner))
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 0, 0x11}, [6]byte{2, 0, 0, 0, 0, 0x77}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[14:], 61, packet.ProtoICMP, 0x0a636363, 0xcb00710a)
	packet.SetIPv4(b[14:], 0, uint16(28+len(inner)), packet.IPv4Rest(b[14:]))
	b[34] = kind
	return append(b, inner...)
}

// An ICMP error goes where the flow inside goes, also when the lookup table
// would say otherwise by now, and leaves no trace in the connection table.
func TestICMPErrorFollowsItsFlow(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
	was := map[int]string{}
	for i := range 100 {
		was[i] = r.backendOf(tcp4(i, syn, 0))
	}
	for _, b := range []string{"10.0.0.3", "10.0.0.4", "10.0.0.5"} {
		r.world.add(b)
	}
	r.publish()
	before := r.worker.conntrack.Stats()
	for i := range 100 {
		message := about(tcp4(i, ack, 0), 3)
		sent := r.forward(message)
		if len(sent) != 1 {
			t.Fatalf("flow %d: %d frames sent; verdicts %v", i, len(sent), r.verdicts())
		}
		if got := netip.AddrFrom4([4]byte(sent[0][14+16:])).String(); got != was[i] {
			t.Fatalf("flow %d is on %s, its error went to %s", i, was[i], got)
		}
		if inner := sent[0][14+fib.GREOverhead4:]; !bytes.Equal(inner, message[14:]) {
			t.Fatalf("flow %d: the message has changed: %x, was %x", i, inner, message[14:])
		}
	}
	if after := r.worker.conntrack.Stats(); after != before {
		t.Errorf("the connection table went from %+v to %+v", before, after)
	}
}

// Without an entry the lookup table decides, as it does for the flow's own
// packets, and nothing is remembered.
func TestICMPErrorOfAnUnknownFlow(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	for i := range 100 {
		first := r.backendOf(about(tcp4(i, ack, 0), 11))
		if n := r.worker.conntrack.Stats().Entries; n != uint64(i) {
			t.Fatalf("%d entries after %d flows", n, i)
		}
		if then := r.backendOf(tcp4(i, ack, 0)); then != first {
			t.Fatalf("flow %d: its error went to %s, its packet to %s", i, first, then)
		}
	}
}

func TestICMPThatGoesNowhere(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1")
	r.forward(about(tcp4(1, ack, 0), 8), about(tcp4(1, ack, 0), 5))
	r.want(ICMPDropped, 2) // a ping, which this VIP drops, and a redirect

	cut := about(tcp4(1, ack, 0), 3)
	cut[14+3] -= 1 // the outer length: seven bytes of transport are quoted
	r.forward(cut)
	r.want(ICMPUnreadable, 1)

	foreign := about(tcp4(1, ack, 0), 3)
	foreign[14+28+15]++ // the quoted source is not the VIP that the error is sent to
	r.forward(foreign)
	r.want(ICMPMismatch, 1)

	closed := about(tcp4(1, ack, 0), 3)
	closed[14+28+21]++ // the quoted source port is none of the VIP's
	r.forward(closed)
	r.want(NoService, 1)

	elsewhere := about(tcp4(1, ack, 0), 3)
	elsewhere[14+19]++
	r.forward(elsewhere)
	r.want(NotVIP, 1)
	r.want(Forwarded, 0)
}

func TestEcho(t *testing.T) {
	ping := append(about(tcp4(1, ack, 0), 8), 0xee, 0xee) // with padding
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1", "10.0.0.2")
	r.world.echo = fib.EchoAnswer
	r.publish()
	sent := r.forward(ping)
	r.want(EchoAnswered, 1)
	if len(sent) != 1 || len(sent[0]) != len(ping)-2 || sent[0][34] != 0 {
		t.Fatalf("sent %x", sent)
	}
	if !bytes.Equal(sent[0][:6], ping[6:12]) || !bytes.Equal(sent[0][30:34], ping[26:30]) {
		t.Errorf("not answered to whom it came from: %x", sent[0])
	}

	r.world.echo = fib.EchoForward
	r.publish()
	before := r.worker.conntrack.Stats()
	first := r.backendOf(ping)
	for range 10 {
		if got := r.backendOf(ping); got != first {
			t.Fatalf("pings of one client go to %s and %s", first, got)
		}
	}
	if after := r.worker.conntrack.Stats(); after != before {
		t.Errorf("the connection table went from %+v to %+v", before, after)
	}
}

func TestAnswersThatTheDeviceRefuses(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600, TxRing: 2}, "10.0.0.1")
	r.world.echo = fib.EchoAnswer
	r.publish()
	ping := about(tcp4(1, ack, 0), 8)
	r.forward(ping, ping, ping)
	r.want(EchoAnswered, 2)
	r.want(TxFull, 1)
}

// An error is no sign of life: the flow's entry expires as if it had not come.
func TestICMPErrorKeepsNoFlowAlive(t *testing.T) {
	r := newRig(t, memport.Config{MTU: 1600}, "10.0.0.1")
	r.backendOf(tcp4(1, syn, 0))
	r.port.Advance(int64(50 * time.Second)) // of the 60 that an unconfirmed flow has
	r.backendOf(about(tcp4(1, ack, 0), 3))
	r.port.Advance(int64(20 * time.Second))
	before := r.worker.conntrack.Stats().Inserts
	r.backendOf(tcp4(1, ack, 0))
	if n := r.worker.conntrack.Stats().Inserts - before; n != 1 {
		t.Errorf("%d inserts for a flow that had expired, want 1", n)
	}
}
