package control

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"guideway/control/trace"
	"guideway/maglev/packet"
)

// marked is a segment of the connection that bears a mark.
func (c client) marked(key *trace.Key, m trace.Mark) []byte {
	b := append(c.segment(0), make([]byte, packet.TracedLen4-40)...)
	packet.SetIPv4(b[14:], 0, packet.TracedLen4, packet.IPv4Rest(b[14:]))
	key.PutMark(b, m)
	return b
}

// Marks are answered by who has the key, and by nobody else; a reload changes
// whom that is.
func TestTracesAreAnswered(t *testing.T) {
	dir := t.TempDir()
	keys := map[string]*trace.Key{}
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"a": strings.Repeat("a", 32), "b": strings.Repeat("b", 32), "short": "short"} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		keys[name], _ = trace.NewKey(text)
	}
	text := func(key string) string {
		section := ""
		if key != "" {
			section = fmt.Sprintf("[trace]\nkey_file = %q\n", path(key))
		}
		return head + section + vipText("www", 1, backend(1), backend(2), backend(3))
	}
	r := newRig(t, text(""))
	ctx, cancel := context.WithCancel(t.Context())
	answering := make(chan struct{})
	go func() {
		defer close(answering)
		r.manager.AnswerTraces(ctx)
	}()
	defer func() {
		cancel()
		<-answering
	}()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	receiver := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	number := 0
	send := func(key string, c client, change func(*trace.Mark)) (m trace.Mark, to netip.Addr) {
		t.Helper()
		number++
		m = trace.Mark{Receiver: receiver, Token: 7, Packet: number, Sent: time.Now()}
		if change != nil {
			change(&m)
		}
		r.port.Inject(int(c)%rigCores, c.marked(keys[key], m))
		return m, r.collect(1)[0].backend
	}
	// heard waits for the answer to the packet that was sent last.
	heard := func(key string) trace.Hop {
		t.Helper()
		var b [2000]byte
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := conn.Read(b[:])
		if err != nil {
			t.Fatal(err)
		}
		token, h, err := keys[key].ReadReport(b[:n])
		if err != nil || token != 7 || h.Packet != number {
			t.Fatalf("%d, %+v, %v; packet %d was sent", token, h, err, number)
		}
		return h
	}
	// counts waits until marks have had so many results.
	counts := func(result string, n uint64) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); r.manager.Metrics().Traces[result] != n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d, want %d", result, r.manager.Metrics().Traces[result], n)
			}
		}
	}

	// Off: a packet like any other.
	send("a", 1, nil)
	r.reload(text("a"))
	for c := client(10); c < 20; c++ {
		_, to := send("a", c, nil)
		h := heard("a")
		if h.Node != "lb1" || h.Core != int(c)%rigCores+1 || h.Outcome != "forwarded" || h.VIP != "www" || h.Backend != to || h.Next != "" ||
			!strings.HasPrefix(h.Why, "slot ") || !strings.HasSuffix(h.Why, " of 4099") {
			t.Errorf("a new flow, to %v: %+v", to, h)
		}
		if _, to = send("a", c, nil); true {
			if h := heard("a"); h.Backend != to || h.Why != "the connection table has the flow" {
				t.Errorf("the flow again, to %v: %+v", to, h)
			}
		}
	}
	counts("answered", 20)

	// What is not served is told of as well.
	number++
	m := trace.Mark{Receiver: receiver, Token: 7, Packet: number, Sent: time.Now()}
	b := client(3).marked(keys["a"], m)
	binary.BigEndian.PutUint16(b[36:], 81)
	r.port.Inject(0, b)
	if h := heard("a"); h.Outcome != "port_refused" || h.VIP != "" || h.Backend.IsValid() || !strings.HasPrefix(h.Why, "port unreachable: ") {
		t.Errorf("another port: %+v", h)
	}
	for len(r.port.Sent(0))+len(r.port.Sent(1)) == 0 {
		time.Sleep(time.Millisecond) // until the error is sent, too
	}

	// Marks that are not to be answered.
	forged := client(4).marked(keys["a"], m)
	packet.Mark(forged)[packet.MarkLen-1] ^= 1
	r.port.Inject(0, forged)
	r.collect(1)
	counts("forged", 1)
	send("b", 5, nil) // begins otherwise, so no core tells of it
	send("a", 5, func(m *trace.Mark) { m.Sent = m.Sent.Add(-time.Minute) })
	counts("stale", 1)
	send("a", 5, func(m *trace.Mark) { m.Receiver = netip.MustParseAddrPort("[fe80::1]:9") })
	counts("unsent", 1)

	// A key that is too short changes nothing.
	if lines := r.reload(text("short")); len(lines) != 2 || !strings.Contains(lines[0], "5 characters can be guessed") {
		t.Errorf("%q", lines)
	}
	send("a", 6, nil)
	heard("a")
	r.reload(text("b"))
	send("a", 7, nil)
	send("b", 7, nil)
	heard("b")
	r.reload(text(""))
	send("b", 8, nil)
	counts("forged", 1)
	counts("answered", 23)
	if _, err := r.manager.Trace(ctx, trace.Request{}); err == nil || !strings.Contains(err.Error(), "key_file") {
		t.Errorf("a trace without a key: %v", err)
	}
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 2000)); err == nil {
		t.Errorf("%d bytes more", n)
	}
}
