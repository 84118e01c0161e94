package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
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
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("dpdk-testpmd, from the Debian package dpdk: %w", err)
	}
	time.Sleep(5 * time.Second)
	cmd.Process.Kill()
	cmd.Wait() // it was killed: the error says only that
	for _, m := range txRate.FindAllSubmatch(out.Bytes(), -1) {
		if v, _ := strconv.ParseFloat(string(m[1]), 64); v > pps {
			pps = v
		}
	}
	if pps == 0 {
		return 0, fmt.Errorf("dpdk-testpmd says no rate:\n%s", out.Bytes())
	}
	return pps, nil
}
