// Package bench measures whole processes: guidewayd and DPDK's dpdk-testpmd on the
// same ports in the same run, fed by guideway-load in another process where the
// port makes no packets by itself.
//
// BENCH_ROUNDS=n measures everything n times, for make bench: contenders take turns,
// so that all of a round have met much the same machine, and ratios are of one
// round. BENCH_FIGURES=dir then draws figures there. Without BENCH_ROUNDS each port is
// shown to work, and nothing depends on the time that it takes.
package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"guideway/cmd/guideway-load/engine"
	"guideway/test/daemon"
	"guideway/test/testpmd"
)

var loadProgram string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "guideway-bench-")
	if err == nil {
		loadProgram, err = buildGenerator(dir)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = daemon.Main(m)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// rounds returns how often everything is measured; 0: the short form.
func rounds(t *testing.T) int {
	text := os.Getenv("BENCH_ROUNDS")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("BENCH_ROUNDS=%s: want a number of rounds", text)
	}
	return n
}

// A watch is how a contender is watched: in windows, of which the best figures count. The host
// of a virtual machine has phases of seconds in which everything takes longer, by
// half and more, whoever runs; what is sought is what things cost outside of these.
type watch struct {
	window  time.Duration
	windows int
}

func watching(short bool) watch {
	if short {
		return watch{100 * time.Millisecond, 1}
	}
	return watch{500 * time.Millisecond, 10}
}

func TestWhole(t *testing.T) {
	n := rounds(t)
	short := n == 0
	free := 0 // hugepages of 2 MiB
	if !short {
		free = hugepagesFree(t)
	}
	network(t)
	dir := t.TempDir()
	record(t, dir)
	var results results
	for round := range max(n, 1) {
		for _, p := range ports(dir, short) {
			carried := 0.0 // by the yardstick, checked, a second
			for _, c := range p.contenders {
				t.Run(fmt.Sprintf("%d/port=%s/%s", round+1, p.name, c.name()), func(t *testing.T) {
					s := measure(t, p, c, watching(short), carried/2, free >= (c.memory()+generatorMemory)/2)
					if c.checked {
						carried = s.delivered
					}
					results.add(p, c, round, s)
				})
			}
		}
	}
	if short {
		return
	}
	if len(results) == 0 {
		t.Fatal("nothing was measured: -run leaves nothing")
	}
	fmt.Print(results.lines())
	if dir := os.Getenv("BENCH_FIGURES"); dir != "" {
		if err := results.write(dir); err != nil {
			t.Error(err)
		}
	}
	fmt.Printf("\n%d rounds, hugepages: %v MiB\n\n%s\n", n, 2*free, results.table())
}

func hugepagesFree(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		fmt.Sscanf(string(line), "HugePages_Free: %d", &n)
	}
	return n
}

// record writes the capture of the port that plays one.
func record(t *testing.T, dir string) {
	t.Helper()
	none := filepath.Join(dir, "none.pcap")
	header := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0}
	if err := os.WriteFile(none, header, 0o600); err != nil {
		t.Fatal(err)
	}
	g := generate(t, "net_pcap0,rx_pcap="+none+",tx_pcap="+capture(dir), false, "-vip %s -flows %d -packets %[2]d -check none -interval 0s",
		vip(false), captureFlows)
	r := g.awaitReport(t)
	g.wait(t)
	if r.Sent.Packets != captureFlows {
		t.Fatalf("%d packets in the capture", r.Sent.Packets)
	}
}

// A sample is one measurement of one contender.
type sample struct {
	perPacket float64 // nanoseconds of turns of the loop that found packets
	delivered float64 // packets a second on the wall
	share     float64 // of their CPUs that the polling threads had, the lesser one
	refused   float64 // of the generator's packets, by its port: the device is what limits
	latency   *engine.Latency
}

// measure runs a contender on a port.
func measure(t *testing.T, p port, c contender, w watch, rate float64, huge bool) (s sample) {
	t.Helper()
	p = p.with(socket(t))
	d := startDevice(t, p, c, huge)
	flags := fmt.Sprintf("-vip %s -flows %d -link 30s -interval 100ms -hold", vip(c.ipv6), max(c.flows, 1))
	var g *generator
	switch {
	case p.generator == "":
	case c.latency:
		g = generate(t, p.generator, huge, "%s -warmup 500ms -rate %.0f -check packets -quiet 500ms", flags, max(rate, 1000))
	default:
		// The device has met every flow before it is watched.
		check, warmup := "none", time.Second+time.Duration(c.flows)*300*time.Nanosecond
		if c.checked {
			check = "packets"
		}
		g = generate(t, p.generator, huge, "%s -warmup %v -check %s", flags, warmup, check)
	}
	if g != nil {
		g.started(t)
	}
	if c.latency {
		// Nobody asks for counters meanwhile: that would be work on the generator's CPU,
		// which is late then.
		time.Sleep(time.Duration(w.windows) * w.window)
		w.windows = 0
	}
	for n := range w.windows {
		next := observe(t, d, g, w.window, c)
		if n == 0 {
			s = next
		}
		s.perPacket = min(s.perPacket, next.perPacket)
		s.delivered = max(s.delivered, next.delivered)
		s.share = max(s.share, next.share)
	}
	if g != nil {
		r := g.report(t)
		s.latency = r.Latency
		s.refused = float64(r.Sent.Refused) / float64(max(r.Sent.Packets+r.Sent.Refused, 1))
		if r.Received.Frames == 0 || c.latency && r.Latency == nil {
			t.Fatalf("nothing came back: %+v", r.Sent)
		}
	}
	d.stop(t)
	if g != nil {
		g.close(t)
	}
	return s
}

// socket returns the name of a socket that there is not yet. (A test's own folder may
// have too long a name for one.)
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gwbench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "memif")
}

func (p port) with(socket string) port {
	p.device = strings.Replace(p.device, socketName, socket, 1)
	p.generator = strings.Replace(p.generator, socketName, socket, 1)
	return p
}

// observe watches a contender for one window, or longer, until something came.
func observe(t *testing.T, d device, g *generator, window time.Duration, c contender) (s sample) {
	t.Helper()
	feeder := func() (took time.Duration) {
		if g != nil {
			var err error
			if took, err = testpmd.ThreadTime(g.cmd.Process.Pid, "gw-poll"); err != nil {
				t.Fatal(err)
			}
		}
		return took
	}
	began, before, fed := time.Now(), d.count(t), feeder()
	for {
		time.Sleep(window)
		n, wall := d.count(t).minus(before), time.Since(began)
		if n.received == 0 {
			continue
		}
		packets := n.sent
		if c.nothingSent() {
			packets = n.received
		}
		s.share = n.took.Seconds() / wall.Seconds() / float64(max(c.lcores, 1))
		if g != nil {
			s.share = min(s.share, (feeder()-fed).Seconds()/wall.Seconds())
		}
		s.perPacket = float64(n.busy.Nanoseconds()) / float64(max(packets, 1))
		s.delivered = float64(packets) / wall.Seconds()
		return s
	}
}
