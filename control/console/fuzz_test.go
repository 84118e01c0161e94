package console

import (
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"guideway/control/config"
)

// FuzzLine: any line leads to an answer or an error, and neither panics. Commands
// that match a line can be found by its words again.
func FuzzLine(f *testing.F) {
	for _, line := range asked {
		f.Add(line)
	}
	for _, line := range []string{"", "'", "sh vi \"a b\" -json", "watch watch show", "explain tcp [::1]:1 -> [::2%eth0]:65536 fragment id", ".complete explain tcp a >", "capture count before /x.pcapng"} {
		f.Add(line)
	}
	node := newFake(f)
	f.Fuzz(func(t *testing.T, line string) {
		list, err := words(line)
		if err != nil {
			return
		}
		if !utf8.ValidString(line) || strings.ContainsAny(line, "\x00\x1b\n") {
			t.Fatalf("%q was accepted: %q", line, list)
		}
		list, _ = split(list)
		if len(list) == 0 {
			return
		}
		if strings.Contains(line, "capture") && strings.Contains(line, "never") {
			return // waits for an operator
		}
		a, err := ask(node, line)
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("%q: an error that says nothing", line)
			}
			return
		}
		for _, asJSON := range []bool{false, true} {
			if _, err := render(a, asJSON, now); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	})
}

// FuzzSession: whatever bytes a client sends, the session ends when the client
// does, holds little memory, and what it says can be shown on a terminal.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"show vips\r\nquit\r\n", "\xff\xfd\x01\xff\xfb\x1f\xff\xfa\x18\x00vt100\xff\xf0show bgp\n", "\xff", "\xff\xfa", strings.Repeat("\xff\xfd\x06", 100),
		strings.Repeat("x", 5000) + "\nshow version\n", "watch show cores\nquit\n", ".frames\n\x03\x03show nodes\n.complete sh\n", "\xff\xf6\xff\xf4\xff\xec",
		"drain 10.0.0.1\nreload\nplan\nundrain 10.0.0.1\n", "swordfish\nshow version\n", "show \x80\x1b[2J\n", "\x00\r\n\r\x00\n\n",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	secret := secretFile(f)
	f.Fuzz(func(t *testing.T, sent []byte, login bool) {
		settings := config.Console{Sessions: 1, IdleTimeout: time.Second}
		if login {
			settings.PasswordFile = secret
		}
		log := &lines{}
		server := newServer(Options{Node: newFake(t), Settings: func() config.Console { return settings }, Log: slog.New(slog.NewTextHandler(log, nil)), loginDelay: time.Millisecond})
		late := time.AfterFunc(20*time.Second, func() { panic(string(sent)) }) // shows where it hangs
		defer late.Stop()
		here, there := net.Pipe()
		server.serve(there)
		go func() {
			here.Write(sent) // the session may have had enough before the end
			here.Write([]byte("\nquit\nquit\nquit\n"))
			time.Sleep(time.Millisecond)
			server.Close()
			here.Close()
		}()
		heard, _ := io.ReadAll(here)
		server.work.Wait()
		if strings.Contains(log.String(), "panicked") {
			t.Fatalf("%q\n%s", sent, log)
		}
		if said := withoutTelnet(string(heard)); !utf8.ValidString(said) || strings.ContainsAny(said, "\x1b\x07\x00") {
			t.Fatalf("%q is answered with %q", sent, said)
		}
	})
}

// withoutTelnet takes three-byte commands out.
func withoutTelnet(s string) string {
	for {
		i := strings.IndexByte(s, telnetIAC)
		if i < 0 {
			return s
		}
		s = s[:i] + s[min(i+3, len(s)):]
	}
}

// TestMemoryIsBounded: a line that goes on, offers without end, and a
// subnegotiation that never ends cost no more than a short line.
func TestMemoryIsBounded(t *testing.T) {
	for _, pattern := range []string{"x", "\xff\xfa\x18", "\xff\xf1", "\xff\xfb\x01", "\r\n"} {
		d := &decoder{}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 4 << 20 / len(pattern) {
			for i := range len(pattern) {
				if d.take(pattern[i]) == flooding {
					break
				}
			}
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
			t.Errorf("4 MiB of %q cost %d bytes of memory", pattern, grown)
		}
	}
}
