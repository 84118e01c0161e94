package fleet

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"guideway/test/daemon"
)

// The only node is started again and again, half of the times after a kill -9, and
// each time with one backend more or less, under clients that keep their
// connections. With tables that are taken over none of them breaks; what breaks
// without is measured beside it.
func TestRestart(t *testing.T) {
	t.Run("with takeover", func(t *testing.T) {
		memory, err := os.MkdirTemp("/dev/shm", prefix)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(memory) })
		r := restarts(t, filepath.Join(memory, "flows"), size(3, 100))
		if len(r.broken) > 0 {
			t.Errorf("%d connections broke: %v", len(r.broken), r.broken)
		}
		if int(r.taken) != r.restarts {
			t.Errorf("tables were taken over %v times in %d restarts", r.taken, r.restarts)
		}
	})
	t.Run("without", func(t *testing.T) {
		if r := restarts(t, "", size(2, 100)); len(r.broken) == 0 || r.taken != 0 {
			t.Errorf("%d connections broke, tables were taken over %v times: the test shows nothing", len(r.broken), r.taken)
		}
	})
}

// A restarting is a node that is started again and again, and clients of it.
type restarting struct {
	f        *fleet
	restarts int
	taken    float64       // tables that were
	entries  float64       // of them
	dropped  float64       // likewise, that could not be
	down     time.Duration // in all, from the signal until it forwards
	longest  time.Duration // likewise, once

	*company

	mu       sync.Mutex
	leaving  string         // the backend that clients go away from, once they have their page
	at       map[string]int // connections by the backend that they are to; "": that is not known yet
	last     []time.Time    // when each client had its last page, or lost its connection
	opened   int
	unopened int // connections that no first page came by
	pages    int
	waited   time.Duration // the longest time for a page
	broken   []string      // connections that were established
}

const (
	restartClients = 12                     // of each VIP
	restartPace    = 150 * time.Millisecond // of one
	restartPages   = 200                    // on one connection
	restartLimit   = 30 * time.Second       // TCP sends again until then, whatever a restart takes
)

func restarts(t *testing.T, keep string, times int) *restarting {
	var changing rack
	changing.reset()
	r := &restarting{restarts: times, at: map[string]int{}, last: make([]time.Time, restartClients*len(vips))}
	r.f = start(t, shape{nodes: 1, keep: keep, serves: func(int) string { return checked(changing.config()) }})
	r.company = r.f.company()
	for i := range restartClients * len(vips) {
		r.wg.Go(func() { r.keepOn(i) })
	}
	within(t, 20*time.Second, "connections to every backend", func() bool {
		return r.count("b1") > 0 && r.count("b2") > 0 && r.count("b3") > 0 && r.count("") == 0
	})
	for i := range times {
		// One is drained; when nobody is there any more it goes; it comes back.
		which := 1 + i/3%2
		switch i % 3 {
		case 0:
			changing[which].state = "drain"
		case 1:
			r.leave(backendName(which))
			changing[which].state = "gone"
		case 2:
			changing[which].state = "up"
		}
		r.restart(t, i%2 == 1)
		r.leave("")
		back := time.Now()
		within(t, restartLimit, "everybody has had a page", func() bool { return r.all(back) })
	}
	r.end()
	r.f.stop()
	t.Logf("%d restarts, half of them kill -9: %d of %d connections broke, %d more were not opened; %d pages, the slowest after %v; down for %v each, %v once; %.0f entries taken over, %.0f dropped",
		times, len(r.broken), r.opened, r.unopened, r.pages, r.waited.Round(time.Millisecond),
		(r.down / time.Duration(times)).Round(time.Millisecond), r.longest.Round(time.Millisecond), r.entries, r.dropped)
	return r
}

// checked has all that is served over backends checked. A new process knows of none
// yet that it is well, and sends them what they have had.
func checked(services string) string {
	return strings.ReplaceAll(services, "name     = \"over", "check    = \"web\"\nname     = \"over") +
		"\n[[check]]\nname     = \"web\"\ntype     = \"http\"\ninterval = \"1s\"\ntimeout  = \"1s\"\nrise     = 1\nfall     = 10\n"
}

// restart ends the node's process, and starts the next with the configuration of
// now.
func (r *restarting) restart(t *testing.T, kill bool) {
	t.Helper()
	began := time.Now()
	if kill {
		r.f.nodes[0].Kill()
	} else {
		r.f.nodes[0].Stop()
	}
	r.f.nodes[0] = r.f.node(0)
	n := r.f.nodes[0]
	r.f.defaultRoutes(0)
	n.WaitLog(`msg=forwarding`)
	took := time.Since(began)
	r.down, r.longest = r.down+took, max(r.longest, took)
	m := n.Metrics()
	r.taken += m[`guideway_conntrack_takeover_total{result="taken"}`]
	r.entries += m[`guideway_conntrack_takeover_entries_total{result="taken"}`]
	r.dropped += m[`guideway_conntrack_takeover_entries_total{result="dropped"}`]
	n.WaitFor("a way to every backend", func() bool {
		return daemon.Sum(n.Metrics(), "guideway_destinations_unreachable") == 0
	})
}

// leave returns when no client has a connection to a backend, as it does when all
// have had enough of one that is drained; "" ends that.
func (r *restarting) leave(backend string) {
	r.mu.Lock()
	r.leaving = backend
	r.mu.Unlock()
	if backend != "" {
		within(r.f.t, restartLimit, "nobody at "+backend, func() bool { return r.count(backend) == 0 && r.count("") == 0 })
	}
}

func (r *restarting) count(backend string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[backend]
}

// keepOn has one connection after the other, each for a while.
func (r *restarting) keepOn(client int) {
	v, persona := vips[client%len(vips)], client/len(vips)
	for !r.ended() {
		r.move("", 1)
		conn, err := connectFrom("client", v.client(persona), netip.AddrPortFrom(v.addr, 80))
		if err != nil {
			r.move("", -1)
			time.Sleep(restartPace)
			continue
		}
		at := r.visit(client, conn, v)
		conn.Close()
		r.move(at, -1)
	}
}

// visit gets pages by a connection until it is time to go, and returns the backend
// that it is counted to.
func (r *restarting) visit(client int, conn *os.File, v vip) (at string) {
	answers := bufio.NewReader(conn)
	began := time.Now()
	for i := 0; i < restartPages && !r.ended(); i++ {
		asked := time.Now()
		got := page(conn, answers, v, restartLimit)
		if !r.note(client, at, got, i, began, time.Since(asked)) {
			return at
		}
		if i == 0 {
			at = got
			r.move("", -1)
			r.move(at, 1)
		}
		time.Sleep(restartPace)
	}
	return at
}

// note takes down how a request ended, and tells whether the connection is kept.
func (r *restarting) note(client int, at, got string, i int, began time.Time, took time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[client] = time.Now()
	switch {
	case i == 0 && got == "":
		r.unopened++
		return false
	case i == 0:
		r.opened++
	case got != at:
		r.broken = append(r.broken, fmt.Sprintf("%s at %s, %v old, then %q", vips[client%len(vips)].name, at, time.Since(began).Round(time.Millisecond), got))
		return false
	}
	r.pages++
	r.waited = max(r.waited, took)
	return got != r.leaving
}

// all tells whether every client has had a page since.
func (r *restarting) all(since time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, last := range r.last {
		if last.Before(since) {
			return false
		}
	}
	return true
}

func (r *restarting) move(backend string, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[backend] += by
}

func (r *restarting) ended() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}
