package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guideway/control/capture"
	"guideway/pmd"
	"guideway/pmd/dpdk"
)

// started tells when a capture has begun, by what it logs then.
type started struct{ atomic.Bool }

func (s *started) Write(b []byte) (int, error) {
	s.Store(true)
	return len(b), nil
}

// BenchmarkCapture is BenchmarkPipeline while an operator captures: with a filter
// that nothing matches, and one that everything does, far faster than a file can
// be written.
func BenchmarkCapture(b *testing.B) {
	for _, filter := range []string{"tcp port 81", "tcp port 80", ""} {
		for _, sent := range []bool{false, true} {
			b.Run(fmt.Sprintf("%q/sent=%v", filter, sent), func(b *testing.B) {
				p := newPipeline(b, false, 1<<16)
				var on started
				c := capture.New(capture.Options{
					Group: p.group, Ports: []pmd.Info{p.port.Info()}, Clock: dpdk.Now, Compile: dpdk.CompileFilter,
					Log: slog.New(slog.NewTextHandler(&on, nil)),
				})
				ctx, cancel := context.WithCancel(b.Context())
				var (
					capturing sync.WaitGroup
					got       *capture.Result
					err       error
				)
				request := capture.Request{Filter: filter, Sent: sent, Count: 1 << 40, Time: time.Hour, Size: 256 << 20, File: filepath.Join(b.TempDir(), "x.pcapng")}
				var ended atomic.Bool
				capturing.Go(func() {
					got, err = c.Run(ctx, request)
					ended.Store(true)
				})
				onPollThread(b, p.eal, func() {
					p.warm()
					for !on.Load() && !ended.Load() {
						p.worker.Turn()
					}
					p.measure(b)
					cancel()
					for !ended.Load() {
						p.worker.Turn()
					}
					p.end()
				})
				capturing.Wait()
				if err != nil {
					b.Fatal(err)
				}
				if all := uint64(got.Packets) + got.Missed; all > 0 {
					b.ReportMetric(float64(got.Missed)/float64(all)*100, "%missed")
				}
			})
		}
	}
}
