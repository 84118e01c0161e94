package replay

import (
	"path/filepath"
	"strings"
	"testing"

	"guideway/test/daemon"
)

// Two lcores, each with a queue pair of the port: both forward, and what is
// received is the sum of the verdicts on each.
func TestTwoLcores(t *testing.T) {
	dir := t.TempDir()
	list := shapes()
	writeCapture(t, filepath.Join(dir, "in0.pcap"), list)
	writeCapture(t, filepath.Join(dir, "in1.pcap"), list[:100])
	d := daemon.Start(t, dir, strings.NewReplacer(
		"lcores = [1]\ncontrol_cpus = [0]", "lcores = [0, 1]",
		"rx_pcap=in.pcap,tx_pcap=out.pcap", "rx_pcap=in0.pcap,rx_pcap=in1.pcap,tx_pcap=out0.pcap,tx_pcap=out1.pcap",
	).Replace(config))

	received := map[string]int{`core="0"`: len(list), `core="1"`: 100}
	var metrics map[string]float64
	d.WaitFor("all frames received", func() bool {
		metrics = d.Metrics()
		for core, want := range received {
			if int(metrics["guideway_received_packets_total{"+core+"}"]) != want {
				return false
			}
		}
		return true
	})
	for core, want := range received {
		sum := 0
		for name, value := range metrics {
			if strings.HasPrefix(name, "guideway_packets_total{"+core) {
				sum += int(value)
			}
		}
		if sum != want {
			t.Errorf("%s: the sum over verdicts is %d, received were %d", core, sum, want)
		}
	}
	d.Stop()
	for i, file := range []string{"out0.pcap", "out1.pcap"} {
		sent := 0
		for _, s := range [][]shape{list, list[:100]}[i] {
			if s.verdict == "forwarded" || s.verdict == "echo_answered" {
				sent++
			}
		}
		if out := readCapture(t, filepath.Join(dir, file)); len(out) != sent {
			t.Errorf("%s holds %d frames, want %d", file, len(out), sent)
		}
	}
}
