package metrics

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"guideway/control/config"
	"guideway/control/health"
	"guideway/control/plan"
	"guideway/fragments"
	"guideway/lcore"
	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
	"guideway/pmd"
	"guideway/pmd/memport"
)

const head = `[node]
name   = "lb1"
source = ["192.0.2.11"]
[dpdk]
lcores = [1, 2]
[[port]]
name = "mem"
device = "net_null0"
addresses = ["192.0.2.11/24"]
next_hop_mac = "02:00:00:00:00:01"
mtu = 1600
`

// vipText is a VIP at 203.0.113.N, TCP port 80, with backends from 10.N.0.1 on.
func vipText(name string, n, backends int) string {
	var list []string
	for b := range backends {
		list = append(list, fmt.Sprintf("{ address = \"10.%d.%d.%d\" }", n, (b+1)>>8, (b+1)&255))
	}
	return fmt.Sprintf("[[pool]]\nname = %q\nbackends = [%s]\n[[vip]]\nname = %q\naddress = \"203.0.113.%d\"\nports = [\"80\"]\npools = [%q]\n",
		name, strings.Join(list, ", "), name, n, name)
}

// A rig is two cores that poll a port in memory, and a page that shows them.
type rig struct {
	t       testing.TB
	port    *device
	group   *lcore.Group
	plan    *plan.Plan
	source  Source
	page    *collector
	log     *lines
	stalled [2]sync.RWMutex // by core: held for writing, it stalls at its next rest
	rests   [2]atomic.Bool  // by core: it has
}

// A device is a port in memory with a driver's counters.
type device struct {
	*memport.Port
	device string
	xstats []pmd.XStat
	err    error // of Stats
}

func (d *device) Info() pmd.Info {
	info := d.Port.Info()
	info.Device = d.device
	return info
}

func (d *device) XStats() ([]pmd.XStat, error) { return d.xstats, nil }

func (d *device) Stats() (pmd.Stats, error) {
	if d.err != nil {
		return pmd.Stats{}, d.err
	}
	return d.Port.Stats()
}

func newRig(t testing.TB, text string) *rig {
	t.Helper()
	r := &rig{t: t, log: &lines{}}
	r.port = &device{
		Port:   memport.New(memport.Config{Queues: 2, MTU: 1600, Frames: 4096}),
		device: "memport", xstats: []pmd.XStat{{Name: "rx_q0_packets", Value: 7}, {Name: "tx_q0_packets", Value: 8}},
	}
	var workers []*lcore.Worker
	for i := range r.stalled {
		table, err := conntrack.New(conntrack.Config{
			Flows: 1024, Seed: flow.Seed{A: 1, B: 2, C: 3},
			Timeouts: conntrack.Timeouts{TCPNew: time.Minute, TCPEstablished: time.Hour, TCPClosing: time.Minute, UDP: time.Minute, Other: time.Minute},
		})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := fragments.New(fragments.Config{Datagrams: 64, Held: 16, Bytes: 1 << 20, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		workers = append(workers, lcore.New(lcore.Config{
			CPU: i + 1, Conntrack: table, Fragments: pieces, Ports: []lcore.PortQueue{{Queue: r.port.Queue(i)}},
			Idle: func(d time.Duration) {
				if !r.stalled[i].TryRLock() {
					r.rests[i].Store(true)
					r.stalled[i].RLock()
					r.rests[i].Store(false)
				}
				defer r.stalled[i].RUnlock()
				time.Sleep(d)
			},
		}))
	}
	r.group = lcore.NewGroup(workers...)
	r.plan = makePlan(t, nil, text)
	r.group.Publish(lcore.Program{Snapshot: r.plan.Snapshot, Owners: r.plan.Owners})
	var loops sync.WaitGroup
	for _, w := range workers {
		loops.Go(w.Run)
	}
	t.Cleanup(func() {
		r.group.Stop()
		loops.Wait()
		r.port.Close()
	})
	if err := r.group.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.source = Source{
		Version: "v1.2.3", Reports: r.group.Reports, Ports: []pmd.Port{r.port},
		Pools: func() []pmd.Pool { return []pmd.Pool{r.port.Pool()} },
		Status: func() Status {
			return Status{
				Lcores: []int{1, 2}, Plan: r.plan, Planned: 1500 * time.Microsecond, Since: time.UnixMilli(1_700_000_000_250), LastSuccessful: true,
				Reloads:   map[string]uint64{"success": 3, "rejected": 2, "late": 1},
				Traces:    map[string]uint64{"answered": 5, "forged": 6, "stale": 7, "unsent": 8},
				Nodes:     map[string]bool{"lb2": true, "lb3": false},
				Checks:    []Check{{"10.0.0.1", "web", true}, {"10.0.0.2", "web", false}},
				Peers:     []Peer{{Address: "192.0.2.1", Up: true, Wanted: 3, Routes: 2, BFD: true}, {Address: "2001:db8::1", Wanted: 1}},
				Announced: map[string]int{"www": 1},
				Limits:    Limits{Flows: 1024, Datagrams: 64, Held: 16, HeldBytes: 1 << 20},
				Answers:   map[string]health.Histogram{"web": {Counts: [16]uint64{0, 5, 0, 2, 15: 1}, Sum: 12 * time.Second}, "new": {}},
			}
		},
		Takeover: func() Takeover {
			return Takeover{Tables: map[string]int{"taken": 1, "none": 1}, Entries: map[string]uint64{"taken": 40, "expired": 5, "void": 3, "dropped": 6}, Kept: true}
		},
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	r.page = &collector{Source: r.source, sys: files(map[string]string{
		"kernel/mm/hugepages/hugepages-2048kB/free_hugepages":    "17\n",
		"kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "1\n",
		"kernel/mm/hugepages/hugepages-64kB/free_hugepages":      "0\n",
		"kernel/mm/hugepages/hugepages-2048kB/nr_hugepages":      "99\n",
		"kernel/mm/hugepages/hugepages-2048kB/nr_overcommit":     "3\n",

		"devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages":   "40\n",
		"devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages": "0\n",
		"devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages":   "59\n",
		"devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages": "17\n",

		"devices/system/cpu/isolated":      "2-3,7\n",
		"devices/system/cpu/cpu1/node0/x":  "", // a link to the node's folder
		"devices/system/cpu/cpu2/node1/x":  "",
		"devices/system/cpu/cpu2/topology": "",
	}), proc: files(map[string]string{
		"status":         "Name:\tguidewayd\nHugetlbPages:\t  167936 kB\nCpus_allowed_list:\t0\n",
		"task/10/status": "Name:\tguidewayd\nCpus_allowed_list:\t0\nvoluntary_ctxt_switches:\t70\nnonvoluntary_ctxt_switches:\t80\n",
		"task/11/status": "Name:\tguidewayd\nCpus_allowed_list:\t1\nvoluntary_ctxt_switches:\t2\nnonvoluntary_ctxt_switches:\t3\n",
		"task/12/status": "Name:\tguidewayd\nCpus_allowed_list:\t0-3\nvoluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t5\n",
	})}
	return r
}

func files(texts map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range texts {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func makePlan(t testing.TB, previous *plan.Plan, text string) *plan.Plan {
	t.Helper()
	c, _, err := config.Parse("test.toml", []byte(head+text))
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{Config: c, Ports: []plan.Port{{MTU: 1600}}, Generation: 1, Previous: previous, Workers: 2}
	if previous != nil {
		in.Generation = previous.Snapshot.Generation + 1
	}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stall keeps a core from its next turn on, until the returned function is
// called.
func (r *rig) stall(core int) (resume func()) {
	r.stalled[core].Lock()
	resume = sync.OnceFunc(r.stalled[core].Unlock)
	r.t.Cleanup(resume) // a test that fails must not wait for it
	for deadline := time.Now().Add(10 * time.Second); !r.rests[core].Load(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("the core does not come to rest") // it does after some empty turns
		}
	}
	return resume
}

// send hands n packets of as many connections to 203.0.113.vip to a core, and
// waits until it has dealt with them.
func (r *rig) send(core int, vip byte, n int) {
	r.t.Helper()
	before, err := r.port.Stats()
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range n {
		r.port.Inject(core, tcp(vip, uint16(i)))
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		s, _ := r.port.Stats()
		if s.RxPackets == before.RxPackets+uint64(n) && r.port.Held() == 0 {
			r.port.Sent(core)
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d of %d packets received", s.RxPackets-before.RxPackets, n)
		}
	}
}

// tcp is a segment from a client's port to 203.0.113.vip, port 80: 40 bytes of
// IP, 54 in all.
func tcp(vip byte, port uint16) []byte {
	b := make([]byte, 14+20+20)
	packet.PutEthernet(b, [6]byte{2, 0, 0, 0, 0, 0x11}, [6]byte{2, 0, 0, 0, 0, 0x99}, 0, packet.EtherTypeIPv4)
	packet.PutIPv4(b[14:], 61, packet.ProtoTCP, 0xc6336401, 0xcb007100|uint32(vip))
	packet.SetIPv4(b[14:], 0, 40, packet.IPv4Rest(b[14:]))
	binary.BigEndian.PutUint16(b[34:], port)
	binary.BigEndian.PutUint16(b[36:], 80)
	b[34+12], b[34+13] = 5<<4, packet.TCPAck
	return b
}

// A page is what one scrape showed.
type page struct {
	t        testing.TB
	families map[string]*dto.MetricFamily
}

// scrape reads the page as Prometheus does.
func (r *rig) scrape() page {
	r.t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(newRegistry(r.page), promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		r.t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return page{r.t, families}
}

// values gives the values of a metric by their labels, as in `core="1"`.
func (p page) values(name string) map[string]float64 {
	m := map[string]float64{}
	for _, metric := range p.families["guideway_"+name].GetMetric() {
		var labels []string
		for _, l := range metric.GetLabel() {
			labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
		}
		m[strings.Join(labels, ",")] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
	}
	return m
}

// sum adds up the values of a metric with a label, written as in values; "":
// all of them.
func (p page) sum(name, label string) (sum float64) {
	for labels, v := range p.values(name) {
		if strings.Contains(labels, label) {
			sum += v
		}
	}
	return sum
}

// want checks one value.
func (p page) want(name, labels string, want float64) {
	p.t.Helper()
	if got, shown := p.values(name)[labels]; !shown || got != want {
		p.t.Errorf("%s{%s} is %v, want %v; all: %v", name, labels, got, want, p.values(name))
	}
}

// absent checks that nothing is shown.
func (p page) absent(name, labels string) {
	p.t.Helper()
	if got, shown := p.values(name)[labels]; shown {
		p.t.Errorf("%s{%s} is shown: %v", name, labels, got)
	}
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
