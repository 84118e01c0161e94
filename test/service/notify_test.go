package service

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

const (
	pollCPU    = 1
	controlCPU = 0
)

var settings = fmt.Sprintf(`
[node]
source = ["192.0.2.11"]

[dpdk]
lcores       = [%d]
control_cpus = [%d]
memory       = "256MiB"
huge         = false
idle         = "sleep"

[conntrack]
flows_per_core = 1024

[[port]]
name         = "wan"
device       = "net_ring0"
next_hop_mac = "02:00:00:00:00:01"
mtu          = 1524

[[pool]]
name     = "web"
backends = [{ address = "10.0.0.1" }]

[[vip]]
name    = "www"
address = "203.0.113.10"
ports   = ["80"]
pools   = ["web"]

[bgp]
asn               = 64512
router_id         = "192.0.2.11"
graceful_shutdown = "7s"

[metrics]
listen = "127.0.0.1:0"
`, pollCPU, controlCPU)

// A listener is systemd's end of the socket.
type listener struct {
	t *testing.T

	mu       sync.Mutex
	messages []message
}

type message struct {
	came  time.Time
	lines []string
}

// listen opens the socket that path is to be.
func listen(t *testing.T, path string) *listener {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		for buf := make([]byte, 4096); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			l.mu.Lock()
			l.messages = append(l.messages, message{time.Now(), strings.Split(string(buf[:n]), "\n")})
			l.mu.Unlock()
		}
	}()
	return l
}

// with lists the messages that have a line which begins so.
func (l *listener) with(prefix string) (list []message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.messages {
		if slices.ContainsFunc(m.lines, func(line string) bool { return strings.HasPrefix(line, prefix) }) {
			list = append(list, m)
		}
	}
	return list
}

// nth waits for the n-th message that has a line which begins so.
func (l *listener) nth(n int, prefix string) message {
	l.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if list := l.with(prefix); len(list) >= n {
			return list[n-1]
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%q was not said %d times in %v", prefix, n, l.with(""))
		}
	}
}

// value is what a message says of a name.
func (m message) value(name string) string {
	for _, line := range m.lines {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			return v
		}
	}
	return ""
}

// TestNotify follows a whole life: ready when it forwards, signs of life while
// the poll loop gives them, reloads from begin to end, and the stop.
func TestNotify(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	l := listen(t, socket)
	d := daemon.Start(t, dir, settings, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=2000000")

	// The log has milliseconds, cut off: what comes later came later.
	forwarding, err := time.Parse(time.RFC3339Nano, d.WaitLog(`time=(\S+) \S+ msg=forwarding`)[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"READY=1", "WATCHDOG=1"} {
		if m := l.nth(1, what); m.came.Before(forwarding) {
			t.Errorf("%s came %v before it forwarded", what, forwarding.Sub(m.came))
		}
	}
	if m := l.nth(1, "READY=1"); m.value("STATUS") != "Forwarding, VIPs: 1" {
		t.Errorf("ready: %v", m)
	}

	wake := d.Stall(pollCPU)
	l.nth(1, "STATUS=Stalled: the poll loops on CPUs [1] give no sign of life")
	fed := len(l.with("WATCHDOG=1"))
	time.Sleep(3 * time.Second)
	if n := len(l.with("WATCHDOG=1")) - fed; n > 0 {
		t.Errorf("%d signs of life while the poll loop stands", n)
	}
	wake()
	l.nth(fed+3, "WATCHDOG=1")
	l.nth(2, "STATUS=Forwarding, VIPs: 1")

	reload := func(n int, config, status string) {
		t.Helper()
		d.Write(config)
		d.Signal(syscall.SIGHUP)
		begin, end := l.nth(n, "RELOADING=1"), l.nth(n+1, "READY=1")
		usec, err := strconv.ParseInt(begin.value("MONOTONIC_USEC"), 10, 64)
		if age := monotonic(t) - time.Duration(usec)*time.Microsecond; err != nil || age < 0 || age > time.Minute {
			t.Errorf("reload %d began %v ago by its own word (%v)", n, age, err)
		}
		if end.came.Before(begin.came) || end.value("STATUS") != status {
			t.Errorf("reload %d: %v", n, end)
		}
	}
	reload(1, settings, "Forwarding, VIPs: 1")
	reload(2, "[broken", "Forwarding, VIPs: 1; the last reload failed, see the log")
	reload(3, strings.Replace(settings, `"7s"`, `"90s"`, 1), "Forwarding, VIPs: 1")

	d.Stop()
	m := l.nth(1, "STOPPING=1")
	longest, err := strconv.ParseInt(m.value("EXTEND_TIMEOUT_USEC"), 10, 64)
	if err != nil || time.Duration(longest)*time.Microsecond < 90*time.Second {
		t.Errorf("the stop may take graceful_shutdown as it is after the reload, and some: %v", m)
	}
	if all := l.with(""); all[len(all)-1].value("STOPPING") != "1" {
		t.Errorf("the last message is %v", all[len(all)-1])
	}
}

// monotonic reads the clock that MONOTONIC_USEC is of.
func monotonic(t *testing.T) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}
