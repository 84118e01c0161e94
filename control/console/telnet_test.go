package console

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"guideway/control/config"
)

// decode gives bytes to a decoder and writes down what it makes of them.
func decode(d *decoder, in string) (events []string, replies string) {
	for i := range len(in) {
		e := d.take(in[i])
		replies += string(d.reply)
		switch e {
		case lineEnd:
			events = append(events, fmt.Sprintf("%q", d.line))
		case nothing:
		default:
			events = append(events, map[event]string{tooLong: "long", interrupt: "^C", ayt: "ayt", ending: "^D", flooding: "flood"}[e])
		}
	}
	return events, replies
}

func TestDecoder(t *testing.T) {
	for _, c := range []struct{ name, in, events, replies string }{
		{"ends of lines", "a\nb\r\nc\r\x00d\re\n\n", `"a" "b" "c" "d" "e" ""`, ""},
		{"refusals", "\xff\xfd\x01\xff\xfb\x1fx\xff\xfe\x03\xff\xfc\x03\n", `"x"`, "\xff\xfc\x01\xff\xfe\x1f"},
		{"a byte 255", "a\xff\xffb\n", `"a\xffb"`, ""},
		{"subnegotiation", "a\xff\xfa\x18\x00vt100\n\xff\xff\xff\xf0b\n", `"ab"`, ""},
		{"commands", "ab\xff\xf7c\n", `"ac"`, ""},
		{"erase line", "ab\xff\xf8c\n", `"c"`, ""},
		{"interrupt", "ab\xff\xf4c\n", `^C "c"`, ""},
		{"^C of telnet", "x\xff\xf4\xff\xfd\x06y\n", `^C "y"`, "\xff\xfc\x06"},
		{"are you there", "\xff\xf6\xff\xf1\n", `ayt ""`, ""},
		{"end of file", "\xff\xec", `^D`, ""},
		{"keys", "ab\x7fc\xc3\xa4\b\x03d\x04\n\x04", `^C "d" ^D`, ""},
		{"too long", strings.Repeat("x", maxLine+1) + "\ny\n", `long "y"`, ""},
		{"as long as may be", strings.Repeat("x", maxLine) + "\n", `"` + strings.Repeat("x", maxLine) + `"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, replies := decode(&decoder{}, c.in)
			if got := strings.Join(events, " "); got != c.events || replies != c.replies {
				t.Errorf("%s, replies %q; want %s, %q", got, replies, c.events, c.replies)
			}
		})
	}
	d := &decoder{echoing: true}
	if _, replies := decode(d, "\xff\xfd\x01\xff\xfd\x03"); replies != "\xff\xfc\x03" {
		t.Errorf("replies to who takes our offer: %q", replies)
	}
}

// TestOffersWithoutEnd: whoever only negotiates is not answered for ever, but who
// says something from time to time is.
func TestOffersWithoutEnd(t *testing.T) {
	if events, replies := decode(&decoder{}, strings.Repeat("\xff\xfd\x06", maxReplies+1)); len(replies) != 3*maxReplies || strings.Join(events, " ") != "flood" {
		t.Errorf("%d bytes of replies, %v", len(replies), events)
	}
	if events, _ := decode(&decoder{}, strings.Repeat("\xff\xfd\x06\n", 3*maxReplies)); strings.Contains(strings.Join(events, " "), "flood") {
		t.Error("a client that speaks was taken for a flood")
	}
}

// TestTelnet speaks through the real telnet, under a terminal: it negotiates, sends
// CR LF, and hides the password.
func TestTelnet(t *testing.T) {
	r := newRig(t, withPassword(secretFile(t)))
	host, port, _ := net.SplitHostPort(r.server.Addr())
	s := newTerminal(t, "telnet", host, port)
	s.expect("password: ")
	s.write("swordfish\r")
	s.expect("Guideway v1.2.3 on lb1.")
	s.expect("lb1> ")
	if strings.Contains(s.all(), "swordfish") {
		t.Errorf("the password is shown:\n%s", s.all())
	}
	s.write("show vips\r")
	s.expect("NAME  ADDRESS")
	s.expect("www   203.0.113.10    tcp    80,443,8000-8010  serving  announced")
	s.expect("lb1> ")
	s.write("watch show version 1s\r")
	s.expect("guideway  v1.2.3")
	s.write("\r")
	s.expect("lb1> ")
	s.write("quit\r")
	s.expect("Connection closed by foreign host.")
}

// TestTelnetInterrupts: ^C in telnet gives up what is typed, or ends a watch, and
// the session goes on.
func TestTelnetInterrupts(t *testing.T) {
	r := newRig(t)
	host, port, _ := net.SplitHostPort(r.server.Addr())
	s := newTerminal(t, "telnet", host, port)
	s.expect("lb1> ")
	s.write("watch show version 1s\r")
	s.expect("started")
	s.write("\x03")
	s.expect("lb1> ")
	s.write("show bgp\r")
	s.expect("203.0.113.53/32")
}

func TestNetcat(t *testing.T) {
	r := newRig(t)
	host, port, _ := net.SplitHostPort(r.server.Addr())
	// One byte at a time: a line is a line however it is cut.
	in := iotest.OneByteReader(strings.NewReader("show version\nshow vips -json\n"))
	got := run(t, in, "nc", "-N", host, port)
	if !strings.Contains(got, "\nlb1> guideway  v1.2.3\n") || !strings.Contains(got, `"name": "www",`) || strings.Contains(got, "\r") {
		t.Errorf("%s", got)
	}
	path := t.TempDir() + "/console.sock"
	u := &rig{t: t, node: r.node, log: r.log, settings: r.settings}
	u.serve(config.Listen{Network: "unix", Address: path}, Options{})
	if got := run(t, strings.NewReader("show bgp\nquit\n"), "nc", "-U", path); !strings.Contains(got, "lb1> as         64512\n") {
		t.Errorf("by a Unix socket: %s", got)
	}
}

func run(t *testing.T, in io.Reader, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = in
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s (third_party/install.sh test): %v\n%s", name, err, out.String())
	}
	return out.String()
}

// TestLineEnds: a client that has shown that it speaks telnet gets CR LF (RFC 854),
// any other LF.
func TestLineEnds(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.until("> ")
	if got := c.ask("show version"); strings.Contains(got, "\r") {
		t.Errorf("%q", got)
	}
	if got := c.ask("\xff\xf1show version"); strings.Count(got, "\r\n") != strings.Count(got, "\n") || strings.Count(got, "\n") < 5 {
		t.Errorf("to telnet: %q", got)
	}
}
