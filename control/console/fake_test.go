package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"guideway/control/config"
	"guideway/control/plan"
	"guideway/control/trace"
	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/pmd"
)

// began is when everything in the fake began; golden texts are of an hour and a
// minute later.
var (
	began = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	now   = began.Add(time.Hour + time.Minute)
)

// A fake is a Node whose plan is real and whose counters are made up.
type fake struct {
	mu        sync.Mutex
	config    *config.Config
	warnings  config.Warnings
	plan      *plan.Plan
	next      *config.Config // what a reload would load
	overrides map[plan.Target]plan.Override
	draining  bool
	refuse    error // of Reload and Override without force
	late      error // of Reports
	silent    bool  // the second core never answered
	reloads   int
	capturing chan Capture // gets each request
	panics    bool
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{overrides: map[plan.Target]plan.Override{}, capturing: make(chan Capture, 8)}
	f.config, f.next = load(t, "testdata/node.toml"), load(t, "testdata/next.toml")
	f.warnings = config.Warnings{{File: "guideway.toml", Line: 7, Col: 1, Text: "pool \"spare\" is empty"}}
	f.build()
	return f
}

func load(t testing.TB, path string) *config.Config {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// build plans anew. By the checks one backend is down, and one not known yet.
func (f *fake) build() {
	in := plan.Assume(f.config, f.plan)
	in.Overrides = f.overrides
	in.Health = func(_ config.VIP, a netip.Addr, check string) plan.Health {
		switch a.String() {
		case "10.0.0.3":
			return plan.Health{Verdict: plan.Down, Percent: 100}
		case "10.0.0.4":
			return plan.Health{Verdict: plan.Unknown, Percent: 100}
		}
		return plan.Health{Verdict: plan.Up, Percent: 100}
	}
	p, err := plan.Build(in)
	if err != nil {
		panic(err)
	}
	f.plan = p
}

func (f *fake) Version() Version {
	return Version{Version: "v1.2.3", Go: "go1.26.0", DPDK: "DPDK 22.11.7", Node: "lb1", PID: 4711, Started: began}
}

func (f *fake) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics {
		panic("a fault")
	}
	overrides := map[plan.Target]plan.Override{}
	for k, v := range f.overrides {
		overrides[k] = v
	}
	return Status{
		Path: "/etc/guideway/guideway.toml", Config: f.config, Warnings: f.warnings, Plan: f.plan, Planned: 1500 * time.Microsecond, Since: began.Add(time.Hour),
		Reloads: map[string]uint64{"success": 3, "rejected": 1, "late": 0}, Overrides: overrides, Draining: f.draining,
		Kept: true, TakenOver: 321,
	}
}

func (f *fake) Reports(context.Context) ([]*lcore.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*lcore.Report
	for i, cpu := range f.config.DPDK.Lcores {
		if f.silent && i == 1 {
			all = append(all, nil)
			continue
		}
		n := uint64(i + 1)
		r := &lcore.Report{
			CPU: cpu, Generation: f.plan.Snapshot.Generation, Received: 1_000_000 * n, ReceivedBytes: 123_456_789 * n, Taken: 10 * n, Made: n,
			Turns: 5_000_000 * n, EmptyTurns: 4_000_000 * n, Busy: time.Duration(n) * time.Second, Free: 9 * time.Second, Gap: time.Duration(n) * 17 * time.Microsecond,
			Services: make([]lcore.ServiceCount, f.plan.Snapshot.Services()), Endpoints: make([]uint64, f.plan.Snapshot.Endpoints()),
			Conntrack: conntrack.Stats{Entries: 1234 * n, Inserts: 5000 * n, Moves: 7, Expiries: 3000, Evictions: 2, Full: 1},
			Fragments: fragments.Stats{Datagrams: 5, Waiting: 1, Held: 2 * n, HeldBytes: 3000, Firsts: 40, Followed: 80, Kept: 9, Released: 6, Expired: 1},
		}
		r.Verdicts[lcore.Forwarded] = 999_000 * n
		r.Verdicts[lcore.NotVIP] = r.Received + r.Taken + r.Made - r.Fragments.Held - r.Verdicts[lcore.Forwarded]
		for s := range r.Services {
			r.Services[s] = lcore.ServiceCount{Packets: 100_000 * n, Bytes: 64_000_000 * n}
		}
		for e := range r.Endpoints {
			r.Endpoints[e] = 50_000 * n
		}
		all = append(all, r)
	}
	return all, f.late
}

func (f *fake) Ports() []Port {
	return []Port{
		{
			Info: pmd.Info{Name: "wan", Device: "0000:3b:00.0", Driver: "net_ice", MAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1600, Queues: 2, RxQueues: 2, RSS: &pmd.RSS{}},
			Link: pmd.Link{Up: true, SpeedMbps: 25000}, Stats: pmd.Stats{RxPackets: 3_000_000, RxBytes: 370_370_367, TxPackets: 2_997_000, TxBytes: 450_000_000, RxMissed: 12},
			XStats: []pmd.XStat{{Name: "rx_size_64_packets", Value: 1_000_000}, {Name: "tx_dropped", Value: 0}},
		},
		{Info: pmd.Info{Name: "lan", Device: "net_null1", Driver: "net_null", MTU: 1600, Queues: 2, RxQueues: 1}, Error: "the device does not say"},
	}
}

func (f *fake) Checks() []Check {
	return []Check{
		{Address: netip.MustParseAddr("10.0.0.1"), Name: "web", Type: "http", Via: "direct", State: "up", Since: began, Reason: "answers", Latency: Seconds(1234 * time.Microsecond), Probes: 3600},
		{Address: netip.MustParseAddr("10.0.0.3"), Name: "web", Type: "http", Via: "direct", State: "down", Since: began.Add(time.Hour), Reason: "does not answer",
			Latency: Seconds(900 * time.Microsecond), LastError: "status 503, want 200: \x1b[31mno\x1b[0m", ErrorAt: now.Add(-time.Second), Probes: 3600, Failed: 60},
		{Address: netip.MustParseAddr("10.0.0.4"), Name: "web", Type: "http", Via: "www", State: "unknown", Since: now.Add(-time.Second), Reason: "no verdict yet"},
	}
}

func (f *fake) Nodes() []FleetNode {
	return []FleetNode{
		{Name: "lb1", Address: netip.MustParseAddr("192.0.2.11"), Self: true, State: "up", Share: 0.5},
		{Name: "lb2", Address: netip.MustParseAddr("192.0.2.12"), State: "up", Since: began, Latency: Seconds(210 * time.Microsecond), Share: 0.5},
		{Name: "lb3", Address: netip.MustParseAddr("192.0.2.13"), State: "down", Since: began.Add(time.Hour), Error: "no answer in 200ms"},
	}
}

func (f *fake) Kernel() Kernel {
	return Kernel{
		Interfaces: []Interface{{Name: "gw-wan", Port: "wan", MAC: "02:00:00:00:00:01", MTU: 1504, Up: true, Carrier: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/24")}}},
		NextHops: []NextHop{
			{Destination: netip.MustParseAddr("10.0.0.1"), Route: "10.0.0.0/8", Interface: "gw-wan", Via: netip.MustParseAddr("192.0.2.1"), MAC: "02:00:00:00:01:00", State: "reachable", Weight: 1},
			{Destination: netip.MustParseAddr("10.0.0.2"), Route: "10.0.0.0/8"},
		},
	}
}

func (f *fake) BGP() BGP {
	b := BGP{ASN: 64512, RouterID: netip.MustParseAddr("192.0.2.11"), Peers: []Peer{
		{Address: netip.MustParseAddr("192.0.2.1"), ASN: 64500, State: "established", Since: began, Families: []string{"ipv4", "ipv6"}, Sent: 2, BFD: "up"},
		{Address: netip.MustParseAddr("192.0.2.2"), ASN: 64500, State: "active", Since: began.Add(time.Hour), Families: []string{"ipv4"}, LastError: "connection refused"},
	}, Routes: []Route{}}
	for _, r := range f.Status().Plan.Routes() {
		route := Route{Prefix: r.Prefix, VIPs: r.VIPs, Communities: []string{}}
		for _, c := range r.Communities {
			route.Communities = append(route.Communities, c.String())
		}
		b.Routes = append(b.Routes, route)
	}
	return b
}

func (f *fake) Explain(_ context.Context, in plan.Question) (*Explanation, error) {
	s := f.Status()
	in.Hashed, in.Hash = true, 1<<31
	e := &Explanation{}
	if in.Key.SrcPort() == 4712 { // the one flow that the fake remembers
		v := s.Plan.VIPs[len(s.Plan.VIPs)-1]
		core := 3
		in.Entry, e.Core = v.Backends[1].Endpoint, &core
		e.Entry = &Entry{Backend: v.Backends[1].Address, State: "established", Idle: Seconds(12 * time.Second)}
	}
	e.Explanation = *s.Plan.Explain(s.Config, in)
	return e, nil
}

// change does what f.mu is held for, and answers as a node does.
func (f *fake) change(force bool, do func()) (*Change, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil && !force {
		return nil, fmt.Errorf("%w: %w", f.refuse, ErrForce)
	}
	before := plan.Side{Config: f.config, Plan: f.plan}
	do()
	f.build()
	return &Change{Generation: f.plan.Snapshot.Generation, Took: Seconds(2 * time.Millisecond), Warnings: []string{},
		Diff: plan.Compare(before, plan.Side{Config: f.config, Plan: f.plan})}, nil
}

func (f *fake) Reload(_ context.Context, force bool) (*Change, error) {
	return f.change(force, func() { f.config = f.next; f.reloads++ })
}

func (f *fake) Plan(context.Context) (*plan.Diff, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return plan.Preview(f.config, f.next)
}

func (f *fake) Override(_ context.Context, of plan.Target, to plan.Override, force bool) (*Change, error) {
	return f.change(force, func() { f.overrides[of] = to })
}

func (f *fake) DrainNode(_ context.Context, undo bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = !undo
	return nil
}

func (f *fake) Capture(ctx context.Context, c Capture) (*Captured, error) {
	select {
	case f.capturing <- c:
	default:
	}
	if c.Filter == "never" { // until somebody ends it
		<-ctx.Done()
		return &Captured{File: c.File, Frames: 7, Bytes: 700, Missed: 1, Ended: "the operator"}, nil
	}
	return &Captured{File: c.File, Frames: c.Count, Bytes: int64(c.Count) * 100, Ended: "count"}, nil
}

func (f *fake) Trace(_ context.Context, r trace.Request) (*trace.Result, error) {
	if r.Flow.DstPort() == 1 {
		return nil, errors.New("no port to send by")
	}
	one := trace.Hop{Packet: 1, Node: "lb2", Core: 3, After: 300 * time.Microsecond, Outcome: "forwarded", VIP: "www",
		Backend: netip.MustParseAddr("10.0.0.1"), Why: "slot 17 of 65537"}
	if !r.Fragments {
		return &trace.Result{Sent: r.Count, Hops: []trace.Hop{one}, Open: []trace.Open{{Packet: 2}, {Packet: 3}}}, nil
	}
	sent := trace.Hop{Packet: 1, Piece: trace.First, Node: "lb1", Core: 2, After: 200 * time.Microsecond, Outcome: "redirected", Next: "lb2", Why: "to lb2, which owns the datagram"}
	held := trace.Hop{Packet: 1, Piece: trace.Last, Node: "lb2", Core: 3, After: 400 * time.Microsecond, Outcome: trace.Held, VIP: "www", Why: "waits for the first fragment, up to 1s"}
	return &trace.Result{Sent: 2 * r.Count, Hops: []trace.Hop{sent, held}, Open: []trace.Open{
		{Packet: 1, Piece: trace.First, Last: &sent}, {Packet: 1, Piece: trace.Last, Last: &held}, {Packet: 2, Piece: trace.First}, {Packet: 2, Piece: trace.Last},
	}}, nil
}

// lines holds what was logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "took" {
			return slog.Attr{}
		}
		return a
	}}))
}
