package bench

import (
	"strings"
	"testing"
	"time"

	"guideway/test/daemon"
	"guideway/test/testpmd"
)

// A device is a contender that runs.
type device interface {
	// count returns how far it is.
	count(t *testing.T) count
	stop(t *testing.T)
}

type count struct {
	received, sent uint64
	busy           time.Duration // of turns of the loop that received something
	took           time.Duration // processor time of the polling thread
}

func (c count) minus(o count) count {
	return count{c.received - o.received, c.sent - o.sent, c.busy - o.busy, c.took - o.took}
}

// startDevice runs a contender on a port.
func startDevice(t *testing.T, p port, c contender, huge bool) device {
	t.Helper()
	netns := ""
	if strings.Contains(p.device, deviceLink) {
		netns = namespace
	}
	if c.testpmd != "" {
		d, err := testpmd.Start(testpmd.Config{Mode: c.testpmd, Device: p.deviceFor(c), Main: generatorCPU, CPU: deviceCPU, Two: c.lcores == 2, Huge: huge, Netns: netns})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Kill)
		return pmdDevice{d}
	}
	return startDaemon(t, netns, config(p.deviceFor(c), c, huge))
}

// startDaemon runs guidewayd with a configuration.
func startDaemon(t *testing.T, netns, config string) gwDevice {
	t.Helper()
	d := daemon.LaunchIn(t, netns, t.TempDir(), config)
	d.WaitLog(`msg=forwarding`)
	return gwDevice{d}
}

type pmdDevice struct{ *testpmd.Testpmd }

func (d pmdDevice) count(t *testing.T) count {
	t.Helper()
	c, err := d.Counters()
	if err != nil {
		t.Fatal(err)
	}
	took, err := d.PollTime()
	if err != nil {
		t.Fatal(err)
	}
	return count{c.Received, c.Sent, c.Busy, took}
}

func (d pmdDevice) stop(t *testing.T) {
	t.Helper()
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
}

type gwDevice struct{ *daemon.Daemon }

func (d gwDevice) count(t *testing.T) count {
	t.Helper()
	m := d.Metrics()
	took, err := testpmd.ThreadTime(d.PID(), "gw-poll")
	if err != nil {
		t.Fatal(err)
	}
	busy := time.Duration(daemon.Sum(m, "guideway_core_busy_seconds_total") * float64(time.Second))
	return count{uint64(daemon.Sum(m, "guideway_packets_total")), uint64(daemon.Verdicts(m)["forwarded"]), busy, took}
}

// Verdicts returns how frames ended.
func (d gwDevice) Verdicts() map[string]int { return daemon.Verdicts(d.Metrics()) }

func (d gwDevice) stop(t *testing.T) {
	t.Helper()
	d.Stop()
}
