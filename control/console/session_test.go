package console

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/lcore"
)

// A rig is a server with a fake behind it.
type rig struct {
	t        testing.TB
	node     *fake
	log      *lines
	settings config.Console
	server   *Server
}

// newRig serves with the settings and limits that are given.
func newRig(t testing.TB, with ...func(*config.Console, *Options)) *rig {
	r := &rig{t: t, node: newFake(t), log: &lines{}, settings: config.Console{Sessions: 4, IdleTimeout: time.Minute}}
	o := Options{loginDelay: 10 * time.Millisecond}
	for _, w := range with {
		w(&r.settings, &o)
	}
	r.serve(config.Listen{Network: "tcp", Address: "127.0.0.1:0"}, o)
	return r
}

// withPassword has the password of secretFile asked for.
func withPassword(path string) func(*config.Console, *Options) {
	return func(c *config.Console, _ *Options) { c.PasswordFile = path }
}

func (r *rig) serve(at config.Listen, o Options) {
	r.t.Helper()
	o.Listen, o.Node, o.Settings, o.Log = at, r.node, func() config.Console { return r.settings }, r.log.logger()
	server, err := Serve(o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = server
	r.t.Cleanup(func() {
		server.Close()
		if s := r.log.String(); strings.Contains(s, "panicked") && !r.node.panics {
			r.t.Error(s)
		}
	})
}

// A client speaks to a server over TCP.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (r *rig) dial() *client {
	r.t.Helper()
	network, address := "tcp", r.server.Addr()
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{r.t, conn, bufio.NewReader(conn)}
}

// until reads up to a text, and returns what comes before it.
func (c *client) until(end string) string {
	c.t.Helper()
	var got strings.Builder
	for !strings.HasSuffix(got.String(), end) {
		b, err := c.r.ReadByte()
		if err != nil {
			c.t.Fatalf("%v after %q, want %q", err, got.String(), end)
		}
		got.WriteByte(b)
	}
	return strings.TrimSuffix(got.String(), end)
}

// ask says a line and returns the answer.
func (c *client) ask(line string) string {
	c.t.Helper()
	io.WriteString(c, line+"\n")
	return c.until("lb1> ")
}

// rest reads to the end.
func (c *client) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		c.t.Fatal(err)
	}
	return string(b)
}

func TestConversation(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	if got := c.until("lb1> "); got != "Guideway v1.2.3 on lb1. help lists the commands, quit leaves.\n" {
		t.Errorf("greeting %q", got)
	}
	for _, one := range []struct{ line, want string }{
		{"sh vers", "guideway  v1.2.3\n"},
		{"", ""},
		{"   ", ""},
		{"sh v", "\"show v\" may be vips, version\n"},
		{"show c", "\"show c\" may be checks, conntrack, cores, counters, config\n"},
		{"show", "show what? vips, pools, "},
		{"shwo vips", "there is no command \"shwo\": did you mean \"show\"? (help lists them)\n"},
		{"show vpis", "there is no \"vpis\" to show: did you mean \"show vips\"? (help lists all)\n"},
		{"show vips wwww", "there is no VIP \"wwww\": did you mean \"www\"?\n"},
		{"show vips www dns", "\"dns\" is too much: usage: show vips [NAME]\n"},
		{"show backends 10.9.9.9", "there is no backend \"10.9.9.9\""},
		{"frobnicate", "there is no command \"frobnicate\" (help lists them)\n"},
		{"help drian", "there is no command \"drian\": did you mean \"drain\"?"},
		{"? rel", "reload [--force]: loads"},
		{"help sh", "show vips"},
		{"show vips -json", "{\n  \"note\": \"\",\n  \"vips\": ["},
		{"--json nonsense", "{\"error\":\"there is no command \\\"nonsense\\\" (help lists them)\"}\n"},
		{"show 'vips", "a quote, ', is not closed\n"},
		{"show \x80", "the line is not UTF-8\n"},
		{"show \x1bvips", "the line has a control character, '\\x1b'\n"},
		{"watch reload", "reload is not for watching"},
		{"watch show cores 1ms", "an interval is from 1s to 1h0m0s"},
		{"drain", "which backend?: usage: drain ADDRESS [vip NAME] [--force] | node\n"},
		{"drain 10.0.0.1 vip nope", "there is no VIP \"nope\"\n"},
		{"drain 10.0.1.1 vip www", "there is no backend \"10.0.1.1\""},
		{"kill node", "\"node\" is no address of a backend"},
		{"explain", "a packet has a protocol, a sender and a destination: usage: explain"},
		{"explain tcp 1.2.3.4 > 5.6.7.8:80", "a port is missing"},
		{"explain tcp 1.2.3.4:1 > [2001:db8::1]:80", "are of two families"},
		{"explain xyz 1.2.3.4:1 > 5.6.7.8:80", "\"xyz\" is no protocol"},
		{"explain udp 1.2.3.4 > 5.6.7.8 fragment offset 7", "no multiple of 8"},
		{"explain tcp 1.2.3.4:1 > 5.6.7.8:80 size 70000", "size \"70000\" is not a number up to 65535"},
		{"capture tmp.pcapng", "is no path from / of a .pcapng file"},
		{"capture /tmp/../etc/x.pcapng", "is no path from /"},
		{"capture count 0 /tmp/x.pcapng", "count \"0\" is not a number from 1"},
		{"trace tcp 1.2.3.4:1 > 5.6.7.8:1", "no port to send by\n"},
		{"\xc3\xa4", "there is no command \"\u00e4\""},
		{"show v\x7f\bvips", "there is no"},
	} {
		if got := c.ask(one.line); !strings.Contains(got, one.want) || one.want == "" && got != "" {
			t.Errorf("%q: %q, want %q", one.line, got, one.want)
		}
	}
	io.WriteString(c, "quit\n")
	if got := c.rest(); got != "" {
		t.Errorf("after quit: %q", got)
	}
}

// TestAudit: what changes something is in the log with who did it, also if it
// failed; what does not change anything is not.
func TestAudit(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.until("> ")
	c.ask("show vips")
	c.ask("drain 10.0.0.1 vip www")
	r.node.mu.Lock()
	r.node.refuse = errors.New("VIP www would lose 2 of 3 backends")
	r.node.mu.Unlock()
	if got := c.ask("kill 10.0.0.2"); got != "VIP www would lose 2 of 3 backends: add --force to do it all the same\n" {
		t.Errorf("without --force: %q", got)
	}
	if got := c.ask("kill 10.0.0.2 --force"); !strings.HasPrefix(got, "10.0.0.2 is killed: every core works by generation 3") {
		t.Errorf("with --force: %q", got)
	}
	who := c.LocalAddr().String()
	want := fmt.Sprintf(`level=INFO msg="console command" peer=%[1]s session=1 command="drain 10.0.0.1 vip www"
level=WARN msg="console command failed" peer=%[1]s session=1 command="kill 10.0.0.2" error="VIP www would lose 2 of 3 backends: add --force to do it all the same"
level=INFO msg="console command" peer=%[1]s session=1 command="kill 10.0.0.2 --force"
`, who)
	if got := r.log.String(); got != want {
		t.Errorf("log\n%s\nwant\n%s", got, want)
	}
}

func TestOldCounters(t *testing.T) {
	r := newRig(t)
	r.node.late, r.node.silent = &lcore.SilentError{CPUs: []int{3}, Err: errors.New("in time")}, true
	c := r.dial()
	c.until("> ")
	for _, line := range []string{"show cores", "show vips", "show counters", "show conntrack", "show fragments", "show backends"} {
		if got := c.ask(line); !strings.HasPrefix(got, "some counters are old: cores [3] do not answer: in time\n") {
			t.Errorf("%s: %q", line, got)
		}
	}
	if got := c.ask("show cores"); !strings.Contains(got, "  3  never answered\n") {
		t.Errorf("%s", got)
	}
	r.node.silent = false
	if got := c.ask("show cores"); !strings.Contains(got, "  3  stalled ") || !strings.Contains(got, "  2  current ") {
		t.Errorf("%s", got)
	}
}

func TestWatch(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.until("> ")
	io.WriteString(c, "watch show version 1s\n")
	began := time.Now()
	c.until("guideway  v1.2.3")
	c.until("guideway  v1.2.3")
	if d := time.Since(began); d < 900*time.Millisecond || d > 5*time.Second {
		t.Errorf("the second answer came after %v", d)
	}
	c.ask("") // ends it
	io.WriteString(c, "watch show version\n")
	c.until("guideway  v1.2.3")
	io.WriteString(c, "show bgp\n") // ends it, and is obeyed
	c.until("lb1> ")
	if got := c.until("lb1> "); !strings.HasPrefix(got, "as         64512") {
		t.Errorf("after watch: %q", got)
	}
}

// TestCaptureStops: Enter ends a capture, which still says how it went; a client
// that has nothing more to say does not.
func TestCaptureStops(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.until("> ")
	io.WriteString(c, "capture never after seconds 60 count 5 /tmp/x.pcapng\n")
	if got, want := <-r.node.capturing, (Capture{Filter: "never", After: true, Count: 5, Seconds: 60, File: "/tmp/x.pcapng"}); got != want {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
	if got, want := c.ask(""), "7 packets, 700 B, in /tmp/x.pcapng\n1 more were missed: there was no time to copy them\nended by the operator\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	io.WriteString(c, "capture never /tmp/x.pcapng\n")
	<-r.node.capturing
	c.Conn.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(1500 * time.Millisecond))
	if b, err := c.r.ReadByte(); err == nil {
		t.Errorf("the end of input ended a capture: %q", b)
	}
}

// TestCaptureOfNobody: a client that is gone, and has not only said all it has to
// say, ends what it waited for.
func TestCaptureOfNobody(t *testing.T) {
	for name, gone := range map[string]func(*testing.T) (*rig, *client){
		"reset": func(t *testing.T) (*rig, *client) {
			r := newRig(t)
			c := r.dial()
			c.Conn.(*net.TCPConn).SetLinger(0)
			return r, c
		},
		"closed": func(t *testing.T) (*rig, *client) {
			r := newRig(t)
			r.serve(config.Listen{Network: "unix", Address: filepath.Join(t.TempDir(), "console.sock")}, Options{})
			return r, r.dial()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, c := gone(t)
			io.WriteString(c, "capture never /tmp/x.pcapng\n")
			<-r.node.capturing
			c.Close()
			for end := time.Now().Add(20 * time.Second); !strings.Contains(r.log.String(), "capture never"); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("it goes on")
				}
			}
		})
	}
}

// TestPipe is what a script sends: all at once, the last line without its end,
// and then nothing.
func TestPipe(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	io.WriteString(c, "show version\r\nshow bgp\nshow nodes")
	c.Conn.(*net.TCPConn).CloseWrite()
	got := c.rest()
	for _, want := range []string{"lb1> guideway  v1.2.3", "lb1> as         64512", "lb1> NAME  ADDRESS     STATE", "no answer in 200ms\nlb1> "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestLongLines(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.until("> ")
	if got := c.ask(strings.Repeat("x", maxLine)); !strings.HasPrefix(got, "there is no command \"xxx") {
		t.Errorf("%.60q", got)
	}
	if got := c.ask(strings.Repeat("x", maxLine+1)); got != "the line is longer than 4096 bytes\n" {
		t.Errorf("%.60q", got)
	}
	if got := c.ask("show version"); !strings.HasPrefix(got, "guideway") {
		t.Errorf("after a long line: %q", got)
	}
	for i := 0; i < maxWaste+2*maxLine; i += 4096 {
		if _, err := io.WriteString(c, strings.Repeat("y", 4096)); err != nil {
			break
		}
	}
	c.rest()
	if !strings.Contains(r.log.String(), "it floods") {
		t.Error("a line without end is not ended")
	}
}

func TestSessionsAreLimited(t *testing.T) {
	r := newRig(t)
	var open []*client
	for range 4 {
		c := r.dial()
		c.until("> ")
		open = append(open, c)
	}
	if got := r.dial().rest(); got != "4 sessions are open, and no more are allowed: try again later\n" {
		t.Errorf("the fifth: %q", got)
	}
	open[0].ask("show version")
	open[0].Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		c := r.dial()
		if b, _ := c.r.Peek(1); len(b) == 1 && b[0] == 'G' {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no session is free again")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestIdle(t *testing.T) {
	r := newRig(t, func(c *config.Console, _ *Options) { c.IdleTimeout = 300 * time.Millisecond })
	c := r.dial()
	c.until("> ")
	c.ask("show version")
	began := time.Now()
	if got := c.rest(); got != "\nnothing was said for 0s: goodbye\n" {
		t.Errorf("%q", got)
	}
	if d := time.Since(began); d < 200*time.Millisecond || d > 5*time.Second {
		t.Errorf("after %v", d)
	}
}

// TestSlowReader: who does not read is left, and holds up nobody.
func TestSlowReader(t *testing.T) {
	r := newRig(t, func(_ *config.Console, o *Options) { o.writeLimit = 300 * time.Millisecond })
	slow := r.dial()
	go func() {
		for range 100_000 { // no more than the kernel's buffers take
			if _, err := io.WriteString(slow, "show counters all -json\n"); err != nil {
				return
			}
		}
	}()
	quick := r.dial()
	quick.until("> ")
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
		asked := time.Now()
		quick.ask("show vips")
		if d := time.Since(asked); d > 2*time.Second {
			t.Errorf("an answer took %v", d)
		}
	}
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		r.server.mu.Lock()
		n := len(r.server.sessions)
		r.server.mu.Unlock()
		if n == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the slow reader is still there")
		}
	}
}

func TestPassword(t *testing.T) {
	path := secretFile(t)
	r := newRig(t, withPassword(path))
	c := r.dial()
	c.until("\xff\xfb\x01password: ")
	io.WriteString(c, "sardine\n")
	c.until("\xff\xfc\x01\nthat is not the password\n")
	c.until("password: ")
	io.WriteString(c, "swordfish\r\n")
	c.until("lb1> ")
	if got := c.ask("show version"); !strings.HasPrefix(got, "guideway") {
		t.Errorf("%q", got)
	}
	os.WriteFile(path, []byte("barracuda"), 0o600) // counts at once
	c = r.dial()
	for range 3 {
		c.until("password: ")
		io.WriteString(c, "swordfish\n")
	}
	if got := c.rest(); strings.Contains(got, "lb1>") || strings.Count(got, "not the password") != 1 {
		t.Errorf("after three attempts: %q", got)
	}
	if n := strings.Count(r.log.String(), "console login failed"); n != 4 {
		t.Errorf("%d failed logins in the log, want 4\n%s", n, r.log)
	}
	os.Remove(path)
	if got := r.dial().rest(); got != "the password cannot be checked: see the log\n" {
		t.Errorf("without the file: %q", got)
	}
	os.WriteFile(path, []byte("\n"), 0o600)
	if got := r.dial().rest(); got != "the password cannot be checked: see the log\n" {
		t.Errorf("with an empty file: %q", got)
	}
}

func TestLoginTakesNoForever(t *testing.T) {
	r := newRig(t, withPassword(secretFile(t)), func(_ *config.Console, o *Options) { o.loginLimit = 200 * time.Millisecond })
	if got := r.dial().rest(); !strings.HasSuffix(got, "goodbye\n") {
		t.Errorf("%q", got)
	}
}

// TestFault: a fault in a command ends the command.
func TestFault(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.until("> ")
	r.node.mu.Lock()
	r.node.panics = true
	r.node.mu.Unlock()
	if got := c.ask("show config"); got != "this is a fault of Guideway's: the log has the details\n" {
		t.Errorf("%q", got)
	}
	if got := c.ask("show version"); !strings.HasPrefix(got, "guideway") {
		t.Errorf("%q", got)
	}
}

func TestUnixSocket(t *testing.T) {
	r := &rig{t: t, node: newFake(t), log: &lines{}, settings: config.Console{Sessions: 4, IdleTimeout: time.Minute}}
	path := filepath.Join(t.TempDir(), "console.sock")
	left, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	if _, err := Serve(Options{Listen: config.Listen{Network: "unix", Address: path}, Log: r.log.logger()}); err == nil || !strings.Contains(err.Error(), "another process serves at") {
		t.Errorf("beside another: %v", err)
	}
	left.Close() // as a process does that is killed: the socket stays
	r.serve(config.Listen{Network: "unix", Address: path}, Options{})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	c := r.dial()
	c.until("> ")
	c.ask("undrain node")
	if want := fmt.Sprintf(`peer="unix:uid=%d,pid=%d" session=1 command="undrain node"`, os.Getuid(), os.Getpid()); !strings.Contains(r.log.String(), want) {
		t.Errorf("log\n%s\nwant %s", r.log, want)
	}
	r.server.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// TestNoGoroutineIsLeft: sessions, watched or capturing, end with the server.
func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRig(t)
	for _, line := range []string{"", "watch show vips\n", "capture never /tmp/x.pcapng\n", "show vi"} {
		c := r.dial()
		c.until("> ")
		io.WriteString(c, line)
	}
	<-r.node.capturing
	r.server.Close()
	r.server.Close()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before %d\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
		}
	}
}

// TestFrames is what the guideway command relies on.
func TestFrames(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	io.WriteString(c, ".frames\nshow version\nnonsense\n.complete drain 10.0.0.1 vip\n\x03\x03watch show version 1s\n")
	for _, want := range []string{"lb1> \x1eok lb1> \n", "ago\n\x1eok lb1> \n", "list them)\n\x1eerror lb1> \n", "dns\nrest\nwww\n\x1eok lb1> \n", "ago\n\x1eagain \n", "ago\n\x1eagain \n"} {
		c.until(strings.Replace(want, "list them", "lists them", 1))
	}
	io.WriteString(c, "\x03")
	c.until("\x1eok lb1> \n")
	io.WriteString(c, "quit\n")
	if got := c.rest(); got != "" {
		t.Errorf("at the end: %q", got)
	}
}
