package metrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"guideway/lcore"
	"guideway/pmd"
)

// TestContract: the names that operators hold on to, with types and labels.
func TestContract(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	r.send(0, 1, 10)
	shown := r.scrape().signatures()
	for _, want := range []string{
		"guideway_packets_total counter core,verdict",
		"guideway_bytes_total counter core",
		"guideway_vip_packets_total counter vip",
		"guideway_vip_bytes_total counter vip",
		"guideway_backend_packets_total counter backend,vip",
		"guideway_backend_share gauge backend,vip",
		"guideway_vip_table_digest gauge vip",
		"guideway_vip_table_build_seconds gauge ",
		"guideway_conntrack_entries gauge core",
		"guideway_conntrack_events_total counter core,event",
		"guideway_port_rx_packets_total counter port",
		"guideway_port_xstat_total counter port,xstat",
		"guideway_core_busy_ratio gauge core",
		"guideway_core_poll_gap_seconds gauge core",
		"guideway_core_answering gauge core",
		"guideway_mempool_free gauge pool",
		"guideway_config_generation gauge ",
		"guideway_config_reload_total counter result",
		"guideway_config_last_reload_success gauge ",
		"guideway_hugepages_free gauge size",
		"guideway_check_duration_seconds histogram check",
		"guideway_vip_announced gauge vip",
		"guideway_bgp_peer_up gauge peer",
		"guideway_bfd_up gauge peer",
		"guideway_backend_up gauge backend,check",
		"guideway_mempool_size gauge pool",
		"go_goroutines gauge ",
		"process_cpu_seconds_total counter ",
	} {
		if !slices.Contains(shown, want) {
			t.Errorf("not shown: %s", want)
		}
	}
}

// signatures gives name, type and labels of each metric.
func (p page) signatures() []string {
	var all []string
	for name, f := range p.families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		all = append(all, fmt.Sprintf("%s %s %s", name, strings.ToLower(f.GetType().String()), strings.Join(labels, ",")))
	}
	slices.Sort(all)
	return all
}

func TestLint(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	r.send(0, 1, 10)
	p := r.scrape()
	maps.DeleteFunc(p.families, func(name string, _ *dto.MetricFamily) bool { return !strings.HasPrefix(name, "guideway_") })
	problems, err := promlint.NewWithMetricFamilies(slices.Collect(maps.Values(p.families))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// TestDocumented: docs/metrics.md lists what the page shows, with types and
// labels, and nothing else.
func TestDocumented(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	r.send(0, 1, 10)
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(guideway_[a-z_]+)` \\| (\\w+) \\|([^|]*)\\| [^|]+ \\|[^|]*\\|$").FindAllStringSubmatch(string(text), -1) {
		labels := strings.Split(strings.Trim(row[3], " `"), "`, `")
		slices.Sort(labels)
		listed = append(listed, fmt.Sprintf("%s %s %s", row[1], row[2], strings.Join(labels, ",")))
	}
	slices.Sort(listed)
	shown := slices.DeleteFunc(r.scrape().signatures(), func(s string) bool { return !strings.HasPrefix(s, "guideway_") })
	for _, s := range shown {
		if !slices.Contains(listed, s) {
			t.Errorf("docs/metrics.md does not list %q", s)
		}
	}
	for _, s := range listed {
		if !slices.Contains(shown, s) {
			t.Errorf("docs/metrics.md lists %q, which is not shown", s)
		}
	}
	for v := range lcore.Verdicts {
		if !strings.Contains(string(text), "| `"+v.String()+"` |") {
			t.Errorf("docs/metrics.md does not explain the verdict %s", v)
		}
	}
}

func TestValues(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2)+vipText("off", 2, 1)+"") // two VIPs, three backends
	r.send(0, 1, 100)
	r.send(1, 1, 50)
	r.send(1, 9, 5) // no VIP
	p := r.scrape()
	p.want("build_info", `version="v1.2.3"`, 1)
	p.want("packets_total", `core="1",verdict="forwarded"`, 100)
	p.want("packets_total", `core="2",verdict="forwarded"`, 50)
	p.want("packets_total", `core="2",verdict="not_vip"`, 5)
	p.want("received_packets_total", `core="2"`, 55)
	p.want("bytes_total", `core="1"`, 100*54)
	p.want("vip_packets_total", `vip="www"`, 150)
	p.want("vip_bytes_total", `vip="www"`, 150*40)
	p.want("vip_packets_total", `vip="off"`, 0)
	p.want("vip_table_slots", `vip="www"`, 65537)
	p.want("vip_table_digest", `vip="www"`, float64(r.plan.VIPs[1].Table.Digest()>>12))
	p.want("backend_packets_total", `backend="10.2.0.1",vip="off"`, 0)
	p.want("backend_share", `backend="10.2.0.1",vip="off"`, 1)
	p.want("backend_serving", `backend="10.1.0.1",vip="www"`, 1)
	if a, b := p.sum("backend_packets_total", `vip="www"`), p.values("backend_packets_total")[`backend="10.1.0.2",vip="www"`]; a != 150 || b < 20 || b > 130 {
		t.Errorf("packets to the backends of www: %v in all, %v to the second", a, b)
	}
	if got := p.sum("backend_share", `vip="www"`); got != 1 {
		t.Errorf("the shares of www add up to %v", got)
	}
	p.want("conntrack_entries", `core="1"`, 100)
	p.want("conntrack_events_total", `core="2",event="insert"`, 50)
	p.want("core_answering", `core="1"`, 1)
	p.want("core_generation", `core="1"`, 1)
	p.want("config_generation", "", 1)
	p.want("config_published_timestamp_seconds", "", 1_700_000_000.25)
	p.want("config_last_reload_success", "", 1)
	p.want("bgp_peer_up", `peer="192.0.2.1"`, 1)
	p.want("bgp_peer_up", `peer="2001:db8::1"`, 0)
	p.want("bgp_peer_routes", `peer="192.0.2.1"`, 2)
	p.want("bgp_peer_routes_wanted", `peer="192.0.2.1"`, 3)
	p.want("bgp_peer_routes_wanted", `peer="2001:db8::1"`, 1)
	p.want("vip_announced", `vip="www"`, 1)
	p.want("vip_announced_peers", `vip="www"`, 1)
	p.want("vip_announced", `vip="off"`, 0)
	p.want("vip_announced_peers", `vip="off"`, 0)
	p.want("bfd_up", `peer="192.0.2.1"`, 0)
	p.absent("bfd_up", `peer="2001:db8::1"`)
	p.want("announcements_held", "", 0)
	p.want("backend_up", `backend="10.0.0.1",check="web"`, 1)
	p.want("backend_up", `backend="10.0.0.2",check="web"`, 0)
	p.want("node_up", `node="lb2"`, 1)
	p.want("node_up", `node="lb3"`, 0)
	p.want("destinations_unreachable", "", 0)
	p.want("config_vips", "", 2)
	p.want("vip_table_build_seconds", "", 0.0015)
	p.want("config_reload_total", `result="success"`, 3)
	p.want("config_reload_total", `result="rejected"`, 2)
	p.want("config_reload_total", `result="late"`, 1)
	for result, n := range map[string]float64{"answered": 5, "forged": 6, "stale": 7, "unsent": 8, "limited": 0} {
		p.want("trace_packets_total", `result="`+result+`"`, n)
	}
	p.want("port_rx_packets_total", `port="mem"`, 155)
	p.want("port_tx_bytes_total", `port="mem"`, 150*(54+24))
	p.want("port_link_up", `port="mem"`, 1)
	p.want("port_speed_bytes_per_second", `port="mem"`, 1.25e9)
	p.want("port_mtu_bytes", `port="mem"`, 1600)
	p.want("port_xstat_total", `port="mem",xstat="tx_q0_packets"`, 8)
	p.want("port_xstats_omitted", `port="mem"`, 0)
	p.want("mempool_size", `pool="mem"`, 4096)
	p.want("mempool_free", `pool="mem"`, 4096)
	p.want("hugepages_free", `size="2MiB"`, 17)
	p.want("hugepages_free", `size="1GiB"`, 1)
	p.want("hugepages_free", `size="64KiB"`, 0)
	p.want("hugepages", `size="2MiB"`, 99)
	p.want("numa_hugepages", `node="1",size="2MiB"`, 59)
	p.want("numa_hugepages_free", `node="0",size="2MiB"`, 0)
	p.want("hugepages_used_bytes", "", 164<<20)
	p.want("core_numa_node", `core="1"`, 0)
	p.want("core_numa_node", `core="2"`, 1)
	p.want("core_isolated", `core="1"`, 0)
	p.want("core_isolated", `core="2"`, 1)
	p.want("core_pinned", `core="1"`, 1)
	p.want("core_pinned", `core="2"`, 0)
	p.want("core_switches_total", `core="1",kind="rested"`, 2)
	p.want("core_switches_total", `core="1",kind="forced"`, 3)
	p.absent("core_switches_total", `core="2",kind="forced"`)
	p.want("port_numa_node", `port="mem"`, -1)
	p.want("port_rx_queues", `port="mem"`, 2)
	p.want("conntrack_capacity", `core="2"`, 1024)
	p.want("fragments_datagrams_capacity", `core="1"`, 64)
	p.want("fragments_held_capacity", `core="1"`, 16)
	p.want("fragments_held_capacity_bytes", `core="1"`, 1<<20)
	if s := r.log.String(); s != "" {
		t.Errorf("logged %s", s)
	}
}

func TestAnswersToChecks(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	shown := map[string]*dto.Histogram{}
	for _, m := range r.scrape().families["guideway_check_duration_seconds"].GetMetric() {
		shown[m.GetLabel()[0].GetValue()] = m.GetHistogram()
	}
	if h := shown["new"]; h.GetSampleCount() != 0 || len(h.GetBucket()) == 0 {
		t.Errorf("a check without answers: %v", h)
	}
	h := shown["web"]
	if h.GetSampleCount() != 8 || h.GetSampleSum() != 12 {
		t.Errorf("%d answers that took %v s, want 8 and 12", h.GetSampleCount(), h.GetSampleSum())
	}
	want := map[float64]uint64{250e-6: 0, 500e-6: 5, 1e-3: 5, 2.5e-3: 7, 10: 7, math.Inf(1): 8}
	for _, b := range h.GetBucket() {
		if n, judged := want[b.GetUpperBound()]; judged && n != b.GetCumulativeCount() {
			t.Errorf("%d answers within %v s, want %d", b.GetCumulativeCount(), b.GetUpperBound(), n)
		}
		delete(want, b.GetUpperBound())
	}
	if len(want) > 0 {
		t.Errorf("no buckets to %v", want)
	}
}

func TestBackendsThatTakeNothing(t *testing.T) {
	r := newRig(t, strings.Replace(vipText("www", 1, 2), `"10.1.0.2"`, `"10.1.0.2", state = "drain"`, 1)+
		strings.Replace(vipText("quiet", 2, 1), `"10.2.0.1"`, `"10.2.0.1", state = "drain"`, 1))
	p := r.scrape()
	p.want("backend_share", `backend="10.1.0.1",vip="www"`, 1)
	p.want("backend_share", `backend="10.1.0.2",vip="www"`, 0)
	p.want("backend_serving", `backend="10.1.0.2",vip="www"`, 0)
	p.want("backend_share", `backend="10.2.0.1",vip="quiet"`, 0)
	p.absent("vip_table_slots", `vip="quiet"`)
	p.absent("vip_table_digest", `vip="quiet"`)
}

// Whatever moment a scrape hits, every received frame has its verdict.
func TestSumsAgreeWhileCoresRun(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for core := range 2 {
				for i := range 100 {
					r.port.Inject(core, tcp(1+byte(i%2), uint16(i)), []byte{1, 2, 3})
				}
				r.port.Sent(core)
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	last := 0.0
	grew := 0
	for range 100 {
		p := r.scrape()
		for _, core := range []string{`core="1"`, `core="2"`} {
			if sum, received := p.sum("packets_total", core), p.values("received_packets_total")[core]; sum != received {
				t.Fatalf("%s: the sum over verdicts is %v, received were %v", core, sum, received)
			}
		}
		if n := p.sum("received_packets_total", ""); n > last {
			last = n
			grew++
		}
	}
	close(stop)
	sender.Wait()
	if grew < 50 {
		t.Errorf("frames came between %d of 100 scrapes: the test shows less than it should", grew)
	}
}

// A stalled core shows its old counters and says that they are old; what is
// measured from scrape to scrape it does not show at all.
func TestStalledCore(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	r.send(0, 1, 10)
	r.send(1, 1, 20)
	r.scrape()
	resume := r.stall(1)
	for range 5 {
		r.port.Inject(1, tcp(1, 77))
	}
	p := r.scrape()
	p.want("core_answering", `core="1"`, 1)
	p.want("core_answering", `core="2"`, 0)
	p.want("packets_total", `core="2",verdict="forwarded"`, 20)
	p.want("vip_packets_total", `vip="www"`, 30)
	p.absent("core_poll_gap_seconds", `core="2"`)
	p.absent("core_busy_ratio", `core="2"`)
	if s := r.log.String(); !strings.Contains(s, "level=WARN") || !strings.Contains(s, "cores [2] do not answer") {
		t.Errorf("logged %q", s)
	}
	r.port.Advance(int64(3 * time.Second))
	resume()
	time.Sleep(5 * time.Millisecond)
	p = r.scrape()
	p.want("core_answering", `core="2"`, 1)
	p.want("packets_total", `core="2",verdict="forwarded"`, 25)
	// It was away for longer than the scrape waited for it, and says so once.
	if gap := p.values("core_poll_gap_seconds")[`core="2"`]; gap < 2.9 || gap > 3 {
		t.Errorf("the core was away for %v s", gap)
	}
	if gap := r.scrape().values("core_poll_gap_seconds")[`core="2"`]; gap > 1 {
		t.Errorf("and still says that it was away for %v s", gap)
	}
}

// A core that has never answered is known by the configuration alone.
func TestCoreThatNeverAnswered(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	r.stall(0)
	p := r.scrape()
	p.want("core_answering", `core="1"`, 0)
	p.want("core_answering", `core="2"`, 1)
	p.absent("received_packets_total", `core="1"`)
	p.want("vip_packets_total", `vip="www"`, 0)
}

// Scrapes side by side, one core stalled: each gets all that the other core
// has to say, though one waits for the other.
func TestScrapesSideBySide(t *testing.T) {
	r := newRig(t, vipText("www", 1, 2))
	r.send(0, 1, 10)
	r.scrape()
	r.stall(1)
	var scrapes sync.WaitGroup
	for range 3 {
		scrapes.Go(func() {
			p := r.scrape()
			p.want("core_answering", `core="1"`, 1)
			p.want("core_answering", `core="2"`, 0)
			p.want("received_packets_total", `core="1"`, 10)
		})
	}
	scrapes.Wait()
}

// When a number goes to another VIP or backend, nothing that was counted for
// the former holder shows for the new one, whichever of the two a core counts
// for at the moment of a scrape.
func TestNumbersThatChangeHands(t *testing.T) {
	r := newRig(t, vipText("old", 1, 1))
	r.send(0, 1, 10)
	r.send(1, 1, 20)
	r.scrape().want("vip_packets_total", `vip="old"`, 30)
	resume := r.stall(1)
	empty := makePlan(t, r.plan, "")
	r.plan = makePlan(t, empty, vipText("new", 2, 1))
	if r.plan.VIPs[0].Service != 0 {
		t.Fatalf("the new VIP is service %d, not the old one's", r.plan.VIPs[0].Service)
	}
	p := r.scrape() // planned, but not published
	p.want("vip_packets_total", `vip="new"`, 0)
	r.group.Publish(lcore.Program{Snapshot: empty.Snapshot, Owners: empty.Owners})
	r.group.Publish(lcore.Program{Snapshot: r.plan.Snapshot, Owners: r.plan.Owners})
	r.send(0, 2, 7)
	p = r.scrape() // one core has it, one has not
	p.want("core_answering", `core="2"`, 0)
	p.want("vip_packets_total", `vip="new"`, 7)
	p.want("backend_packets_total", `backend="10.2.0.1",vip="new"`, 7)
	resume()
	time.Sleep(5 * time.Millisecond)
	r.send(1, 2, 3)
	p = r.scrape()
	p.want("vip_packets_total", `vip="new"`, 10)
	p.want("vip_bytes_total", `vip="new"`, 400)
}

// The busy ratio is of the time between two scrapes.
func TestBusyRatio(t *testing.T) {
	r := newRig(t, "")
	reports := []*lcore.Report{
		{CPU: 4, Busy: 30 * time.Second, Free: 70 * time.Second, Gap: 3 * time.Microsecond},
		{CPU: 4, Busy: 39 * time.Second, Free: 71 * time.Second, Gap: 5 * time.Microsecond},
	}
	r.page.Reports = func(context.Context) ([]*lcore.Report, error) {
		next := reports[0]
		reports = reports[1:]
		return []*lcore.Report{next}, nil
	}
	p := r.scrape()
	p.want("core_busy_ratio", `core="4"`, 0.3)
	p.want("core_poll_gap_seconds", `core="4"`, 3e-6)
	p = r.scrape()
	p.want("core_busy_ratio", `core="4"`, 0.9)
	p.want("core_poll_gap_seconds", `core="4"`, 5e-6)
	p.want("core_busy_seconds_total", `core="4"`, 39)
	p.want("core_free_seconds_total", `core="4"`, 71)
}

func TestXStatsAreBounded(t *testing.T) {
	r := newRig(t, vipText("www", 1, 1))
	r.port.device = `net_pcap0,rx_pcap=C:\in "1".pcap` + "\n"
	long := strings.Repeat("x", 200)
	r.port.xstats = []pmd.XStat{
		{Name: "rx.q-0/good", Value: 1}, {Name: "tx drops\n\"é\xff", Value: 2}, {Name: "rx.q-0/good", Value: 3}, {Name: long, Value: 4}, {Name: "", Value: 5},
	}
	p := r.scrape()
	p.want("port_xstat_total", `port="mem",xstat="rx.q-0/good"`, 1)
	p.want("port_xstat_total", `port="mem",xstat="tx_drops_\"__"`, 2)
	p.want("port_xstat_total", `port="mem",xstat="`+long[:64]+`"`, 4)
	p.want("port_xstat_total", `port="mem",xstat=""`, 5)
	p.want("port_xstats_omitted", `port="mem"`, 1)
	p.want("port_info", fmt.Sprintf(`device=%q,driver="memport",port="mem"`, r.port.device), 1) // escaped, and back

	r.port.xstats = nil
	for i := range 5000 {
		r.port.xstats = append(r.port.xstats, pmd.XStat{Name: fmt.Sprintf("rx_q%d_packets", i)})
	}
	p = r.scrape()
	if n := len(p.values("port_xstat_total")); n != maxXStats {
		t.Errorf("%d counters of the driver are shown", n)
	}
	p.want("port_xstats_omitted", `port="mem"`, 5000-maxXStats)
}

// What cannot be read is left out and logged; the rest of the page stands.
func TestWhatCannotBeRead(t *testing.T) {
	r := newRig(t, vipText("www", 1, 1))
	r.port.err = errors.New("the device is gone")
	r.page.sys = files(map[string]string{"kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "many\n"})
	r.page.proc = files(nil)
	p := r.scrape()
	p.absent("port_rx_packets_total", `port="mem"`)
	p.want("port_link_up", `port="mem"`, 1)
	p.absent("hugepages_free", `size="2MiB"`)
	p.absent("hugepages_used_bytes", "")
	p.absent("core_isolated", `core="1"`)
	p.absent("core_numa_node", `core="1"`)
	p.want("core_pinned", `core="1"`, 0)
	p.want("config_generation", "", 1)
	for _, want := range []string{"the device is gone", "hugepages are not known", "isolated CPUs are not known"} {
		if s := r.log.String(); !strings.Contains(s, want) {
			t.Errorf("logged %q, want %q", s, want)
		}
	}
}

// A VIP with a thousand backends is on the page well within a scrape's time.
func TestThousandBackends(t *testing.T) {
	r := newRig(t, vipText("www", 1, 1000))
	began := time.Now()
	p := r.scrape()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a scrape took %v", took)
	}
	if n := len(p.values("backend_share")); n != 1000 {
		t.Errorf("%d backends are shown", n)
	}
}

func BenchmarkScrape(b *testing.B) {
	for _, backends := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint("backends=", backends), func(b *testing.B) {
			r := newRig(b, vipText("www", 1, backends))
			registry := newRegistry(r.page)
			for b.Loop() {
				if _, err := registry.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
