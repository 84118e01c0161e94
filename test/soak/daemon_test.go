package soak

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"guideway/lcore"
	"guideway/test/daemon"
)

const netns = "gwsoak"

// namespace makes a network namespace for the daemon, whose port has an
// interface to the kernel. One that a killed run has left goes first, and
// another run on this machine waits.
func namespace(t *testing.T) {
	t.Helper()
	lock, err := os.Create("/run/" + netns + ".lock")
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatalf("the soak test needs root: %v", err)
	}
	remove := func() { exec.Command("ip", "netns", "del", netns).Run() } // it may not be there
	remove()
	t.Cleanup(func() {
		remove()
		lock.Close()
	})
	for _, args := range []string{"netns add " + netns, "-n " + netns + " link set lo up"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
}

// TestDaemon soaks the real guidewayd on a DPDK port with two lcores, software
// steering and a kernel interface, while it is made to reload every second.
func TestDaemon(t *testing.T) {
	frames, most, pause := int64(200_000), time.Minute, 200*time.Millisecond
	if full {
		frames, most, pause = 10_000_000, 5*time.Minute, time.Second
	}
	namespace(t)
	dir := t.TempDir()
	s := newStream(t, dir)
	config := settings{number: 1, nodes: 3, lcores: "[0, 1]", rxQueues: 1, kernel: true,
		device: fmt.Sprintf("net_pcap0,rx_pcap=%s,tx_pcap=%s,tx_pcap=%s", input, output(0), output(1))}
	s.targets = config.targets([6]byte{2, 0, 0, 0, 1, 1})
	s.ends.Go(func() { s.write(frames) })
	for i := range outputs {
		s.ends.Go(func() { s.read(output(i)) })
	}
	d := daemon.LaunchIn(t, netns, dir, config.text())
	mac, err := net.ParseMAC(d.WaitLog(`msg="port open".* mac=(\S+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	s.mac.Store((*[6]byte)(mac))
	d.WaitLog("msg=forwarding")

	began, reloads := time.Now(), 0
	var m map[string]float64
	var settled float64 // bytes of memory
	for s.given.Load() < frames && !s.stop.Load() && time.Since(began) < most {
		time.Sleep(pause)
		reloads++
		config.variant = reloads
		d.Write(config.text())
		d.Signal(syscall.SIGHUP)
		d.WaitFor("reload", func() bool { return strings.Count(d.Log(), "msg=reloaded") >= reloads })
		m = d.Metrics()
		books(t, m)
		if settled == 0 && s.given.Load() > frames/4 {
			settled = m[memory]
		}
	}
	s.stop.Store(true)
	took := time.Since(began)
	for last := -1.0; last != m[received]; m = d.Metrics() { // what is in the pipe still
		last = m[received]
		time.Sleep(300 * time.Millisecond)
	}
	books(t, m)
	d.Stop()
	s.ends.Wait()

	if given := s.given.Load(); int64(m[received]) != given || given < frames/10 {
		t.Errorf("%d frames were given, of %d, and %.0f received", given, frames, m[received])
	}
	ends, came := totals(t, d.Log())
	sum, left := 0, 0
	for v, n := range ends {
		sum += n
		if slices.Contains(leave, v) {
			left += n
		}
	}
	if want := came + ends["handed_over"] + int(daemon.Sum(m, "guideway_made_packets_total")); sum != want {
		t.Errorf("%d frames came or were made, and %d ended", want, sum)
	}
	if sent := s.taken.Load(); int(sent) != left {
		t.Errorf("by the verdicts %d frames were sent, and %d came out", left, sent)
	}
	if n := ends[lcore.Unset.String()]; n != 0 {
		t.Errorf("%d frames ended without a reason", n)
	}
	if grown := m[memory] - settled; grown > 24<<20 {
		t.Errorf("guidewayd has grown by %.0f KiB since a quarter of the run", grown/1024)
	}
	t.Logf("%d hostile frames, %.0f a second, %d sent and judged, %d reloads; memory %.0f MiB, %+.0f KiB since a quarter of the run\n%s",
		s.given.Load(), float64(s.given.Load())/took.Seconds(), s.taken.Load(), reloads, m[memory]/(1<<20), (m[memory]-settled)/1024,
		table(func(v lcore.Verdict) uint64 { return uint64(ends[v.String()]) }))
}

// Metrics of the daemon.
const (
	received = `guideway_port_rx_packets_total{port="wan"}`
	memory   = "process_resident_memory_bytes"
)

// leave are the verdicts of frames that leave by the port.
var leave = []string{"forwarded", "redirected", "relayed", "echo_answered", "port_refused", "vip_unreachable", "too_big_answered", "from_kernel"}

// books checks that on each core every frame has its one end.
func books(t *testing.T, m map[string]float64) {
	t.Helper()
	cores := map[string]float64{}
	for name, value := range m {
		family, labels, _ := strings.Cut(name, "{")
		core, _, _ := strings.Cut(strings.TrimSuffix(labels, "}"), ",")
		switch family {
		case "guideway_received_packets_total", "guideway_taken_packets_total", "guideway_made_packets_total":
			cores[core] += value
		case "guideway_packets_total", "guideway_fragments_held":
			cores[core] -= value
		}
	}
	for core, open := range cores {
		if open != 0 {
			t.Errorf("%s: %v frames came and did not end", core, open)
		}
	}
	if len(cores) != outputs {
		t.Errorf("%d cores in the metrics", len(cores))
	}
}

var (
	totalsLine = regexp.MustCompile(`msg="poll loops stopped" received=(\d+) (.*)`)
	total      = regexp.MustCompile(`(\w+)=(\d+)`)
)

// totals reads what the daemon says when it has stopped: how many frames came,
// from the port and from the kernel, and how all ended.
func totals(t *testing.T, log string) (ends map[string]int, came int) {
	t.Helper()
	line := totalsLine.FindStringSubmatch(log)
	if line == nil {
		t.Fatalf("the daemon does not say how frames ended:\n%s", log)
	}
	ends = map[string]int{}
	came, _ = strconv.Atoi(line[1]) // the pattern has digits only
	for _, m := range total.FindAllStringSubmatch(line[2], -1) {
		ends[m[1]], _ = strconv.Atoi(m[2])
	}
	return ends, came
}
