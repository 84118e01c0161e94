package health

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	from4 = &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 254}}
	from6 = &unix.SockaddrInet6{Addr: netip.MustParseAddr("2001:db8::fe").As16()}
)

// Messages as raw sockets give them, of requests with identifier 0xbeef,
// sequence number 0x0102 and the token 00 11 .. ff.
const (
	head4  = "4500 0034 1234 0000 4001 0000 c00002fe c0000201" // from 192.0.2.254
	quote4 = "4500 0034 1234 4000 4001 0000 c0000201 c6336407" // to 198.51.100.7
	quote6 = "60000000 0018 3a40 20010db8000000000000000000000001 20010db8000100000000000000000007"
	id     = "beef 0102"
	secret = "00112233445566778899aabbccddeeff"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequest(t *testing.T) {
	tok := token(unhex(t, secret))
	for to, want := range map[string]string{
		"192.0.2.2": "0800 7bca" + id + secret,
		// Its checksum is the kernel's.
		"2001:db8::2": "8000 0000" + id + secret,
	} {
		b, err := request(ip(to), 0xbeef, 0x0102, tok)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := hex.EncodeToString(b), hex.EncodeToString(unhex(t, want)); got != want {
			t.Errorf("to %s: %s, want %s", to, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	options := strings.Replace(head4, "45", "46", 1) + "01010101"
	quotedOptions := strings.Replace(quote4, "45", "46", 1) + "01010101"
	for _, c := range []struct {
		what, wire string
		from       unix.Sockaddr
		want       string // peer and words; "": nothing
	}{
		{"reply", head4 + "0000 0000" + id + secret, from4, "192.0.2.254 answers"},
		{"reply, IP options", options + "0000 0000" + id + secret, from4, "192.0.2.254 answers"},
		{"reply", "8100 0000" + id + secret, from6, "2001:db8::fe answers"},
		{"reply, short", head4 + "0000 0000" + id + secret[2:], from4, ""},
		{"reply, long", "8100 0000" + id + secret + "00", from6, ""},
		{"request", head4 + "0800 0000" + id + secret, from4, ""},
		{"request", "8000 0000" + id + secret, from6, ""},

		{"error", head4 + "0300 0000 00000000" + quote4 + "0800 0000" + id, from4, "198.51.100.7 network unreachable, says 192.0.2.254"},
		{"error", head4 + "030d 0000 00000000" + quote4 + "0800 0000" + id, from4, "198.51.100.7 administratively prohibited, says 192.0.2.254"},
		{"error, odd code", head4 + "03c8 0000 00000000" + quote4 + "0800 0000" + id, from4, "198.51.100.7 unreachable, says 192.0.2.254"},
		{"error, code of another type", head4 + "0b01 0000 00000000" + quote4 + "0800 0000" + id, from4, "198.51.100.7 time exceeded, says 192.0.2.254"},
		{"error, IP options twice", options + "0301 0000 00000000" + quotedOptions + "0800 0000" + id, from4, "198.51.100.7 host unreachable, says 192.0.2.254"},
		{"error", "0103 0000 00000000" + quote6 + "8000 0000" + id, from6, "2001:db8:1::7 address unreachable, says 2001:db8::fe"},
		{"error", "0300 0000 00000000" + quote6 + "8000 0000" + id, from6, "2001:db8:1::7 time exceeded, says 2001:db8::fe"},
		{"error about a reply", head4 + "0300 0000 00000000" + quote4 + "0000 0000" + id, from4, ""},
		{"error about a reply", "0100 0000 00000000" + quote6 + "8100 0000" + id, from6, ""},
		{"error about UDP", head4 + "0300 0000 00000000" + strings.Replace(quote4, "4001", "4011", 1) + "0800 0000" + id, from4, ""},
		{"error about UDP", "0100 0000 00000000" + strings.Replace(quote6, "3a40", "1140", 1) + "8000 0000" + id, from6, ""},
		{"redirect", head4 + "0500 0000 00000000" + quote4 + "0800 0000" + id, from4, ""},
		{"neighbour advertisement", "8800 0000 00000000" + quote6 + "8000 0000" + id, from6, ""},
		{"quote of the other family", head4 + "0300 0000 00000000" + quote6 + "8000 0000" + id, from4, ""},
		{"quote with a bad header length", head4 + "0300 0000 00000000" + strings.Replace(quote4, "45", "41", 1) + "0800 0000" + id, from4, ""},
		{"bad header length", strings.Replace(head4, "45", "41", 1) + "0000 0000" + id + secret, from4, ""},
		{"no address", head4 + "0000 0000" + id + secret, nil, ""},
	} {
		b := unhex(t, c.wire)
		m, got := parse(b, c.from), ""
		switch m.kind {
		case echoReply:
			got = m.peer.String() + " answers"
			if m.token != token(unhex(t, secret)) {
				t.Errorf("%s: token %x", c.what, m.token)
			}
		case echoError:
			got = m.peer.String() + " " + m.err.Error()
		}
		if got != c.want || got != "" && (m.id != 0xbeef || m.seq != 0x0102) {
			t.Errorf("%s %s: %q, %x %x; want %q", c.what, c.wire, got, m.id, m.seq, c.want)
		}
		if c.want == "" {
			continue
		}
		// Nothing that is cut short means anything.
		for n := range b {
			if m := parse(b[:n:n], c.from); m.kind != noMessage {
				t.Errorf("%s, cut to %d of %d bytes: %+v", c.what, n, len(b), m)
			}
		}
	}
}

// TestParseAnything: whatever comes, parse returns.
func TestParseAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	bases := [][]byte{
		unhex(t, head4+"0300 0000 00000000"+quote4+"0800 0000"+id),
		unhex(t, "0103 0000 00000000"+quote6+"8000 0000"+id),
	}
	understood := 0
	for range 200_000 {
		i := r.IntN(2)
		b := append([]byte(nil), bases[i]...)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		n := r.IntN(len(b) + 1)
		if m := parse(b[:n:n], []unix.Sockaddr{from4, from6}[i]); m.kind != noMessage {
			understood++
		}
	}
	if understood == 0 {
		t.Error("nothing was understood")
	}
}
