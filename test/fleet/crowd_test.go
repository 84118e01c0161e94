package fleet

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/test/daemon"
)

// A crowd is a client that never stops. Of each VIP it asks, all the time:
//
//   - a page on a fresh connection, a hundred times a second;
//   - a receipt for a datagram of one of eight old flows, two hundred times a second;
//   - a page on each of eight connections that stay, four times a second.
//
// So every flow has an answer each 40 ms, and what breaks for longer is seen.
type crowd struct {
	f *fleet
	*company
	speakers map[vip][]*speaker
	tables   map[string]*table
	logs     []int         // how long those of the nodes were before
	paused   time.Duration // the longest time that the client itself was away: not the fleet's fault
}

const (
	crowdPace    = 5 * time.Millisecond   // of datagrams; every other time a fresh connection
	stayPace     = 250 * time.Millisecond // of connections that stay
	staying      = 8                      // of these, and of flows of datagrams, to each VIP
	lateAfter    = 900 * time.Millisecond // then TCP had to send a request's first segment again, or somebody kept a datagram
	requestLimit = 3 * time.Second        // TCP sends it twice again meanwhile
	stayLimit    = 20 * time.Second       // longer than any outage here
)

// A table is what became of what was asked of one VIP.
type table struct {
	mu                      sync.Mutex
	fresh, datagrams, stays tally
	last                    [staying]time.Time // when a flow of datagrams had its last answer
	server                  [staying]string    // and from whom
	gap                     time.Duration      // the longest time that any was without
	moves                   map[string]int     // flows that have moved, of datagrams and connections, by "b1 b2"
}

// A tally is that of one kind.
type tally struct{ asked, lost, late int }

// note takes down how one request ended.
func (t *table) note(of *tally, server string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of.asked++
	switch {
	case server == "":
		of.lost++
	case took > lateAfter:
		of.late++
	}
}

// hear takes down that a flow of datagrams had an answer, now.
func (t *table) hear(flow int, server string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.gap = max(t.gap, now.Sub(t.last[flow]))
	t.last[flow] = now
	if was := t.server[flow]; was != "" && was != server {
		t.moves[was+" "+server]++
	}
	t.server[flow] = server
}

// gather starts a crowd, which goes away with leave.
func (f *fleet) gather() *crowd {
	f.t.Helper()
	c := &crowd{f: f, company: f.company(), speakers: map[vip][]*speaker{}, tables: map[string]*table{}}
	for _, v := range vips {
		c.tables[v.name] = &table{moves: map[string]int{}} // all, before any is looked at
	}
	for k, v := range vips {
		t := c.tables[v.name]
		for i := range staying {
			from := netip.AddrPortFrom(v.client(i), speakerPort+uint16(k*staying+i))
			c.speakers[v] = append(c.speakers[v], f.speakFrom(from, v))
			t.last[i] = time.Now()
			c.wg.Go(func() { c.stay(v, i) })
		}
	}
	for _, n := range f.nodes {
		c.logs = append(c.logs, len(n.Log()))
	}
	c.wg.Go(func() { c.flow() })
	return c
}

// leave ends the crowd when all that it has asked is answered or lost.
func (c *crowd) leave() {
	now := time.Now()
	c.end()
	for _, t := range c.tables {
		for _, last := range t.last {
			t.gap = max(t.gap, now.Sub(last))
		}
	}
	for _, flows := range c.speakers {
		for _, s := range flows {
			s.close()
		}
	}
}

// flow makes fresh connections and sends datagrams at its pace. No one waits
// for another.
func (c *crowd) flow() {
	tick := time.NewTicker(crowdPace)
	defer tick.Stop()
	last := time.Now()
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		c.paused = max(c.paused, time.Since(last)-crowdPace)
		last = time.Now()
		for _, v := range vips {
			c.wg.Go(func() { c.datagram(v, n%staying, c.speakers[v][n%staying]) })
			if n%2 == 0 {
				conn, err := connectFrom("client", v.client(n/2%clients), netip.AddrPortFrom(v.addr, 80))
				c.wg.Go(func() { c.request(v, conn, err) })
			}
		}
	}
}

func (c *crowd) datagram(v vip, flow int, s *speaker) {
	t, began, server := c.tables[v.name], time.Now(), ""
	// What cannot be sent, since there is no way, is lost as well.
	o := s.ask(64, requestLimit, func(b []byte) { s.conn.WriteToUDPAddrPort(b, s.to) })
	if o.whole {
		server = backendName(int(o.server))
		t.hear(flow, server)
	}
	t.note(&t.datagrams, server, time.Since(began))
}

func (c *crowd) request(v vip, conn *os.File, err error) {
	t, began, server := c.tables[v.name], time.Now(), ""
	if err == nil {
		server = page(conn, bufio.NewReader(conn), v, requestLimit)
		conn.Close()
	}
	t.note(&t.fresh, server, time.Since(began))
}

// stay keeps a connection and asks on it for pages. Is it lost, or goes it on
// at another backend, then that is a loss, and another takes its place.
func (c *crowd) stay(v vip, i int) {
	t := c.tables[v.name]
	tick := time.NewTicker(stayPace)
	defer tick.Stop()
	var conn *os.File
	var answers *bufio.Reader
	at := ""
	for {
		select {
		case <-c.stop:
			if conn != nil {
				conn.Close()
			}
			return
		case <-tick.C:
		}
		if conn == nil {
			var err error
			if conn, err = connectFrom("client", v.client(i), netip.AddrPortFrom(v.addr, 80)); err != nil {
				continue
			}
			answers = bufio.NewReader(conn)
			if at = page(conn, answers, v, requestLimit); at == "" {
				conn.Close() // as fresh as those of flow, which counts them
				conn = nil
			}
			continue
		}
		began := time.Now()
		server := page(conn, answers, v, stayLimit)
		if server != at {
			conn.Close()
			conn = nil
			t.lose(at)
			server = ""
		}
		t.note(&t.stays, server, time.Since(began))
	}
}

// lose takes down that a connection to a backend was lost.
func (t *table) lose(at string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moves[at+" lost"]++
}

// connectFrom begins a TCP connection from inside a host's namespace. It does
// not wait for it: whoever writes first, does.
func connectFrom(host string, from netip.Addr, to netip.AddrPort) (conn *os.File, err error) {
	family := unix.AF_INET
	var local, remote unix.Sockaddr = &unix.SockaddrInet4{}, &unix.SockaddrInet4{Port: int(to.Port())}
	if to.Addr().Is4() {
		local.(*unix.SockaddrInet4).Addr, remote.(*unix.SockaddrInet4).Addr = from.As4(), to.Addr().As4()
	} else {
		family = unix.AF_INET6
		local, remote = &unix.SockaddrInet6{Addr: from.As16()}, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	err = daemon.Inside(prefix+host, func() error {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err = unix.Bind(fd, local); err == nil {
			err = unix.Connect(fd, remote)
		}
		if err != nil && err != unix.EINPROGRESS {
			unix.Close(fd)
			return err
		}
		conn = os.NewFile(uintptr(fd), to.String())
		return nil
	})
	return conn, err
}

// page gets a VIP's page and returns who gave it; "": none came whole.
func page(conn *os.File, answers *bufio.Reader, v vip, limit time.Duration) (server string) {
	conn.SetDeadline(time.Now().Add(limit))
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", v.name); err != nil {
		return ""
	}
	r, err := http.ReadResponse(answers, nil)
	if err != nil {
		return ""
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		return ""
	}
	return strings.TrimSpace(string(body))
}

// disturbed tells whether one of the nodes from the given one on was so short of
// CPU that it, or the router, has taken it for dead. Then what the crowd has seen
// is not of the test's making.
func (c *crowd) disturbed(t testing.TB, from int) bool {
	t.Helper()
	for i := from; i < len(c.logs); i++ {
		log := c.f.nodes[i].Log()
		log = log[min(c.logs[i], len(log)):]
		for _, sign := range []string{"give no sign of life", "is not heard any more", "hold timer:"} {
			if strings.Contains(log, sign) {
				t.Logf("%s %s: the machine is too busy to judge losses", nodeName(i), sign)
				return true
			}
		}
	}
	return false
}

// unharmed fails the test if anything was lost to these VIPs.
func (c *crowd) unharmed(t testing.TB, of ...vip) {
	t.Helper()
	if c.disturbed(t, 0) {
		return
	}
	for _, v := range of {
		if s := c.tables[v.name]; s.fresh.lost+s.datagrams.lost+s.stays.lost > 0 {
			t.Errorf("%s: something was lost", v.name)
		}
	}
}

// gaps fails the test if a flow to these VIPs was without answer for longer. What
// goes wrong is with the first node, or with none.
func (c *crowd) gaps(t testing.TB, limit time.Duration, of ...vip) {
	t.Helper()
	if c.disturbed(t, 1) {
		return
	}
	for _, v := range of {
		if gap := c.tables[v.name].gap; gap > limit+c.paused {
			t.Errorf("%s: no answer for %v, want at most %v", v.name, gap, limit)
		}
	}
}

// report prints what became of all.
func (c *crowd) report(t testing.TB, what string) {
	t.Helper()
	for _, v := range vips {
		s := c.tables[v.name]
		t.Logf("%s | %-7s | %4d requests, %3d lost, %3d late | %4d datagrams, %3d lost, %3d late | %d connections that stay, %d broken | longest gap %d ms",
			what, v.name, s.fresh.asked, s.fresh.lost, s.fresh.late, s.datagrams.asked, s.datagrams.lost, s.datagrams.late, staying, s.stays.lost, s.gap.Milliseconds())
	}
	if c.paused > 100*time.Millisecond {
		t.Logf("%s | the client itself was away for up to %v: the machine is busy", what, c.paused.Round(time.Millisecond))
	}
}
