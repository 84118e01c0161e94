package main

import (
	"testing"
	"time"

	"guideway/test/testpmd"
)

// yardstickTime is how long testpmd is watched for.
const yardstickTime = time.Second

// BenchmarkTestpmd is DPDK's own dpdk-testpmd on the same kind of port in the
// same run: what a loop in C costs that does nothing (io), or only swaps
// addresses (macswap). It is the yardstick for BenchmarkPort.
//
// It has to come before all that starts EAL here, which keeps the hugepages: without them testpmd
// takes three times as long. Benchmarks run in the order of their files.
func BenchmarkTestpmd(b *testing.B) {
	if ealStarted {
		b.Fatal("EAL has been started in this process: testpmd would have no hugepages")
	}
	for _, mode := range []string{"io", "macswap"} {
		b.Run(mode, func(b *testing.B) {
			p, err := testpmd.Start(testpmd.Config{
				Mode: mode, Device: "net_null0,size=64", Main: 0, CPU: 1, Huge: hugepagesFree() >= 100,
			})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Kill()
			at := func() (packets uint64, took time.Duration) {
				c, err := p.Counters()
				if err == nil {
					took, err = p.PollTime()
				}
				if err != nil {
					b.Fatal(err)
				}
				return c.Sent, took
			}
			before, began := at()
			time.Sleep(yardstickTime)
			after, ended := at()
			perPacket(b, int(after-before), ended-began)
		})
	}
}
