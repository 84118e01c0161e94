package health

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func tcpTarget(at netip.AddrPort, c Check) Target {
	c.Port = at.Port()
	return Target{Addr: at.Addr(), Check: c}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	silent := serve(t, hang)
	pong := serve(t, func(c net.Conn) {
		b := make([]byte, 100)
		if n, _ := c.Read(b); string(b[:n]) == "PING\r\n" {
			says(50*time.Millisecond, "+PO", "NG\r", "\n")(c)
			hang(c)
		}
	})
	for _, c := range []struct {
		what  string
		at    netip.AddrPort
		check Check
		want  string
	}{
		{"connects", silent, Check{}, ""},
		{"nobody there", nobody(t), Check{}, "connection refused"},
		{"a conversation in pieces", pong, Check{Send: "PING\r\n", Expect: "+PONG\r\n"}, ""},
		{"another question", pong, Check{Send: "PANG\r\n", Expect: "+PONG\r\n"}, "connection closed before the answer was whole"},
		{"hangs", silent, Check{Send: "PING\r\n", Expect: "+PONG"}, "connected, but no answer within 300ms"},
		{"hangs within the answer", serve(t, func(c net.Conn) { says(0, "-ERR")(c); hang(c) }), Check{Expect: "+PONG"},
			`answered "-ERR", but not "+PONG": no answer within 300ms`},
		{"other answer", serve(t, says(0, "-ERR no\r\n")), Check{Expect: "+PONG"}, `answered "-ERR no\r\n", want "+PONG"`},
		{"binary", serve(t, says(0, "\x00\xff\x01")), Check{Expect: "\xff\x01"}, ""},
		{"resets", serve(t, reset), Check{Expect: "+PONG"}, "connection reset by peer"},
		{"garbage without end", serve(t, flood), Check{Expect: "+PONG"}, `answered "` + strings.Repeat("junk", 10) + `"..., want "+PONG"`},
		{"too slow", serve(t, says(patienceOfTests*2/3, "+", "P", "ONG")), Check{Expect: "+PONG"}, `answered "+P", but not "+PONG": no answer within 300ms`},
		{"an address of nobody here", netip.MustParseAddrPort("127.0.0.1:1"), Check{}, "connection refused"},
	} {
		c.check.Type = TCP
		holds(t, c.what, inquire(t, tcpTarget(c.at, c.check)), c.want)
	}
	source := tcpTarget(silent, Check{Type: TCP})
	source.Source = ip("127.0.0.7")
	holds(t, "from a source", inquire(t, source), "")
	source.Source = ip("192.0.2.254")
	holds(t, "from a source that is not ours", inquire(t, source), "? cannot assign requested address")
	source.Source = ip("2001:db8::1")
	holds(t, "from another family", inquire(t, source), "? 127.0.0.1 and 2001:db8::1 are of two families")
	holds(t, "no address", inquire(t, Target{Check: Check{Type: TCP, Port: 1}}), "? invalid IP is not an address to ask")
}

func TestUDP(t *testing.T) {
	t.Parallel()
	echo := serveUDP(t, func(b []byte) [][]byte { return [][]byte{b} })
	for _, c := range []struct {
		what  string
		at    netip.AddrPort
		check Check
		want  string
	}{
		{"answers", echo, Check{Send: "who?", Expect: "who"}, ""},
		{"answers anything", echo, Check{}, ""},
		{"answers something else", echo, Check{Send: "me", Expect: "you"}, `answered "me", want "you"`},
		{"nobody there", nobody(t), Check{Send: "who?"}, "connection refused"},
		{"hangs", serveUDP(t, func([]byte) [][]byte { return nil }), Check{Send: "who?"}, "no answer within 300ms"},
		{"slow", serveUDP(t, func([]byte) [][]byte { time.Sleep(100 * time.Millisecond); return [][]byte{{1}} }), Check{Expect: "\x01"}, ""},
	} {
		c.check.Type = UDP
		holds(t, c.what, inquire(t, tcpTarget(c.at, c.check)), c.want)
	}
}

// TestAgent: a TCP server that says no more than its weight.
func TestAgent(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"50%\n":          "50%",
		"up 75\r\n":      "75%",
		"drain\n":        "drain",
		"ready, 0%\nxyz": "0%",
		"99":             "99%", // the end of the connection is that of the line
	} {
		r := inquire(t, tcpTarget(serve(t, says(0, said)), Check{Type: TCP, WeightBody: true}))
		holds(t, said, r, "")
		if r.weight.String() != want {
			t.Errorf("%q: weight %v, want %s", said, r.weight, want)
		}
	}
	for said, want := range map[string]string{
		"down\n":                  `it says "down"`,
		"stopped # for repairs\n": `it says "stopped # for repairs"`,
		"lots\n":                  `"lots" is no weight`,
		"":                        "connection closed before the answer was whole",
	} {
		holds(t, said, inquire(t, tcpTarget(serve(t, says(0, said)), Check{Type: TCP, WeightBody: true})), want)
	}
	holds(t, "half a line", inquire(t, tcpTarget(serve(t, func(c net.Conn) { says(0, "5")(c); hang(c) }), Check{Type: TCP, WeightBody: true})),
		`answered "5", but not a whole line: no answer within 300ms`)
}

func TestParseWeight(t *testing.T) {
	for text, want := range map[string]string{
		"50": "50%", "50%": "50%", "100%": "100%", " 7 % ": `"7 %" is no weight`, "up": "100%", "DRAIN": "drain", "drain 30": "drain",
		"101": `"101" is no weight`, "-1": `"-1" is no weight`, "": `"" is no weight`, "# 5": `"# 5" is no weight`,
		"up,50%,#x": "50%", "50 maint": `it says "50 maint"`, "300": `"300" is no weight`, "1e1": `"1e1" is no weight`,
	} {
		w, err := parseWeight(text)
		got := w.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if (Weight{}).Share() != 100 || (Weight{Said: true, Drain: true, Percent: 40}).Share() != 0 || (Weight{Said: true, Percent: 40}).Share() != 40 {
		t.Error("shares")
	}
}

func FuzzWeight(f *testing.F) {
	for _, s := range []string{"50%", "drain", "up,5\r\n", "down#x", "\x00", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := parseWeight(text)
		if err == nil && (!w.Said || w.Percent > 100) || err != nil && w != (Weight{}) {
			t.Errorf("%q: %+v, %v", text, w, err)
		}
	})
}

// FuzzConverse: however an answer is cut in pieces, the same is found in it.
func FuzzConverse(f *testing.F) {
	f.Add("+PONG\r\n", "PONG", 3, false)
	f.Add("50%\n", "", 1, true)
	f.Add("", "x", 0, true)
	f.Fuzz(func(t *testing.T, said, expect string, cut int, weight bool) {
		c := Check{Type: TCP, Expect: expect, WeightBody: weight}
		if expect == "" && !weight || len(said) > 1000 {
			return
		}
		cut = max(0, min(cut, len(said)))
		var whole, parts inquiry
		_, want := whole.enough([]byte(said), true, c)
		done, got := parts.enough([]byte(said[:cut]), false, c)
		if !done {
			_, got = parts.enough([]byte(said), true, c)
		}
		if (got == nil) != (want == nil) || parts.weight != whole.weight {
			t.Errorf("%q cut at %d: %v, %v, want %v, %v", said, cut, got, parts.weight, want, whole.weight)
		}
	})
}
