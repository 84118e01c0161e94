package lcore

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"guideway/maglev/conntrack"
	"guideway/maglev/flow"
	"guideway/pmd"
	"guideway/pmd/memport"
)

// loopPort hands out 64-byte TCP packets of many flows, a power of two.
func loopPort(flows uint64, frames int) *memport.Loop {
	return memport.NewLoop(memport.LoopConfig{
		MTU: 1600, Frames: frames, Packets: [][]byte{tcp4(0, ack, 10)},
		Fill: func(i uint64, p []byte) {
			n := i * 0x9e3779b1 & (flows - 1) // visits every flow, in no order that a cache foresees
			binary.BigEndian.PutUint16(p[28:], uint16(n>>16))
			binary.BigEndian.PutUint16(p[34:], uint16(n))
		},
	})
}

// BenchmarkLoop is what the port in memory costs by itself.
func BenchmarkLoop(b *testing.B) {
	q := loopPort(1<<16, 64).Queue(0)
	frames := new(pmd.Burst)
	for b.Loop() {
		q.Rx(frames, burst)
		q.Tx(frames)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/packet")
}

// BenchmarkTurn is the whole packet path on the port in memory.
func BenchmarkTurn(b *testing.B) { benchmarkTurn(b, Tracing{}) }

// BenchmarkTurnTracing is the same with packets to be traced, should they come.
func BenchmarkTurnTracing(b *testing.B) { benchmarkTurn(b, Tracing{Knock: 1, Rate: 100}) }

func benchmarkTurn(b *testing.B, tracing Tracing) {
	for _, flows := range []uint64{1, 1 << 16, 1 << 20} {
		b.Run(fmt.Sprintf("flows=%d", flows), func(b *testing.B) {
			r := newRig(b, memport.Config{}, "10.0.0.1", "10.0.0.2", "10.0.0.3")
			table, err := conntrack.New(conntrack.Config{
				Flows: int(flows) + 1024, Seed: flow.Seed{A: 1, B: 2, C: 3},
				Timeouts: conntrack.Timeouts{TCPNew: time.Hour, TCPEstablished: time.Hour, TCPClosing: time.Hour, UDP: time.Hour, Other: time.Hour},
			})
			if err != nil {
				b.Fatal(err)
			}
			r.worker.conntrack = table
			p := r.world.program(b)
			p.Tracing = tracing
			r.group.Publish(p)
			r.worker.ports[0].Queue = loopPort(flows, 64).Queue(0)
			for range 2 * int(flows) / burst {
				r.worker.Turn()
			}
			packets := 0
			for b.Loop() {
				packets += r.worker.Turn()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}

// BenchmarkStage is the cost of single stages, over a burst.
func BenchmarkStage(b *testing.B) {
	for _, stage := range []struct {
		name string
		run  func(*Worker)
	}{
		{"parse", func(w *Worker) { w.rx.N = burst; w.parse(0) }},
		{"track", (*Worker).track},
	} {
		b.Run(stage.name, func(b *testing.B) {
			r := newRig(b, memport.Config{}, "10.0.0.1", "10.0.0.2", "10.0.0.3")
			r.worker.ports[0].Queue = loopPort(1<<10, burst).Queue(0)
			for range 100 {
				r.worker.Turn()
			}
			r.worker.receive(0)
			r.worker.parse(0)
			for b.Loop() {
				stage.run(r.worker)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/packet")
		})
	}
}
