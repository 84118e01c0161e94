package console

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/control/config"
)

// A terminal is a program under a pseudo-terminal, typed at and read as a person
// does.
type terminal struct {
	t      testing.TB
	master *os.File
	mu     sync.Mutex
	screen strings.Builder
	seen   int // what expect has passed
	fresh  chan struct{}
}

func newTerminal(t testing.TB, name string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append(os.Environ(), "TERM=vt100")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s (third_party/install.sh test): %v", name, err)
	}
	slave.Close()
	s := &terminal{t: t, master: master, fresh: make(chan struct{}, 1)}
	go s.read()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		master.Close()
	})
	return s
}

func (s *terminal) read() {
	buffer := make([]byte, 4096)
	for {
		n, err := s.master.Read(buffer)
		s.mu.Lock()
		s.screen.Write(buffer[:n])
		s.mu.Unlock()
		select {
		case s.fresh <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *terminal) write(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *terminal) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// expect waits for a text, after what was expected before.
func (s *terminal) expect(text string) {
	s.t.Helper()
	late := time.After(10 * time.Second)
	for {
		all := s.all()
		if i := strings.Index(all[s.seen:], text); i >= 0 {
			s.seen += i + len(text)
			return
		}
		select {
		case <-s.fresh:
		case <-late:
			s.t.Fatalf("no %q; on the screen since then:\n%q", text, all[s.seen:])
		}
	}
}

func secretFile(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("swordfish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// built is where the guideway command is; empty: no test wanted it.
var built string

// guideway is the guideway command, built once.
var guideway = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "guideway")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "guideway")
	cmd := exec.Command("go", "build", "-o", path, "guideway/cmd/guideway")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

func guidewayCommand(t testing.TB) string {
	t.Helper()
	path, err := guideway()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTerminal: the guideway command in a terminal edits lines, knows what was
// said before, completes, watches, and gives up a line at ^C.
func TestTerminal(t *testing.T) {
	r := newRig(t, withPassword(secretFile(t)))
	s := newTerminal(t, guidewayCommand(t), "console", r.server.Addr())
	s.expect("password: ")
	s.write("wrong\r")
	s.expect("that is not the password")
	s.write("swordfish\r")
	s.expect("lb1> ")
	if strings.Contains(s.all(), "swordfish") {
		t.Errorf("the password is shown:\n%s", s.all())
	}
	s.write("show verison\x1b[D\x1b[D\x1b[D\x1b[D\x7fr\x1b[D\x7f") // edited into something that is none
	s.write("\x05\x15show version\r")
	s.expect("guideway  v1.2.3")
	s.expect("lb1> ")
	s.write("\x1b[A\r") // the same again
	s.expect("guideway  v1.2.3")
	s.expect("lb1> ")
	s.write("sh\t") // one command begins so
	s.expect("show ")
	s.write("v\t") // two things to show begin so: both are shown
	s.expect("vips  version")
	s.write("i\t www\r")
	s.expect("traffic  300,000 packets")
	s.expect("lb1> ")
	s.write("drain 10.0.0.\t")
	s.expect("10.0.0.1  10.0.0.2  10.0.0.3")
	s.write("2 v\tw\t\r") // vip www
	s.expect("10.0.0.2 vip www is drained")
	s.expect("lb1> ")
	s.write("kill 10.0.0.1\x03show nodes\r")
	s.expect("this node")
	s.expect("lb1> ")
	s.write("watch show version 1s\r")
	s.expect("guideway  v1.2.3")
	s.expect("guideway  v1.2.3")
	s.write(" ")
	s.expect("lb1> ")
	s.write("capture never /tmp/x.pcapng\r")
	<-r.node.capturing
	s.write("\r")
	s.expect("7 packets, 700 B")
	s.expect("lb1> ")
	s.write("\x04")
	if strings.Contains(r.log.String(), "command=\"kill") {
		t.Errorf("a line that was given up was obeyed:\n%s", r.log)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r.server.mu.Lock()
		n := len(r.server.sessions)
		r.server.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("^D does not end the session")
		}
	}
}

// TestTerminalIsTold: a session that the node ends does not leave a person at a
// dead prompt.
func TestTerminalIsTold(t *testing.T) {
	r := newRig(t, func(c *config.Console, _ *Options) { c.IdleTimeout = 500 * time.Millisecond })
	s := newTerminal(t, guidewayCommand(t), "console", r.server.Addr())
	s.expect("lb1> ")
	s.expect("guideway console: nothing was said for 0s: goodbye")
}

// TestScript: without a terminal, answers and nothing else.
func TestScript(t *testing.T) {
	r := newRig(t, withPassword(secretFile(t)))
	for _, c := range []struct {
		in, args, out, errs string
		code                int
	}{
		{"show nodes -json\n\nshow vips nope\nshow version\nquit\nshow bgp\n", "-p SECRET ADDR", "{*}\nguideway  v1.2.3\n*ago\n", "there is no VIP \"nope\"\n", 1},
		{"show version\n", "-p SECRET ADDR", "guideway*ago\n", "", 0},
		{"", "-p SECRET -c 'show version' ADDR", "guideway*ago\n", "", 0},
		{"watch show version 1s\nshow nodes\n", "-p SECRET ADDR", "guideway*ago\nNAME*no answer in 200ms\n", "", 0},
		{"watch show version 1s\n", "-p SECRET ADDR", "guideway*ago\n", "", 0},
		{"", "-c 'show version' ADDR", "", "guideway console: a password is asked for: -p FILE gives it\n", 1},
		{"", "-p WRONG -c 'show version' ADDR", "", "guideway console: the password is another\n", 1},
		{"", "127.0.0.1:1", "", "guideway console: dial tcp 127.0.0.1:1: connect: connection refused\n", 1},
		{"", "a b", "", "guideway console: \"b\" is too much\n", 2},
	} {
		wrong := filepath.Join(t.TempDir(), "wrong")
		os.WriteFile(wrong, []byte("sardine"), 0o600)
		var args []string
		list, _ := words(c.args)
		for _, a := range list {
			args = append(args, strings.NewReplacer("SECRET", r.settings.PasswordFile, "WRONG", wrong, "ADDR", r.server.Addr()).Replace(a))
		}
		cmd := exec.Command(guidewayCommand(t), append([]string{"console"}, args...)...)
		cmd.Stdin = strings.NewReader(c.in)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.Run() // the exit code is below
		if cmd.ProcessState.ExitCode() != c.code || !like(out.String(), c.out) || errs.String() != c.errs {
			t.Errorf("%q %s: exit %d\n%s\n%s\nwant %d\n%s\n%s", c.in, c.args, cmd.ProcessState.ExitCode(), out.String(), errs.String(), c.code, c.out, c.errs)
		}
	}
}

// like compares with a pattern in which * is whatever there is.
func like(got, pattern string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(got, parts[0]) || !strings.HasSuffix(got, parts[len(parts)-1]) {
		return false
	}
	for _, p := range parts {
		i := strings.Index(got, p)
		if i < 0 {
			return false
		}
		got = got[i+len(p):]
	}
	return len(parts) > 1 || got == ""
}
