package fleet

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"guideway/test/daemon"
)

// A thousand reloads (in short, sixty) add, remove, re-weight and drain backends
// while clients never stop asking. No request fails but on a connection to a
// backend that was taken away with its connections, and nothing leaks. What is
// changed depends on what clients do meanwhile: it goes on until it was a storm.
func TestReloadStorm(t *testing.T) {
	var changing rack
	changing.reset()
	f := start(t, shape{nodes: 1, serves: func(int) string { return changing.config() }})
	n := f.nodes[0]
	random := rand.New(rand.NewPCG(1, 1000))
	s := &storm{f: f, company: f.company()}
	for i := range 2 * len(vips) {
		c := &browser{at: new(atomic.Pointer[visit])}
		s.browsers = append(s.browsers, c)
		s.wg.Go(func() { s.browse(c, vips[i%len(vips)], i) })
	}
	reloads := size(60, 1000)
	const warm = 20
	var before map[string]float64
	gap := 0.0
	for i := 0; i < warm+reloads || i < 10*reloads && !s.raged(); i++ {
		if i == warm {
			before = n.Metrics()
		} else if i%10 == 0 {
			gap = max(gap, daemon.Sum(n.Metrics(), "guideway_core_poll_gap_seconds"))
		}
		s.reload(n, changing.change(random, s), &changing)
	}
	s.end()
	s.judge(t)
	changing.reset()
	s.reload(n, removal{}, &changing)

	within(t, 20*time.Second, "goroutines, files and memory as before", func() bool {
		after := n.Metrics()
		grown := func(name string) float64 { return after[name] - before[name] }
		return grown("go_goroutines") <= 2 && grown("process_open_fds") <= 1 && grown("process_resident_memory_bytes") < 64<<20
	})
	after := n.Metrics()
	if got := after[`guideway_config_reload_total{result="success"}`] - before[`guideway_config_reload_total{result="success"}`]; int(got) != s.reloads-warm {
		t.Errorf("%v reloads took effect, want %d", got, s.reloads-warm)
	}
	t.Logf("%d reloads, each in effect after %s; goroutines %v, then %v; files %v, then %v; %.0f MB resident, then %.0f; longest poll gap %.1f ms",
		s.reloads-warm, times(n.Log()), before["go_goroutines"], after["go_goroutines"], before["process_open_fds"], after["process_open_fds"],
		before["process_resident_memory_bytes"]/1e6, after["process_resident_memory_bytes"]/1e6, 1e3*gap)
	f.stop()
}

// times sums up what a log says of how long reloads took.
func times(log string) string {
	var all []time.Duration
	for _, m := range regexp.MustCompile(`msg=reloaded .*took=(\S+)`).FindAllStringSubmatch(log, -1) {
		if d, err := time.ParseDuration(m[1]); err == nil {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return fmt.Sprintf("%v (p50), %v (p99), %v (at most)", all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
}

// A rack is the backends as a configuration has them.
type rack [backends]slot

type slot struct {
	weight int
	state  string    // of the file; "gone": not in it
	since  time.Time // of the state
}

func (r *rack) reset() {
	for i := range r {
		r[i] = slot{weight: 1, state: "up"}
	}
}

// config is all VIPs served by the rack.
func (r *rack) config() string {
	text := everything(0)
	for i, b := range r {
		for _, first := range []netip.Prefix{server4, server6} {
			was := fmt.Sprintf("    { address = %q },\n", nth(first, i))
			is := fmt.Sprintf("    { address = %q, weight = %d, state = %q },\n", nth(first, i), b.weight, b.state)
			if b.state == "gone" {
				is = ""
			}
			text = strings.Replace(text, was, is, 1)
		}
	}
	return text
}

// A removal is a backend taken away while it has connections.
type removal struct {
	backend string    // "": none
	done    time.Time // when every core knew
}

// change changes something at random: the first backend's weight only, of the
// others everything. It tells what it takes away with its connections; mostly it
// drains first, and waits for the last connection to end.
func (r *rack) change(random *rand.Rand, s *storm) removal {
	r[0].weight = 1 + random.IntN(4)
	i := 1 + random.IntN(backends-1)
	b := &r[i]
	set := func(state string) { b.state, b.since = state, time.Now() }
	switch {
	case b.state == "off" || b.state == "gone":
		set("up")
	case b.state == "drain" && s.left(backendName(i), b.since):
		set([]string{"off", "gone"}[random.IntN(2)])
	case b.state == "drain":
		if random.IntN(4) == 0 {
			set("up")
		}
	case random.IntN(10) < 4:
		b.weight = 1 + random.IntN(4)
	case random.IntN(6) < 5:
		set("drain")
	default:
		set([]string{"off", "gone"}[random.IntN(2)])
		return removal{backend: backendName(i)}
	}
	return removal{}
}

// A storm is clients at work while the configuration changes.
type storm struct {
	f *fleet
	*company
	browsers []*browser
	removals []removal
	reloads  int

	mu       sync.Mutex
	requests int
	visits   int
	failed   []failure
}

// A browser is one client, that has one connection at a time.
type browser struct {
	at *atomic.Pointer[visit] // nil: none
}

// A visit is one connection.
type visit struct {
	began   time.Time
	backend string // "": not known yet
}

// A failure is a request that had not the answer of its connection's backend.
type failure struct {
	visit
	vip, got string
	request  int
}

// pages are fetched on each connection.
const pages = 20

func (s *storm) browse(c *browser, v vip, persona int) {
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		now := &visit{began: time.Now()}
		c.at.Store(now)
		conn, err := connectFrom("client", v.client(persona), netip.AddrPortFrom(v.addr, 80))
		if err != nil {
			s.note(v, now, 0, err.Error())
			continue
		}
		answers := bufio.NewReader(conn)
		for i := range pages {
			got := page(conn, answers, v, 10*time.Second)
			if now.backend == "" && got != "" {
				now = &visit{now.began, got}
				c.at.Store(now)
			}
			if s.note(v, now, i, got); got == "" || got != now.backend {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		conn.Close()
		c.at.Store(nil)
	}
}

func (s *storm) note(v vip, at *visit, i int, got string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if i == 0 {
		s.visits++
	}
	if got == "" || got != at.backend {
		s.failed = append(s.failed, failure{*at, v.name, got, i + 1})
	}
}

// left tells whether every connection to a backend has ended that may have begun
// before it was drained.
func (s *storm) left(backend string, drained time.Time) bool {
	for _, c := range s.browsers {
		if v := c.at.Load(); v != nil && (v.backend == backend || v.backend == "" && v.began.Before(drained.Add(time.Second))) {
			return false
		}
	}
	return true
}

// reload has the rack's configuration loaded, and returns when it is in effect.
func (s *storm) reload(n *daemon.Daemon, r removal, to *rack) {
	s.f.t.Helper()
	n.Write(s.f.config(0))
	n.Signal(syscall.SIGHUP)
	s.reloads++
	n.WaitFor("the reload", func() bool { return strings.Count(n.Log(), "msg=reloaded ") == s.reloads })
	if r.backend != "" {
		r.done = time.Now()
		s.removals = append(s.removals, r)
	}
}

// judge fails the test for every request that failed, but on a connection whose
// backend was taken away meanwhile.
func (s *storm) judge(t *testing.T) {
	t.Helper()
	excused := 0
	for _, f := range s.failed {
		if slices.ContainsFunc(s.removals, func(r removal) bool {
			return f.began.Before(r.done) && (f.backend == r.backend || f.backend == "")
		}) {
			excused++
			continue
		}
		t.Errorf("%s: request %d of a connection to %q, %v old: %q", f.vip, f.request, f.backend, time.Since(f.began).Round(time.Millisecond), f.got)
	}
	t.Logf("%d requests on %d connections; %d backends taken away with their connections, of which %d were seen to break", s.requests, s.visits, len(s.removals), excused)
	if !s.raged() {
		t.Error("that was no storm")
	}
}

// raged tells whether there were enough connections, and one backend at least was taken
// away with those that it had.
func (s *storm) raged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visits >= 10*len(s.browsers) && len(s.removals) > 0
}
