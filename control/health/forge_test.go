package health

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A forger answers in the place of a node that does not: as it was told.
type forger struct {
	*net.IPConn
	last *icmp.Echo // the request before
}

// lie makes an answer of a request; nil: none.
type lie func(f *forger, req icmp.Echo) *icmp.Echo

func (n ns) forger(network, address string, mode *atomic.Pointer[lie]) {
	conn, err := n.listen(network, address)
	if err != nil {
		n.Fatal(err)
	}
	done := make(chan struct{})
	n.Cleanup(func() {
		conn.Close()
		<-done
	})
	proto, question, answer := 1, icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply)
	if network == "ip6:58" {
		proto, question, answer = 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	go func() {
		defer close(done)
		f, b := &forger{IPConn: conn}, make([]byte, 2000)
		for {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			m, err := icmp.ParseMessage(proto, b[:size])
			if err != nil || m.Type != question {
				continue
			}
			req := m.Body.(*icmp.Echo)
			if reply := (*mode.Load())(f, *req); reply != nil {
				raw, _ := (&icmp.Message{Type: answer, Body: reply}).Marshal(nil)
				_, _ = conn.WriteTo(raw, from)
			}
			f.last = &icmp.Echo{ID: req.ID, Seq: req.Seq, Data: append([]byte(nil), req.Data...)}
		}
	}()
}

// TestForgedReplies: what differs from the true answer in anything is none.
func TestForgedReplies(t *testing.T) {
	truth := lie(func(_ *forger, req icmp.Echo) *icmp.Echo { return &req })
	lies := map[string]lie{
		"another token": func(_ *forger, req icmp.Echo) *icmp.Echo {
			req.Data[len(req.Data)-1] ^= 1
			return &req
		},
		"no token": func(_ *forger, req icmp.Echo) *icmp.Echo {
			req.Data = nil
			return &req
		},
		"more than the token": func(_ *forger, req icmp.Echo) *icmp.Echo {
			req.Data = append(req.Data, 0)
			return &req
		},
		"another identifier": func(_ *forger, req icmp.Echo) *icmp.Echo {
			req.ID ^= 1
			return &req
		},
		"another sequence number": func(_ *forger, req icmp.Echo) *icmp.Echo {
			req.Seq ^= 1
			return &req
		},
		"the token of the last request": func(f *forger, req icmp.Echo) *icmp.Echo {
			if f.last == nil {
				return nil
			}
			req.Data = f.last.Data
			return &req
		},
		"the answer to the last request": func(f *forger, _ icmp.Echo) *icmp.Echo { return f.last },
	}
	a, b := pair(t)
	b.sysctl("ipv4/icmp_echo_ignore_all=1", "ipv6/icmp/echo_ignore_all=1")
	var mode atomic.Pointer[lie]
	mode.Store(&truth)
	b.forger("ip4:1", "192.0.2.2", &mode)
	b.forger("ip6:58", "2001:db8::2", &mode)
	m := watch(t, Config{listen: a.listen}, targets("192.0.2.2", "2001:db8::2")...)
	e := m.checker.(*types).echo
	strange := func() uint64 {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.strange
	}
	for what, f := range lies {
		becomes(t, m, "192.0.2.2", Up)
		becomes(t, m, "2001:db8::2", Up)
		t.Log("with", what)
		before := strange()
		mode.Store(&f)
		becomes(t, m, "192.0.2.2", Down)
		becomes(t, m, "2001:db8::2", Down)
		if strange() < before+6 {
			t.Errorf("%s: %d messages were ignored", what, strange()-before)
		}
		mode.Store(&truth)
	}
}

// TestAnswersOfOthers: another node cannot answer in the place of one.
func TestAnswersOfOthers(t *testing.T) {
	a, b := pair(t)
	b.ip("addr add 192.0.2.3/24 dev b0")
	b.sysctl("ipv4/icmp_echo_ignore_all=1")
	other, err := b.listen("ip4:1", "192.0.2.3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	relay := lie(func(_ *forger, req icmp.Echo) *icmp.Echo {
		raw, _ := (&icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &req}).Marshal(nil)
		_, _ = other.WriteTo(raw, &net.IPAddr{IP: net.IPv4(192, 0, 2, 1)})
		return nil
	})
	var mode atomic.Pointer[lie]
	mode.Store(&relay)
	b.forger("ip4:1", "192.0.2.2", &mode)
	m := watch(t, Config{listen: a.listen}, targets("192.0.2.2", "192.0.2.3")...)
	becomes(t, m, "192.0.2.2", Down)
	becomes(t, m, "192.0.2.3", Down)
	e := m.checker.(*types).echo
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.strange < 5 {
		t.Errorf("%d messages were ignored", e.strange)
	}
}

// TestForgedErrors: whoever can see requests, and send errors about them, still
// takes no node down that answers.
func TestForgedErrors(t *testing.T) {
	a, b := pair(t)
	b.sysctl("ipv4/icmp_echo_ignore_all=1")
	var errors atomic.Int64
	var silent atomic.Bool
	unreachable := lie(func(f *forger, req icmp.Echo) *icmp.Echo {
		quote := make([]byte, 28)
		quote[0], quote[9] = 0x45, 1
		copy(quote[12:], netip.MustParseAddr("192.0.2.1").AsSlice())
		copy(quote[16:], netip.MustParseAddr("192.0.2.2").AsSlice())
		quote[20] = byte(ipv4.ICMPTypeEcho)
		binary.BigEndian.PutUint16(quote[24:], uint16(req.ID))
		binary.BigEndian.PutUint16(quote[26:], uint16(req.Seq-3)) // about one of the last requests
		raw, _ := (&icmp.Message{Type: ipv4.ICMPTypeDestinationUnreachable, Code: 1, Body: &icmp.DstUnreach{Data: quote}}).Marshal(nil)
		if _, err := f.WriteTo(raw, &net.IPAddr{IP: net.IPv4(192, 0, 2, 1)}); err == nil {
			errors.Add(1)
		}
		if silent.Load() {
			return nil
		}
		time.Sleep(time.Millisecond) // the error comes first
		return &req
	})
	var mode atomic.Pointer[lie]
	mode.Store(&unreachable)
	b.forger("ip4:1", "192.0.2.2", &mode)
	m := watch(t, Config{listen: a.listen}, targets("192.0.2.2")...)
	becomes(t, m, "192.0.2.2", Up)
	told(m)
	eventually(t, soon, "20 errors", func() bool { return errors.Load() >= 20 })
	if told(m) || m.State(ip("192.0.2.2")) != Up {
		t.Errorf("%+v", of(t, m, ip("192.0.2.2")))
	}
	silent.Store(true)
	becomes(t, m, "192.0.2.2", Down, "no answer within 20ms: host unreachable, says 192.0.2.2")
}
