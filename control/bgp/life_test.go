package bgp

import (
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestShutdown: the router sees GRACEFUL_SHUTDOWN and prefers others before
// the withdrawal, and nothing of the Speaker is left.
func TestShutdown(t *testing.T) {
	if !isolated(t) {
		return
	}
	routerA, routerB := newNS(t), newNS(t)
	routerA.join(1)
	routerB.join(2)
	a := newBird(routerA, strings.Replace(birdNode, "as 64512;", "as 64512; ttl security on;", 1))
	b := newBird(routerB, `router id 10.0.0.2; protocol bgp n1 { local as 64512; neighbor 10.0.2.11 as 64512; connect delay time 1; ipv4 { import all; }; }`)
	runtime.GC()
	before := runtime.NumGoroutine()
	s := newSpeaker(t)
	far, near := peerOn(1), peerOn(2)
	far.TTLSecurity, far.BFD.Enabled = 1, true
	near.ASN, near.IPv6, near.LocalPref = 64512, false, ptr(300)
	near.LocalAddress, near.Passive = addr("10.0.2.11"), true
	set := settings(far, near)
	set.GracefulShutdown = time.Second
	configure(t, s, set)
	announce(t, s, Route{Prefix: prefix(vip4), Communities: []Community{{Parts: [3]uint32{1, 2}}}}, Route{Prefix: prefix(vip6)})
	waitUp(t, s)
	eventually(t, 3*time.Second, "the routes", func() bool { return a.count() == 2 && b.route(vip4)["local_pref"] == "300" })

	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	marked := eventually(t, time.Second, "the community", func() bool {
		return strings.Contains(a.route(vip4)["community"], "(65535,0)") && strings.Contains(a.route(vip6)["community"], "(65535,0)")
	})
	if r := b.route(vip4); r["local_pref"] != "0" || sorted(r["community"]) != "(1,2) (65535,0)" {
		t.Errorf("within the AS: %v", r)
	}
	if err := s.Announce(ctx, nil); err != ErrClosed {
		t.Errorf("Announce while it stops: %v", err)
	}
	if st := s.Status(); len(st.Peers) != 2 || st.Peers[0].State != Established {
		t.Errorf("while it stops: %+v", st)
	}
	gone := eventually(t, 3*time.Second, "withdrawn", func() bool { return a.count() == 0 && b.count() == 0 })
	if time.Since(began) < time.Second {
		t.Errorf("withdrawn after %v, before the time set", time.Since(began))
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	t.Logf("marked after %v, withdrawn %v later, all over %v after the start", marked, gone, time.Since(began))
	if !strings.Contains(a.ask("show", "protocols", "all", "n1"), "Received: Administrative shutdown") {
		t.Errorf("BIRD was not told:\n%s", a.ask("show", "protocols", "all", "n1"))
	}
	if err := s.Configure(ctx, set); err != ErrClosed {
		t.Errorf("Configure after Shutdown: %v", err)
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("again: %v", err)
	}
	until := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(until) {
		time.Sleep(10 * time.Millisecond)
	}
	if runtime.NumGoroutine() > before {
		buf := make([]byte, 1<<20)
		t.Errorf("goroutines left:\n%s", buf[:runtime.Stack(buf, true)])
	}
	if open := sockets(t); len(open) > 0 {
		t.Errorf("sockets left: %v", open)
	}
}

// TestRestart: with graceful restart the router keeps the route of a node that
// is killed, through its return; without, a node that is back announces at once.
func TestRestart(t *testing.T) {
	if !isolated(t) {
		return
	}
	router, second := newNS(t), newNS(t)
	run(t, "ip", "link", "add", "n1", "netns", router.name, "type", "veth", "peer", "name", "n1", "netns", second.name)
	for host, n := range map[int]ns{1: router, 11: second} {
		n.ip("addr add 10.0.1.%d/24 dev n1", host)
		n.ip("link set n1 up")
	}
	b := newBird(router, strings.Replace(birdNode, "as 64512;", "as 64512; graceful restart on;", 1))
	p := peerOn(1)
	p.IPv6 = false
	set := settings(p)
	set.GracefulRestart = true
	what := node{set, routes(vip4)}
	first := second.speaker(what)
	eventually(t, 10*time.Second, "the route", func() bool { return len(router.kernel(vip4)) == 1 })
	time.Sleep(100 * time.Millisecond) // for the end of RIB
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	state := func(what string) func() bool {
		return func() bool { return strings.Contains(b.ask("show", "protocols", "all", "n1"), what) }
	}
	eventually(t, 5*time.Second, "the router waits", state("Neighbor graceful restart active"))
	var seen strings.Builder
	monitor := exec.Command("ip", "monitor", "route")
	monitor.Stdout = &seen
	router.start(monitor)
	second.speaker(what)
	took := eventually(t, 15*time.Second, "the session is back", state("Established"))
	time.Sleep(2 * time.Second) // past the end of RIB, on either side
	_ = monitor.Process.Kill()
	_ = monitor.Wait()
	if strings.Contains(seen.String(), "Deleted") || len(router.kernel(vip4)) != 1 || state("Neighbor graceful restart active")() {
		t.Errorf("the route was missing for a while:\n%s", seen.String())
	}
	t.Logf("session back after %v", took)
}

// TestBFD cuts the router off: with BFD its loss is known in a fraction of the
// hold time, on both sides.
func TestBFD(t *testing.T) {
	if !isolated(t) {
		return
	}
	// A switch between the two: when it forwards no more, nobody's carrier goes.
	router, between := newNS(t), newNS(t)
	between.ip("link add sw type bridge")
	between.ip("link set sw up")
	for n, host := range map[string]string{router.name: "1", "": "11"} {
		add := []string{"ip", "link", "add", "n1"}
		ip := ownIP(t)
		if n != "" {
			add, ip = append(add, "netns", n), router.ip
		}
		run(t, append(add, "type", "veth", "peer", "name", "p"+host, "netns", between.name)...)
		between.ip("link set p%s up master sw", host)
		ip("addr add 10.0.1.%s/24 dev n1", host)
		ip("link set n1 up")
	}
	b := newBird(router, `
protocol bfd { interface "*" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
`+strings.Replace(birdNode, "as 64512;", "as 64512; bfd on;", 1))
	s := newSpeaker(t)
	p := peerOn(1)
	p.HoldTime, p.IPv6 = 90*time.Second, false
	p.BFD = BFD{Enabled: true, Interval: 100 * time.Millisecond}
	configure(t, s, settings(p))
	announce(t, s, routes(vip4)...)
	waitUp(t, s)
	up := func() bool { return peerStatus(t, s, p.Address).BFD == BFDUp }
	eventually(t, 10*time.Second, "BFD up", up)
	eventually(t, 3*time.Second, "the route", func() bool { return b.route(vip4) != nil })
	if got := sockets(t); !slices.Equal(got, []string{"udp *:3784"}) {
		t.Errorf("listens on %v", got)
	}

	// It is not fooled by a session that is merely busy.
	time.Sleep(time.Second)
	if st := peerStatus(t, s, p.Address); st.Losses != 0 || st.BFD != BFDUp {
		t.Fatalf("%+v", st)
	}
	between.ip("link set p1 nomaster")
	began := time.Now()
	here := eventually(t, 5*time.Second, "lost here", func() bool { return peerStatus(t, s, p.Address).State != Established })
	there := eventually(t, 5*time.Second, "lost at the router", func() bool { return b.route(vip4) == nil })
	t.Logf("3 packets at 100 ms: lost at the router after %v, here after %v", time.Since(began), here)
	if here > 2*time.Second || there > 2*time.Second {
		t.Errorf("the hold time is 90 s, BFD took %v and %v", here, there)
	}
	waitError(t, s, p.Address, "BFD: the router")
	between.ip("link set p1 master sw")
	waitUp(t, s)
	eventually(t, 10*time.Second, "BFD up again", up)

	// Taken off on this side alone, it is missed on the other: gobgp says no
	// goodbye (RFC 5880, section 6.8.16), so the router resets the session once.
	p.BFD = BFD{}
	configure(t, s, settings(p))
	eventually(t, 3*time.Second, "no socket", func() bool { return len(sockets(t)) == 0 })
	if st := peerStatus(t, s, p.Address); st.BFD != BFDOff {
		t.Errorf("BFD is %v", st.BFD)
	}
}

// TestBFDAfterLoss has the router end a session, and with it BFD, which is missed
// here when there is no session any more. The next one must not suffer for that.
func TestBFDAfterLoss(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	b := newBird(router, `
protocol bfd { interface "*" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
`+strings.Replace(birdNode, "as 64512;", "as 64512; bfd on;", 1))
	s := newSpeaker(t)
	p := peerOn(1)
	p.BFD = BFD{Enabled: true, Interval: 100 * time.Millisecond}
	configure(t, s, settings(p))
	announce(t, s, routes(vip4)...)
	for losses := range uint64(3) {
		waitUp(t, s)
		eventually(t, 10*time.Second, "BFD up", func() bool { return peerStatus(t, s, p.Address).BFD == BFDUp })
		eventually(t, 3*time.Second, "the route", func() bool { return b.route(vip4) != nil })
		time.Sleep(500 * time.Millisecond)
		if st := peerStatus(t, s, p.Address); st.Losses != losses || st.State != Established {
			t.Fatalf("after %d losses: %+v", losses, st)
		}
		b.ask("restart", "n1")
		eventually(t, 3*time.Second, "the loss", func() bool { return peerStatus(t, s, p.Address).State != Established })
	}
}

// TestThousand announces and withdraws 1,000 routes, and refuses 10,000.
func TestThousand(t *testing.T) {
	if !isolated(t) {
		return
	}
	router := newNS(t)
	router.join(1)
	var static strings.Builder
	static.WriteString("protocol static { ipv4;\n")
	const theirs = 10_000
	for i := range theirs {
		fmt.Fprintf(&static, "route 172.%d.%d.0/24 unreachable;\n", 16+i/256, i%256)
	}
	static.WriteString("}\n")
	b := newBird(router, birdNode)
	s := newSpeaker(t)
	p := peerOn(1)
	configure(t, s, settings(p))
	waitUp(t, s)
	memory := func() (n uint64) {
		var m runtime.MemStats
		debug.FreeOSMemory()
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before := memory()
	var many []Route
	for i := range 1000 {
		r := Route{Prefix: prefix(fmt.Sprintf("203.0.%d.%d/32", 100+i/250, i%250)), Communities: []Community{{Parts: [3]uint32{64512, uint32(i % 7)}}}}
		if i%2 == 1 {
			r.Prefix = prefix(fmt.Sprintf("2001:db8:f::%x/128", i))
		}
		many = append(many, r)
	}
	began := time.Now()
	announce(t, s, many...)
	called := time.Since(began)
	eventually(t, 10*time.Second, "1,000 routes in BIRD", func() bool { return b.count() == 1000 })
	seen := time.Since(began)
	took := memory() - before
	began = time.Now()
	announce(t, s, many...)
	same := time.Since(began)
	began = time.Now()
	announce(t, s)
	withdrawn := time.Since(began)
	eventually(t, 10*time.Second, "none in BIRD", func() bool { return b.count() == 0 })
	t.Logf("1,000 routes: Announce %v, in BIRD after %v, again %v, withdrawn %v, out of BIRD after %v, %d KiB of heap",
		called, seen, same, withdrawn, time.Since(began), took>>10)
	if called > 2*time.Second || seen > 4*time.Second || took > 64<<20 {
		t.Error("that is too much")
	}

	before = memory()
	b.reconfigure(static.String() + strings.Replace(birdNode, "as 64512;", "as 64512; ipv4 { export where source = RTS_STATIC; };", 1))
	eventually(t, 20*time.Second, "all of the router's routes refused", func() bool {
		return peerStatus(t, s, p.Address).Refused == theirs
	})
	took = memory() - before
	t.Logf("%d routes refused: %d KiB of heap, %d bytes each", theirs, took>>10, took/theirs)
	if out := ownIP(t)("route show 172.16.0.0/24"); out != "" {
		t.Errorf("learnt into the kernel: %s", out)
	}
}
