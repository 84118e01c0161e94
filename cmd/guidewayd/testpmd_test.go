package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// BenchmarkTestpmd is DPDK's own dpdk-testpmd on the same kind of port in the
// same run: what a loop in C costs that does nothing (io), or only swaps
// addresses (macswap). It is the yardstick for BenchmarkPort.
func BenchmarkTestpmd(b *testing.B) {
	for _, mode := range []string{"io", "macswap"} {
		b.Run(mode, func(b *testing.B) {
			pps, err := testpmd(mode)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(1e9/pps, "ns/packet")
			b.ReportMetric(pps/1e6, "Mpps")
			b.ReportMetric(0, "ns/op")
		})
	}
}

var txRate = regexp.MustCompile(`Tx-pps:\s+(\d+)`)

// testpmd runs dpdk-testpmd on net_null with one forwarding core for a few
// seconds and returns the best second's packets.
func testpmd(mode string) (pps float64, err error) {
	args := []string{"-l", "0,1", "--no-pci", "--in-memory", "--no-telemetry", "--file-prefix=guideway-testpmd", "--vdev=net_null0,size=64"}
	if hugepagesFree() < 100 {
		args = append(args, "--no-huge", "-m", "200")
	} else {
		args = append(args, "-m", "128")
	}
	args = append(args, "--", "--forward-mode="+mode, "--nb-cores=1", "--burst=64", "--total-num-mbufs=8192", "--auto-start", "--stats-period=1")
	cmd := exec.Command("dpdk-testpmd", args...)
	out := &spoken{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("dpdk-testpmd, from the Debian package dpdk: %w", err)
	}
	// It says its rate each second; on a busy machine the first one is late.
	var rates []float64
	for end := time.Now().Add(30 * time.Second); len(rates) < 4 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		rates = out.rates()
	}
	cmd.Process.Kill()
	cmd.Wait() // it was killed: the error says only that
	if len(rates) == 0 {
		return 0, fmt.Errorf("dpdk-testpmd says no rate:\n%s", out.buf.Bytes())
	}
	return slices.Max(rates), nil
}

// spoken is what a process has said so far.
type spoken struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// rates are the packets of every second in which there were some.
func (s *spoken) rates() (rates []float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range txRate.FindAllSubmatch(s.buf.Bytes(), -1) {
		if v, _ := strconv.ParseFloat(string(m[1]), 64); v > 0 {
			rates = append(rates, v)
		}
	}
	return rates
}
