package machine

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func (f fixture) addresses(key string) (list []netip.Addr) {
	for s := range strings.SplitSeq(f.want[key], ",") {
		if a, err := netip.ParseAddr(s); err == nil {
			list = append(list, a)
		}
	}
	return list
}

// TestBackends judges made-up backends.
func TestBackends(t *testing.T) {
	golden(t, "testdata/backend", func(t *testing.T, f fixture) string {
		var b strings.Builder
		findings := JudgeBackend(LookBackend(f.source(), f.addresses("from")), f.addresses("vips"), f.addresses("from"))
		Write(&b, findings)
		return b.String()
	})
}

func TestJudgeArrivals(t *testing.T) {
	a := netip.MustParseAddr
	vips, from := []netip.Addr{a("203.0.113.80"), a("2001:db8::80")}, []netip.Addr{a("192.0.2.11"), a("192.0.2.12")}
	findings := JudgeArrivals([]Arrival{
		{From: a("192.0.2.11"), To: a("203.0.113.80"), Packets: 7},
		{From: a("192.0.2.11"), To: a("203.0.113.99"), Packets: 1},
		{From: a("192.0.2.66"), To: a("2001:db8::80"), Packets: 2},
		{From: a("192.0.2.77"), Odd: "cut short", Packets: 3},
	}, vips, from)
	want := []string{
		"ok 7 packets from 192.0.2.11 for 203.0.113.80",
		"note 1 packets from 192.0.2.11 for 203.0.113.99, which is none of these VIPs",
		"note 2 packets from 192.0.2.66 for 2001:db8::80, which was not named with --from",
		"note 3 packets from 192.0.2.77 cut short: not from a load balancer of this kind",
		"MISSING no packet for 2001:db8::80 has arrived",
		"note nothing has come from 192.0.2.12",
	}
	for i, f := range findings {
		if got := fmt.Sprint(f.Severity, " ", f.Text); i >= len(want) || got != want[i] {
			t.Errorf("%d: %s", i, got)
		}
	}
	if len(findings) != len(want) {
		t.Errorf("%d findings, want %d", len(findings), len(want))
	}
}

func FuzzInnerDestination(f *testing.F) {
	for _, s := range []string{
		"00000800450000140000000040060000c0000207cb007150", "0100080045000014", "000086dd6000000000000640" + strings.Repeat("20", 32), "20000800", "00000806", "",
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		to, odd := innerDestination(b)
		if to.IsValid() != (odd == "") {
			t.Errorf("%x: %v and %q", b, to, odd)
		}
	})
}

func TestInnerDestination(t *testing.T) {
	four := []byte{0, 0, 8, 0, 0x45, 19: 0, 20: 203, 0, 113, 80}
	six := append([]byte{1, 0, 0x86, 0xdd, 0x60}, make([]byte, 39)...)
	six[4+24], six[4+39] = 0x20, 0x80
	for _, c := range []struct {
		gre  []byte
		want string
	}{
		{four, "203.0.113.80"}, {six, "2000::80"}, {four[:23], "cut short"}, {six[:43], "cut short"}, {four[:3], "cut short"},
		{[]byte{0x20, 0, 8, 0}, "with GRE options"}, {[]byte{0, 0, 8, 6, 0}, "with something other than IP inside"},
	} {
		to, odd := innerDestination(c.gre)
		if got := odd; got != c.want && to.String() != c.want {
			t.Errorf("%x: %v, %q, want %s", c.gre, to, odd, c.want)
		}
	}
}
