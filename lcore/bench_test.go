package lcore

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"guideway/maglev"
	"guideway/maglev/conntrack"
	"guideway/maglev/fib"
	"guideway/maglev/flow"
	"guideway/maglev/packet"
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

// BenchmarkTurnVIPs is BenchmarkTurn with 64 Ki flows to so many VIPs, in no
// order: 16 packets in a burst of 32 have another destination than the one before
// them when there are two.
func BenchmarkTurnVIPs(b *testing.B) {
	for _, vips := range []uint64{1, 2, 64} {
		b.Run(fmt.Sprintf("vips=%d", vips), func(b *testing.B) {
			r := newRig(b, memport.Config{})
			table, err := conntrack.New(conntrack.Config{
				Flows: 1 << 17, Seed: flow.Selection,
				Timeouts: conntrack.Timeouts{TCPNew: time.Hour, TCPEstablished: time.Hour, TCPClosing: time.Hour, UDP: time.Hour, Other: time.Hour},
			})
			if err != nil {
				b.Fatal(err)
			}
			r.worker.conntrack = table
			backend := netip.MustParseAddr("10.0.0.1")
			lookup, err := maglev.Build([]maglev.Member{{Addr: backend, Weight: 1}}, 251)
			if err != nil {
				b.Fatal(err)
			}
			spec := fib.Spec{Generation: 9, Endpoints: make([]fib.EndpointSpec, vips+1),
				Tunnels: []fib.TunnelSpec{{Src: netip.MustParseAddr("192.0.2.11"), Dst: backend, MTU: 1600, NextHopMAC: [6]byte{2, 1}}}}
			address := netip.MustParseAddr("203.0.113.0")
			for i := range vips {
				value := fib.MakeValue(uint32(i+1), 0)
				spec.Services = append(spec.Services, fib.ServiceSpec{Prefix: netip.PrefixFrom(address, 32), Protocol: packet.ProtoTCP,
					Ports: []fib.PortRange{{Low: 80, High: 80}}, Table: lookup, Values: []fib.Value{value}})
				spec.Endpoints[i+1] = fib.EndpointSpec{Value: value, Service: uint16(i), State: fib.Serving, Ways: 1}
				address = address.Next()
			}
			snapshot, err := fib.Build(spec)
			if err != nil {
				b.Fatal(err)
			}
			r.group.Publish(Program{Snapshot: snapshot})
			const flows = 1 << 16
			r.worker.ports[0].Queue = memport.NewLoop(memport.LoopConfig{
				MTU: 1600, Frames: 64, Packets: [][]byte{tcp4(0, ack, 10)},
				Fill: func(i uint64, p []byte) {
					n := i * 0x9e3779b1 & (flows - 1)
					binary.BigEndian.PutUint32(p[30:], 0xcb007100|uint32(n*0x9e3779b97f4a7c15>>58&(vips-1)))
					binary.BigEndian.PutUint16(p[34:], uint16(n))
				},
			}).Queue(0)
			for range 2 * flows / burst {
				r.worker.Turn()
			}
			packets := 0
			for b.Loop() {
				packets += r.worker.Turn()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
			if n := r.verdicts()[Forwarded]; table.Len() != flows || n < uint64(packets) {
				b.Fatalf("%d flows, %d of %d packets forwarded", table.Len(), n, packets)
			}
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
		{"track", func(w *Worker) { w.track(false) }},
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

// BenchmarkEnclose is the cost of the outer header, over a burst, by its family. Frames
// are put back as they were meanwhile: 1.5 ns of it.
func BenchmarkEnclose(b *testing.B) {
	for _, to := range []fib.TunnelSpec{
		{Src: netip.MustParseAddr("192.0.2.11"), Dst: netip.MustParseAddr("10.0.0.1"), MTU: 1500},
		{Src: wishSource6, Dst: netip.MustParseAddr("2001:db8:b::1"), MTU: 1500},
	} {
		b.Run("outer="+to.Dst.String(), func(b *testing.B) {
			snapshot, err := fib.Build(fib.Spec{Tunnels: []fib.TunnelSpec{to}})
			if err != nil {
				b.Fatal(err)
			}
			var in pmd.Burst
			loopPort(1<<10, burst).Queue(0).Rx(&in, burst)
			var items [burst]item
			var saved [burst]pmd.Frame
			for i, f := range in.Frames[:burst] {
				saved[i] = *f
				items[i].at, items[i].l3, items[i].Len, items[i].hash = uint8(i), 14, uint16(f.Len()-14), uint64(i)
			}
			var out pmd.Burst
			for b.Loop() {
				for i, f := range in.Frames[:burst] {
					*f = saved[i]
				}
				if n := encloseBurst(items[:], &in.Frames, snapshot.Tunnels(), 0, &out, 0); n != burst {
					b.Fatalf("%d of %d frames got a tunnel", n, burst)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/packet")
		})
	}
}
