package fleet

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"guideway/test/daemon"
)

// The size that is promised, beside what a fleet serves anyway.
const (
	manyVIPs      = 1000
	backendsOfOne = 10 // of each VIP; no two share any
	manyCheck     = 10 * time.Second
)

// scaleLimit is far more than a reload takes at that size: what it takes is printed.
const scaleLimit = 30 * time.Second

// A node with a thousand VIPs and ten thousand backends, each with a check, starts
// and reloads within seconds: the same file, one backend more, and all tables
// anew. Clients that never stop asking notice nothing.
func TestScale(t *testing.T) {
	extra, weight := "", 1
	f := build(t, shape{nodes: 1, serves: func(int) string { return everything(0) + many(extra, weight) }})
	f.ip("router", "route add local "+manyServers.String()+" dev lo")
	f.answer("router", 8080)
	f.begin()
	f.settle()
	n := f.nodes[0]
	t.Logf("started in %v, until it forwards", span(t, n.Log()))
	resident := func() float64 { return n.Metrics()["process_resident_memory_bytes"] / 1e6 }
	t.Logf("%.0f MB resident after the start", resident())
	within(t, time.Minute, "every check has a verdict", func() bool {
		return daemon.Sum(n.Metrics(), "guideway_backend_up") >= manyVIPs*backendsOfOne
	})
	t.Logf("%.0f MB resident with all verdicts", resident())

	c := f.gather()
	gap := func() float64 { return 1e3 * daemon.Sum(n.Metrics(), "guideway_core_poll_gap_seconds") }
	time.Sleep(time.Second)
	gap()
	time.Sleep(2 * time.Second)
	t.Logf("nothing changes: longest poll gap %.1f ms", gap())
	for i, change := range []struct {
		what string
		make func()
	}{
		{"the same file", func() {}},
		{"one backend more", func() { extra = `, { address = "10.1.255.1" }` }},
		{"all tables anew", func() { weight = 2 }},
		{"and back", func() { extra, weight = "", 1 }},
	} {
		change.make()
		n.Write(f.config(0))
		n.Signal(syscall.SIGHUP)
		n.WaitFor("the reload", func() bool { return strings.Count(n.Log(), "msg=reloaded ") > i })
		lines := regexp.MustCompile(`msg=reloaded generation=\d+ vips=(\d+) took=(\S+)`).FindAllStringSubmatch(n.Log(), -1)
		last := lines[len(lines)-1]
		took, err := time.ParseDuration(last[2])
		if err != nil || last[1] != fmt.Sprint(manyVIPs+10) {
			t.Fatalf("the node says %q", last[0])
		}
		t.Logf("%s: in effect after %v; longest poll gap %.1f ms; %.0f MB resident", change.what, took.Round(time.Millisecond), gap(), resident())
		if took > scaleLimit {
			t.Errorf("%s: in effect after %v, want at most %v", change.what, took, scaleLimit)
		}
	}
	m := n.Metrics()
	t.Logf("Go's collector: %.0f cycles; its stops took %.2f ms at most, half of them %.2f ms", m["go_gc_duration_seconds_count"],
		1e3*m[`go_gc_duration_seconds{quantile="1"}`], 1e3*m[`go_gc_duration_seconds{quantile="0.5"}`])
	c.leave()
	c.report(t, "meanwhile")
	c.unharmed(t, vips...)
	f.stop()
}

// manyServers has the backends; the router is all of them.
var manyServers = netip.MustParsePrefix("10.1.0.0/16")

// many is the VIPs. The backends of all but the first have a weight, and the
// first VIP's pool has something extra.
func many(extra string, weight int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n[[check]]\nname = \"many\"\ntype = \"tcp\"\nport = 8080\ninterval = \"%v\"\ntimeout = \"5s\"\nrise = 1\n", manyCheck)
	server := manyServers.Addr().Next()
	for i := range manyVIPs {
		fmt.Fprintf(&b, "[[pool]]\nname = \"many%d\"\ncheck = \"many\"\nbackends = [", i)
		for j := range backendsOfOne {
			w := 1
			if j == 0 {
				w = weight
			}
			fmt.Fprintf(&b, "{ address = \"%v\", weight = %d }, ", server, w)
			server = server.Next()
		}
		b.WriteString(strings.TrimPrefix(extra, ","))
		extra = ""
		fmt.Fprintf(&b, "]\n[[vip]]\nname = \"many%d\"\naddress = \"198.19.%d.%d\"\nports = [\"80\"]\npools = [\"many%d\"]\n", i, i/250, 1+i%250, i)
	}
	return b.String()
}

// answer accepts TCP connections inside a host's namespace, and says nothing.
func (f *fleet) answer(host string, port int) {
	f.t.Helper()
	var l net.Listener
	if err := daemon.Inside(prefix+host, func() (err error) {
		l, err = net.Listen("tcp4", fmt.Sprintf(":%d", port))
		return err
	}); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

// span is the time from a log's first line to the one that says that the node
// forwards.
func span(t *testing.T, log string) time.Duration {
	t.Helper()
	stamp := regexp.MustCompile(`(?m)^time=(\S+)`)
	first := stamp.FindStringSubmatch(log)
	last := regexp.MustCompile(`(?m)^time=(\S+) .*msg=forwarding`).FindStringSubmatch(log)
	var at [2]time.Time
	for i, m := range [][]string{first, last} {
		var err error
		if at[i], err = time.Parse(time.RFC3339, m[1]); err != nil {
			t.Fatal(err)
		}
	}
	return at[1].Sub(at[0])
}
