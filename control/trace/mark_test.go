package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"guideway/maglev/packet"
)

func mustKey(t testing.TB, text string) *Key {
	t.Helper()
	k, err := NewKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const secret, otherSecret = "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdeg"

var (
	receiver4, receiver6 = netip.MustParseAddrPort("192.0.2.7:4000"), netip.MustParseAddrPort("[2001:db8::7]:4000")
	someTime             = time.UnixMilli(1_750_000_000_123)
)

func TestReadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for text, want := range map[string]string{
		"":                            "it is empty",
		" \n":                         "it is empty",
		"short\n":                     "5 characters can be guessed",
		strings.Repeat("x", 1025):     "more than 1024",
		"\n" + secret + "\n":          "",
		strings.Repeat("x", 1024):     "",
		strings.Repeat("y", 16) + " ": "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := ReadKey(path)
		switch {
		case want == "" && (err != nil || k.Knock() == 0):
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := ReadKey(path + "-not"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if mustKey(t, secret).Knock() != mustKey(t, " "+secret+"\n").Knock() || mustKey(t, secret).Knock() == mustKey(t, otherSecret).Knock() {
		t.Error("knocks do not follow from keys")
	}
}

func TestMark(t *testing.T) {
	k := mustKey(t, secret)
	for _, receiver := range []netip.AddrPort{receiver4, receiver6} {
		for p := range pieces {
			m := Mark{Receiver: receiver, Token: 1<<63 | 5, Packet: 65535, Piece: p, Sent: someTime}
			frame := bytes.Repeat([]byte{0xff}, 100)
			k.PutMark(frame, m)
			if packet.MarkKnock(packet.Mark(frame)) != k.Knock() || !bytes.Equal(frame[:36], bytes.Repeat([]byte{0xff}, 36)) {
				t.Fatalf("%x", frame)
			}
			if got, err := k.ReadMark(frame, someTime.Add(maxAge)); err != nil || got != m {
				t.Fatalf("%v, %v, want %v", got, err, m)
			}
			for _, off := range []time.Duration{maxAge + time.Millisecond, -maxAge - time.Millisecond} {
				if got, err := k.ReadMark(frame, someTime.Add(off)); err != ErrStale || got != (Mark{}) {
					t.Errorf("%v off: %v, %v", off, got, err)
				}
			}
			for i := range packet.MarkLen * 8 {
				b := bytes.Clone(frame)
				packet.Mark(b)[i/8] ^= 1 << (i % 8)
				if got, err := k.ReadMark(b, someTime); err != ErrForged || got != (Mark{}) {
					t.Fatalf("bit %d changed: %v, %v", i, got, err)
				}
			}
			if _, err := mustKey(t, otherSecret).ReadMark(frame, someTime); err != ErrForged {
				t.Errorf("with another key: %v", err)
			}
		}
	}
	// What the key's holder would not write: reports go to one host.
	for _, m := range []Mark{
		{Receiver: netip.MustParseAddrPort("224.0.0.1:5"), Packet: 1},
		{Receiver: netip.MustParseAddrPort("[ff02::1]:5"), Packet: 1},
		{Receiver: netip.MustParseAddrPort("0.0.0.0:5"), Packet: 1},
		{Receiver: netip.MustParseAddrPort("192.0.2.1:0"), Packet: 1},
		{Receiver: receiver4, Packet: 0},
		{Receiver: receiver4, Packet: 1, Piece: pieces},
	} {
		b := make([]byte, packet.MarkLen)
		m.Sent = someTime
		k.PutMark(b, m)
		if _, err := k.ReadMark(b, someTime); err != ErrForged {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

func TestReport(t *testing.T) {
	k := mustKey(t, secret)
	m := Mark{Receiver: receiver4, Token: 1<<64 - 1, Packet: 7, Piece: Last, Sent: someTime}
	h := Hop{Node: "lb1", Core: 3, Outcome: "forwarded", VIP: "www", Backend: netip.MustParseAddr("2001:db8::1"), Why: "slot 17 of 65537 > 3"}
	b := k.Report(m, h)
	h.Packet, h.Piece = 7, Last
	if token, got, err := k.ReadReport(b); err != nil || token != m.Token || got != h {
		t.Errorf("%x, %+v, %v", token, got, err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 4
		if _, _, err := k.ReadReport(c); err == nil {
			t.Fatalf("byte %d changed, and nobody minds", i)
		}
		if _, _, err := k.ReadReport(b[:i]); err == nil {
			t.Fatalf("cut to %d bytes, and nobody minds", i)
		}
	}
	if _, _, err := mustKey(t, otherSecret).ReadReport(b); err == nil {
		t.Error("another key's report is believed")
	}
	for _, body := range []string{"", "x", "[]", `{"packet":"1"}`, `{"piece":3}`, `{"piece":-1}`, `{"backend":"x"}`} {
		if _, got, err := k.ReadReport(append(k.sum(forReport, []byte(body)), body...)); err == nil || got != (Hop{}) {
			t.Errorf("%q: %+v, %v", body, got, err)
		}
	}
	// What takes most room.
	for _, c := range []string{`"`, "\x00", "\xff", "ä", "世", "\u2028"} {
		long := strings.Repeat(c, 5000)
		b := k.Report(m, Hop{Node: long, Core: -1 << 62, Outcome: long, VIP: long, Next: long, Why: long, Backend: netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")})
		_, got, err := k.ReadReport(b)
		if err != nil || len(b) > maxReport || got.Why == "" || len(got.Why) > maxWhy || !utf8.ValidString(got.Why) {
			t.Errorf("%q: %d bytes, %v", c, len(b), err)
		}
	}
}

func FuzzReadMark(f *testing.F) {
	k := mustKey(f, secret)
	b := make([]byte, packet.MarkLen)
	k.PutMark(b, Mark{Receiver: receiver6, Token: 1, Packet: 1, Sent: someTime})
	f.Add(b, false)
	f.Add(b, true)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed && len(b) >= packet.MarkLen { // as by who has the key
			m := packet.Mark(b)
			own := make([]byte, packet.MarkLen)
			k.PutMark(own, Mark{Receiver: receiver6, Packet: 1, Sent: someTime})
			copy(m, own[:8])
			copy(m[atSeal:], k.sum(forMark, m[:atSeal]))
		}
		m, err := k.ReadMark(b, someTime)
		if err != nil {
			if m != (Mark{}) || err != ErrForged && err != ErrStale {
				t.Fatalf("%+v, %v", m, err)
			}
			return
		}
		again := make([]byte, packet.MarkLen)
		k.PutMark(again, m)
		if !bytes.Equal(again, packet.Mark(b)) {
			t.Fatalf("%x is read as %+v, which is %x", b, m, again)
		}
	})
}

func FuzzReadReport(f *testing.F) {
	k := mustKey(f, secret)
	b := k.Report(Mark{Token: 1, Packet: 1}, Hop{Node: "lb1", Outcome: "forwarded", Backend: netip.MustParseAddr("10.0.0.1"), Why: "slot 1"})
	f.Add(b[32:], true)
	f.Add(b, false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed {
			b = append(k.sum(forReport, b), b...)
		}
		token, h, err := k.ReadReport(b)
		if err != nil {
			if token != 0 || h != (Hop{}) {
				t.Fatalf("%d, %+v, %v", token, h, err)
			}
			return
		}
		if h.Piece >= pieces || !json.Valid(b[32:]) {
			t.Fatalf("%+v of %q", h, b)
		}
		if _, again, err := k.ReadReport(k.Report(Mark{Token: token, Packet: h.Packet, Piece: h.Piece}, h)); err != nil || again.Packet != h.Packet {
			t.Fatalf("%+v, %v", again, err)
		}
	})
}
