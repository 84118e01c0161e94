package health

import (
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A nameServer is one for www.example, by UDP and TCP on one port.
func nameServer(t testing.TB, twist func(w dns.ResponseWriter, answer *dns.Msg) bool) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	pc, err := net.ListenPacket("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		for _, line := range []string{
			"www.example. 60 IN A 192.0.2.80", "www.example. 60 IN A 192.0.2.81", "www.example. 60 IN AAAA 2001:db8::80",
			"www.example. 60 IN TXT \"all is well\"", "example. 60 IN MX 10 mail.example.",
		} {
			if r, err := dns.NewRR(line); err == nil && r.Header().Name == q.Question[0].Name && r.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, r)
			}
		}
		if strings.HasPrefix(q.Question[0].Name, "no.") {
			m.Rcode = dns.RcodeNameError
		}
		if twist == nil || !twist(w, m) {
			_ = w.WriteMsg(m)
		}
	})
	for _, s := range []*dns.Server{{Listener: l, Handler: handler}, {PacketConn: pc, Handler: handler}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return at
}

func TestDNS(t *testing.T) {
	t.Parallel()
	plain := nameServer(t, nil)
	udp := func(w dns.ResponseWriter) bool { return w.RemoteAddr().Network() == "udp" }
	var byTCP atomic.Int32
	cut := nameServer(t, func(w dns.ResponseWriter, m *dns.Msg) bool {
		if udp(w) {
			m.Truncated, m.Answer = true, nil
		} else {
			byTCP.Add(1)
		}
		return false
	})
	for _, c := range []struct {
		what  string
		at    netip.AddrPort
		check Check
		want  string
	}{
		{"any answer", plain, Check{}, ""},
		{"the answer", plain, Check{Answer: "192.0.2.81"}, ""},
		{"the answer, IPv6", plain, Check{Record: dns.TypeAAAA, Answer: "2001:db8::80"}, ""},
		{"the answer, text", plain, Check{Record: dns.TypeTXT, Answer: `"all is well"`}, ""},
		{"the answer, a name", plain, Check{Query: "example", Record: dns.TypeMX, Answer: "10 MAIL.example"}, ""},
		{"another answer", plain, Check{Answer: "192.0.2.99"}, `answered "192.0.2.80, 192.0.2.81", want "192.0.2.99"`},
		{"no answer", plain, Check{Query: "example", Answer: "192.0.2.99"}, `no record of type A, want "192.0.2.99"`},
		{"no such name", plain, Check{Query: "no.example"}, "NXDOMAIN, want NOERROR"},
		{"no such name, as is right", plain, Check{Query: "no.example", Rcode: dns.RcodeNameError}, ""},
		{"refuses", nameServer(t, func(_ dns.ResponseWriter, m *dns.Msg) bool {
			m.Rcode = dns.RcodeRefused
			m.Question = nil
			return false
		}),
			Check{}, "REFUSED, want NOERROR"},
		{"cut", cut, Check{Answer: "192.0.2.80"}, ""},
		{"cut, and TCP hangs", nameServer(t, func(w dns.ResponseWriter, m *dns.Msg) bool { m.Truncated = true; return !udp(w) }),
			Check{Answer: "192.0.2.80"}, "answered by UDP that it is more; by TCP no answer within 300ms"},
		{"hangs", nameServer(t, func(dns.ResponseWriter, *dns.Msg) bool { return true }), Check{}, "no answer within 300ms"},
		{"slow", nameServer(t, func(dns.ResponseWriter, *dns.Msg) bool { time.Sleep(100 * time.Millisecond); return false }), Check{}, ""},
		{"another number first", nameServer(t, func(w dns.ResponseWriter, m *dns.Msg) bool {
			wrong := m.Copy()
			wrong.Id, wrong.Rcode = m.Id+1, dns.RcodeServerFailure
			_ = w.WriteMsg(wrong)
			return false
		}), Check{}, ""},
		{"another question", nameServer(t, func(_ dns.ResponseWriter, m *dns.Msg) bool { m.Question[0].Name = "other.example."; return false }),
			Check{}, "answered another question"},
		{"the question itself", serveUDP(t, func(b []byte) [][]byte { return [][]byte{b} }), Check{}, "answered a DNS message that is no answer"},
		{"garbage", serveUDP(t, func(b []byte) [][]byte { return [][]byte{b[:13]} }), Check{}, "answered what is no DNS message"},
		{"nobody there", nobody(t), Check{}, "connection refused"},
		{"a name that is none", plain, Check{Query: strings.Repeat("x", 64) + ".example"}, `? query "` + strings.Repeat("x", 40) + `"...: dns: bad rdata`},
	} {
		c.check.Type = DNS
		if c.check.Query == "" {
			c.check.Query = "www.example"
		}
		holds(t, c.what, inquire(t, tcpTarget(c.at, c.check)), c.want)
	}
	if byTCP.Load() != 1 {
		t.Errorf("%d queries by TCP", byTCP.Load())
	}
}

// FuzzDNS: whatever comes is judged, and garbage never passes as our answer.
func FuzzDNS(f *testing.F) {
	c := Check{Type: DNS, Query: "www.example", Answer: "192.0.2.80"}.normal()
	m := new(dns.Msg)
	m.SetQuestion("www.example.", dns.TypeA)
	m.Response, m.Id = true, 0x1234
	r, err := dns.NewRR("www.example. 60 IN A 192.0.2.80")
	if err != nil {
		f.Fatal(err)
	}
	m.Answer = []dns.RR{r}
	good, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := dnsAnswer(b, 0x1234, c)
		if err == nil && assessDNS(answer, c) == nil && (len(b) < 12 || b[0] != 0x12 || b[1] != 0x34 || b[2]&0x80 == 0 || b[3]&0xf != 0) {
			t.Errorf("% x passes", b)
		}
	})
}
